// A photograph is explained: its top classes, the map of one of them, a contrast of two.
import { json, Problem, query } from "./api.js";
import { arrived, classesOf, giveUpOthers, mapOf } from "./answers.js";
import { $, element, inBackground, safely, share } from "./dom.js";
import { markSample } from "./photograph.js";
import { clearMap, showMap, showPhotograph } from "./stage.js";
import { changed, chosenMethod, offers, on, view } from "./state.js";
import { t } from "./strings.js";

const PREFETCHED_RUNS = 40; // of a method whose maps are fetched before they are asked for
const PREFETCHED_BYTES = 1_000_000; // of a photograph that is sent for each of them
const QUICK_RUNS = 60; // that take no noticeable time

/** The most probable classes of the photograph; one that was chosen beyond them comes last. */
export const classes = [];
let asked = 0; // the newest question
let told = ""; // of the newest result

const classOf = (id) => classes.find((one) => one.class_id === id);

/** The class that is explained. */
export const explained = () => classOf(view.classId) ?? classes[0];

/** Explain another photograph. What was shown stays until the service has accepted this one. */
export async function take(photo, { classId = null, otherId = null } = {}) {
  giveUpOthers();
  const mine = ++asked;
  busy(true);
  try {
    const first = mapOf(photo, classId, otherId);
    first.catch(() => {});
    const found = await classesOf(photo);
    if (mine !== asked) return;
    Object.assign(view, { photo, classId, otherId });
    classes.splice(0, classes.length, ...found);
    showPhotograph(photo);
    markSample(photo);
    for (const id of [classId, otherId]) if (id !== null) await learn(id);
    changed("photo");
    await explain();
  } catch (error) {
    if (mine === asked) $("caption").textContent = told || t("noMap");
    throw error;
  } finally {
    if (mine === asked) busy(false);
  }
}

/** Ask again, since the method, its parameters, the class or the network is another one. */
export async function explain() {
  if (!view.photo) return;
  const mine = ++asked;
  busy(true);
  try {
    list();
    const map = await mapOf(view.photo);
    if (mine !== asked) return;
    if (view.classId === null) view.classId = map.classId;
    const one = explained();
    if (one.probability === undefined) one.probability = map.probability;
    list();
    draw();
    tell(map);
    changed("question");
  } catch (error) {
    if (mine === asked) {
      clearMap();
      told = "";
      $("caption").textContent = t("noMap");
    }
    throw error;
  } finally {
    if (mine === asked) busy(false);
  }
  await prefetch(mine);
}

async function prefetch(mine) {
  if (chosenMethod().evaluations > PREFETCHED_RUNS || view.photo.file.size > PREFETCHED_BYTES || view.otherId !== null) return;
  for (const { class_id: id } of classes) {
    if (mine !== asked) return;
    await mapOf(view.photo, id, null).catch(() => {});
  }
  if (mine !== asked) return;
  $("top").classList.add("prefetched");
  if (view.locked) draw();
}

function busy(is) {
  $("stage").setAttribute("aria-busy", String(is));
  if (!is) return;
  const runs = chosenMethod()?.evaluations ?? 1;
  $("caption").textContent = runs > QUICK_RUNS ? t("lookingLong", { runs }) : t("looking");
}

// Draw the map of a class, by default that of the chosen one.
function draw(classId = view.classId, otherId = view.otherId) {
  const raw = arrived(view.photo, classId, otherId);
  if (!raw) return;
  const all = classes.map((one) => arrived(view.photo, one.class_id)).filter(Boolean);
  showMap(raw, view.locked && otherId === null ? all : []);
  const one = classOf(classId), other = classOf(otherId);
  $("shown").textContent = other ? `${one.name} ${t("versus")} ${other.name}` : one.name;
}

function tell(map) {
  const one = explained(), other = classOf(view.otherId);
  const model = offers.models.find((each) => each.name === view.model).title;
  const values = { model, name: one.name, share: share(one), other: other?.name };
  const said = [t(other ? "captionContrast" : "caption", values), map.empty ? t("empty") : "", map.warning ?? ""];
  told = said.filter(Boolean).join(" ");
  $("caption").textContent = told;
}

