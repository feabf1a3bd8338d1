// The networks that can be asked: which there are, what they are, and the choice of one.
import { ask, json } from "./api.js";
import { $, element, inBackground, safely, whenNear } from "./dom.js";
import { goTo, replace } from "./focus.js";
import { loadLayers } from "./methods.js";
import { changed, offers, on, speeds, view } from "./state.js";
import { t } from "./strings.js";

/** Names of networks that were uploaded, for those who may remove them. */
export const removable = new Set();
let all = []; // those that cannot be used too
let near = false;

/** Learn which networks there are. */
export async function loadModels() {
  all = await json("/models");
  offers.models = all.filter((model) => model.served);
  const known = [...$("model").options].map((option) => option.value);
  if (known.join() === offers.models.map((model) => model.name).join()) return; // someone may be choosing
  $("model").replaceChildren(...offers.models.map((model) => element("option", { value: model.name, selected: model.name === view.model }, model.title)));
}

// Look at another network.
async function chooseModel(name) {
  $("model").value = name;
  Object.assign(view, { model: name, values: {} });
  await loadLayers();
  changed("model");
}

/** Show the list again, as it is now. */
export async function showNetworks() {
  await loadModels();
  await list();
}

// The facts of networks are asked for once they are near to be seen.
async function list() {
  const cards = all.map(card);
  replace($("networks-list"), ...cards.map(({ item }) => item));
  if (near) for (const { fill } of cards) await fill();
}

function card(model) {
  const facts = element("dl", { className: "facts" });
  const use = button(t("useNetwork"), () => openNetwork(model.name, "explain"), { disabled: model.name === view.model || !model.served });
  const layers = button(t("seeLayers"), () => openNetwork(model.name, "layers"), { disabled: !model.served });
  const remove = removable.has(model.name) ? button(t("removeNetwork"), () => removeModel(model.name)) : null;
  for (const one of [use, layers, remove].filter(Boolean)) one.setAttribute("aria-label", `${one.textContent}: ${model.title}`);
  const item = element("li", { attributes: { "data-model": model.name, ...(model.name === view.model ? { "aria-current": "true" } : {}) } },
    element("h3", {}, model.title), facts, element("p", { className: "links" }, use, layers, remove));
  const fill = inBackground(async () => facts.replaceChildren(...listed(await factsOf(model))));
  return { item, fill };
}

const button = (label, action, more = {}) => element("button", { type: "button", onclick: safely(action), ...more }, label);

/** Names and values, as a list of them. */
export const listed = (facts) => Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, t(`fact.${name}`)), element("dd", {}, value)]);

async function factsOf(model) {
  if (!model.served) return { state: model.problem ?? t("state.tried") };
  const [details, layers] = await Promise.all([json(`/models/${model.name}`), json(`/models/${model.name}/layers`)]);
  const speed = speeds.get(model.name);
  return {
    task: `${t(`task.${model.task}`)}, ${t("classes", { count: model.classes })}`,
    input: t(details.any_size ? "inputAny" : "inputFixed", { width: details.width, height: details.height, channels: details.preprocessing.channels }),
    layers: String(layers.length),
    speed: speed ? t("speed", { milliseconds: speed.timings_ms.run.toFixed(1), provider: speed.provider }) : t("speedUnknown"),
    ...(details.source ? { source: element("span", { lang: "en" }, details.source) } : {}),
  };
}

/** Look at a network in a part of the page. */
export async function openNetwork(name, place) {
  goTo(place);
  if (name !== view.model) await chooseModel(name);
}

async function removeModel(name) {
  await ask(`/models/${name}`, { method: "DELETE" });
  removable.delete(name);
  await showNetworks();
  if (view.model === name) await chooseModel(offers.models.find((model) => model.default)?.name ?? offers.models[0].name);
}

/** Wire the choice and the list; `before` is done once that is near to be seen. */
export function openNetworks(before) {
  $("model").onchange = safely(() => chooseModel($("model").value));
  whenNear($("networks"), inBackground(async () => {
    near = true;
    await before();
  }));
  on("photo", inBackground(list));
}
