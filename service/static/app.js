// The page of convlens: plain modules, no build step, nothing from elsewhere. This one opens the others.
import { ask, json, needsKey } from "./api.js";
import { offerMethods, openCompare } from "./compare.js";
import { $, element, safely } from "./dom.js";
import { openExplain, take } from "./explain.js";
import { openHistory, showHistory } from "./history.js";
import { chooseKind, openKinds } from "./kinds.js";
import { openLook } from "./look.js";
import { describe, loadMethods, openMethods } from "./methods.js";
import { offerPhotographs, sampleOf, SAMPLES } from "./photograph.js";
import { openStage } from "./stage.js";
import { changed, offers, view } from "./state.js";
import { fill } from "./strings.js";
import { watch } from "./watch.js";

async function loadModels() {
  offers.models = (await json("/models")).filter((model) => model.served);
  view.model ||= (offers.models.find((model) => model.default) ?? offers.models[0]).name;
  $("model").replaceChildren(...offers.models.map((model) => element("option", { value: model.name, selected: model.name === view.model }, model.title)));
}

async function loadLayers() {
  offers.layers = await json(`/models/${view.model}/layers`);
  describe();
}

async function start() {
  const first = sampleOf(SAMPLES[0]);
  await Promise.all([loadModels(), loadMethods()]);
  offerMethods();
  await take(await first);
  await Promise.all([loadLayers(), showHistory()]);
  await chooseKind("class");
}

fill();
document.body.classList.add("ready");
openStage();
openExplain();
openMethods();
openLook();
openCompare();
openKinds(watch);
openHistory();
offerPhotographs(take);
needsKey.addEventListener("needed", () => { $("key-form").hidden = false; });
$("key-form").onsubmit = (event) => {
  event.preventDefault();
  safely(async () => {
    await ask("/session", { method: "POST", body: new URLSearchParams({ key: $("key").value }) });
    $("key-form").hidden = true;
    await start();
  })();
};
$("model").onchange = safely(async () => {
  Object.assign(view, { model: $("model").value, values: {} });
  await loadLayers();
  changed("model");
});
safely(start)();
