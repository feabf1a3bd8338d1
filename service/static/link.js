// Every state has an address: what is looked at stands in the query of the page.
import { Problem } from "./api.js";
import { $, safely } from "./dom.js";
import { take } from "./explain.js";
import { looked, openLooked } from "./layers.js";
import { showLook } from "./look.js";
import { describe, loadLayers } from "./methods.js";
import { keptPhoto, sampleOf, SAMPLES } from "./photograph.js";
import { offers, on, question, USUAL, view } from "./state.js";
import { t } from "./strings.js";
import { openBatch, openJob, watched } from "./watch.js";

const LOOK = { output: String, colormap: String, opacity: Number, smoothing: Number };

/** What is looked at, as a query; what is usual is left out. */
function described() {
  const said = { photo: view.photo?.sample, ...question(), other: view.subject?.other };
  for (const name of Object.keys(LOOK)) if (view[name] !== USUAL[name]) said[name] = view[name];
  const entries = Object.entries({ ...said, ...looked, ...watched }).filter(([, value]) => value !== null && value !== undefined);
  return new URLSearchParams(entries).toString();
}

// asStep: whether “back” shall lead here; not so for what the page begins with, and for colours.
function write(asStep) {
  if (!view.photo) return;
  const address = `?${described()}${location.hash}`;
  if (address !== location.search + location.hash) {
    const own = view.photo.sample ? null : view.photo.key;
    if (asStep && history.state) history.pushState({ own }, "", address);
    else history.replaceState({ own }, "", address);
  }
  $("own-not-linked").hidden = Boolean(view.photo.sample);
}

const ofClass = (id) => (id === null ? null : { class_id: Number(id) });

// What a query says is explained, and what it is set against.
function subjects(query) {
  if (!query.has("target")) return { subject: ofClass(query.get("class_id")), rival: ofClass(query.get("other_class_id")) };
  const [first, ...rest] = query.get("target").split(" - ");
  const rival = rest.length ? { target: rest.join(" - "), other: undefined } : null;
  return { subject: { target: first, other: query.get("other") ?? undefined }, rival };
}

/** Take over what a query asks for. Throws a `Problem` for what does not exist here. */
async function restore(query) {
  const model = query.get("model") ?? offers.models.find((each) => each.default)?.name ?? offers.models[0].name;
  const method = query.get("method") ?? USUAL.method;
  const own = query.has("photo") ? null : keptPhoto(history.state?.own);
  const sample = query.get("photo") ?? SAMPLES[0];
  if (!offers.models.some((each) => each.name === model)) throw new Problem(t("linkModel", { name: model }));
  if (!offers.methods.has(method)) throw new Problem(t("linkMethod", { name: method }));
  for (const name of [sample, query.get("other") ?? sample]) if (!SAMPLES.includes(name)) throw new Problem(t("linkPhoto", { name }));
  const known = Object.keys(offers.methods.get(method).parameters).filter((name) => query.has(name));
  Object.assign(view, { model, method, values: Object.fromEntries(known.map((name) => [name, query.get(name)])) });
  for (const [name, read] of Object.entries(LOOK)) view[name] = query.has(name) ? read(query.get(name)) : USUAL[name];
  $("model").value = model;
  showLook();
  describe();
  await take(own ?? (await sampleOf(sample)), subjects(query));
  await loadLayers();
}

/** Open what the address of the page says, or the usual first view. A link that is wrong is told in words. */
export async function openLink() {
  const query = new URLSearchParams(location.search);
  try {
    await restore(query);
  } catch (error) {
    await restore(new URLSearchParams());
    throw error;
  }
  await openLooked(query);
  if (query.has("job")) await openJob(query.get("job"));
  if (query.has("batch")) await openBatch(query.get("batch"));
}

/** Keep the address up to date. */
export function openLinks() {
  on("question", () => write(true));
  for (const news of ["look", "watched"]) on(news, () => write(false));
  window.addEventListener("popstate", safely(async () => {
    if (location.search.slice(1) !== described()) await openLink();
  }));
  $("copy-link").onclick = safely(async () => {
    await navigator.clipboard.writeText(location.href);
    $("copied").textContent = t("copied");
  });
}
