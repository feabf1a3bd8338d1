// Which method: all of them by family, with when to use which, and their parameters.
import { giveUpOthers } from "./answers.js";
import { json } from "./api.js";
import { $, element, prose, safely } from "./dom.js";
import { explain } from "./explain.js";
import { goTo } from "./focus.js";
import { field, filledIn } from "./schema.js";
import { changed, chosenMethod, offers, view } from "./state.js";
import { has, t } from "./strings.js";

const titleOf = (family) => (has(`family.${family}`) ? t(`family.${family}`) : family);
const lineOf = (family) => (has(`family.${family}.line`) ? t(`family.${family}.line`) : "");
export const listedLayers = () => offers.layers.filter((layer) => layer.listed || layer.default).map((layer) => layer.name);

function byFamily() {
  const families = new Map();
  for (const method of offers.methods.values()) families.set(method.family, [...(families.get(method.family) ?? []), method]);
  return [...families];
}

/** Learn which methods there are. */
export async function loadMethods() {
  const methods = await json("/methods");
  offers.methods = new Map(methods.map((method) => [method.name, method]));
  $("method").replaceChildren(...byFamily().map(([family, members]) =>
    element("optgroup", { label: titleOf(family) }, ...members.map((method) => element("option", {}, method.name)))));
  $("families").replaceChildren(...byFamily().map(([family, members]) => element("section", {},
    element("h4", {}, titleOf(family)), element("p", { className: "quiet" }, lineOf(family)),
    element("ul", {}, ...members.map(card)))));
  describe();
}

/** Learn which layers the network has, and offer them. */
export async function loadLayers() {
  offers.layers = await json(`/models/${view.model}/layers`);
  describe();
  changed("layers");
}

/** What a method shows, and when to use it. */
export const explanation = (method) => prose(`${method.summary} ${method.when}`, `method.${method.name}`);

function card(method) {
  const use = element("button", { type: "button", attributes: { "aria-label": t("use", { name: method.name }) } }, method.name);
  use.onclick = safely(async () => {
    goTo("explain");
    await choose(method.name);
  });
  const cost = method.evaluations === 1 ? t("costOne") : t("cost", { runs: method.evaluations });
  const needs = method.needs === "attention" ? `${t("needsAttention")} · ` : "";
  return element("li", {}, use, element("p", {}, explanation(method)), element("p", { className: "quiet" }, `${needs}${cost} · `, prose(method.paper)));
}

/** Say what the chosen method does, and offer its parameters. */
export function describe() {
  const method = chosenMethod();
  if (!method) return;
  $("method").value = method.name;
  $("summary").replaceChildren(lineOf(method.family), " ", explanation(method), " ", prose(`${method.paper}.`));
  const choices = { layer: listedLayers() };
  const fields = Object.entries(method.parameters).map(([name, schema]) => field(name, schema, { owner: method.name, choices: choices[name], value: view.values[name] }));
  $("parameters").replaceChildren(...fields);
  $("parameters-title").textContent = t("parameters", { method: method.name });
  $("parameters-box").hidden = fields.length === 0;
}

/** Explain by another method, with its usual parameters. */
export async function choose(name) {
  giveUpOthers(); // what nobody waits for any more
  Object.assign(view, { method: name, values: {} });
  describe();
  await explain();
}

/** Wire the choice of methods. */
export function openMethods() {
  $("method").onchange = safely(() => choose($("method").value));
  $("parameters").onchange = safely(async () => {
    if (![...$("parameters").querySelectorAll("[name]")].every((control) => control.reportValidity())) return;
    giveUpOthers();
    view.values = filledIn($("parameters"));
    await explain();
  });
}
