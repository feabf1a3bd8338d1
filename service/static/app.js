// The page of convlens: plain modules, no build step, nothing from elsewhere. This one opens the others.
import { ask, needsKey } from "./api.js";
import { openCode } from "./code.js";
import { offerMethods, openCompare } from "./compare.js";
import { $, element, openAlert, safely } from "./dom.js";
import { openExplain, take } from "./explain.js";
import { openByJob } from "./by_job.js";
import { goTo, openFolds } from "./focus.js";
import { openHistory } from "./history.js";
import { openKinds } from "./kinds.js";
import { openLayers } from "./layers.js";
import { openLink, openLinks } from "./link.js";
import { openLook } from "./look.js";
import { loadMethods, openMethods } from "./methods.js";
import { loadModels, openNetworks } from "./networks.js";
import { offerPhotographs, showThumbnails } from "./photograph.js";
import { openReport } from "./report.js";
import { openStage } from "./stage.js";
import { on } from "./state.js";
import { fill, language, LANGUAGES, speak } from "./strings.js";
import { openUpload, showUploads } from "./upload.js";
import { watch } from "./watch.js";

async function start() {
  await Promise.all([loadModels(), loadMethods()]);
  offerMethods();
  try {
    await openLink();
  } finally {
    showThumbnails();
  }
}

fill();
$("language").replaceChildren(...Object.entries(LANGUAGES).map(([tag, { name }]) => element("option", { value: tag, lang: tag, selected: tag === language }, name)));
$("language").onchange = () => speak($("language").value);
document.body.classList.add("ready");
openAlert();
openFolds();
openStage();
openExplain();
openMethods();
openLook();
openByJob();
openCompare();
openKinds(watch);
openHistory();
openLayers();
openNetworks(showUploads);
openUpload();
openCode();
openReport();
openLinks();
offerPhotographs(take);
on("photo", showThumbnails);
needsKey.addEventListener("needed", () => { $("key-form").hidden = false; });
$("key-form").onsubmit = (event) => {
  event.preventDefault();
  safely(async () => {
    await ask("/session", { method: "POST", body: new URLSearchParams({ key: $("key").value }) });
    goTo("main");
    $("key-form").hidden = true;
    await start();
  })();
};
safely(start)();