function list() {
  const chosen = explained();
  $("top").classList.remove("prefetched");
  $("top").replaceChildren(...classes.map((one) => {
    const bar = element("span", { className: "bar" });
    bar.style.setProperty("--share", one.probability ?? 0);
    const button = element("button", { type: "button", className: "class", attributes: { "aria-pressed": String(one === chosen) } },
      element("span", { className: "name" }, one.name), element("span", {}, one.probability === undefined ? "" : share(one)), bar);
    button.onclick = safely((event) => choose(one, event.shiftKey || event.ctrlKey || event.metaKey));
    button.onpointerenter = button.onfocus = () => draw(one.class_id, null);
    button.onpointerleave = button.onblur = () => draw();
    return element("li", {}, button, contrastButton(one, chosen));
  }));
}

function contrastButton(one, chosen) {
  const isChosen = one === chosen;
  const label = isChosen ? t("versusSelf", { name: one.name }) : t("versusLabel", { name: chosen.name, other: one.name });
  const button = element("button", { type: "button", className: "versus", disabled: isChosen, title: label,
    attributes: { "aria-label": label, "aria-pressed": String(one.class_id === view.otherId) } }, t("versus"));
  button.onclick = safely(() => choose(one, true));
  return button;
}

/** Explain a class; as a second one it is set against the first. */
export async function choose(one, asSecond = false) {
  if (!asSecond || one === explained()) Object.assign(view, { classId: one.class_id, otherId: null });
  else Object.assign(view, { classId: explained().class_id, otherId: view.otherId === one.class_id ? null : one.class_id });
  const focused = [...$("top").querySelectorAll("button")].indexOf(document.activeElement);
  await explain();
  if (focused >= 0) $("top").querySelectorAll("button")[focused]?.focus();
}

/** Make a class known that is not among the top ones. */
async function learn(id) {
  if (classOf(id)) return;
  const all = await json(`/models/${view.model}/classes`);
  const one = all.find((each) => each.class_id === id);
  if (one) classes.push({ ...one, probability: undefined });
}

/** The class that a text means: an id, a name or a part of one. */
export async function findClass(text) {
  const wanted = text.trim();
  const isId = /^\d+$/.test(wanted);
  const found = await json(`/models/${view.model}/classes?${query({ query: isId ? "" : wanted })}`);
  const matches = isId ? (one) => one.class_id === Number(wanted) : (one) => one.name.toLowerCase().split(",").some((part) => part.trim() === wanted.toLowerCase());
  const one = found.find((each) => each.name === wanted) ?? found.find(matches) ?? (isId ? undefined : found[0]);
  if (!one) throw new Problem(t("noClass", { text: wanted }));
  return one;
}

/** Suggest classes for a field while something is typed into it. separator: of several classes in one field. */
export function suggest(input, suggestions, separator = null) {
  input.oninput = safely(async () => {
    const cut = separator === null ? 0 : input.value.lastIndexOf(separator) + 1;
    const before = cut ? `${input.value.slice(0, cut)} ` : "";
    const found = await json(`/models/${view.model}/classes?${query({ query: input.value.slice(cut).trim() })}`);
    suggestions.replaceChildren(...found.slice(0, 20).map((one) => element("option", { value: before + one.name })));
  });
}

/** Wire the list of classes. */
export function openExplain() {
  suggest($("any-class"), $("any-classes"));
  $("any-form").onsubmit = (event) => {
    event.preventDefault();
    safely(async () => {
      const one = await findClass($("any-class").value);
      await learn(one.class_id);
      await choose(classOf(one.class_id));
    })();
  };
  $("locked").onchange = () => { view.locked = $("locked").checked; draw(); };
  on("look", () => draw());
  on("model", inBackground(async () => view.photo && take(view.photo)));
}
