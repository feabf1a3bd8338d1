// Jobs so far, newest first.
import { ask, json, query } from "./api.js";
import { $, element, inBackground, safely, whenNear } from "./dom.js";
import { focusOn, replace } from "./focus.js";
import { KINDS } from "./kinds.js";
import { on } from "./state.js";
import { t } from "./strings.js";
import { nameOf, openJob } from "./watch.js";

const PAGE = 12;
let cursor = null;

async function page(from) {
  const answer = await json(`/visualize?${query({ limit: PAGE, kind: $("history-kind").value, cursor: from })}`);
  cursor = answer.cursor;
  $("history-more").hidden = cursor === null;
  return answer.data.map(item);
}

// Show the newest jobs.
async function showHistory() {
  const items = await page(null);
  replace($("jobs"), ...(items.length ? items : [element("li", { className: "quiet" }, t("noJobs"))]));
}

function item(job) {
  const hasPicture = job.state === "succeeded" || job.preview !== null;
  const image = hasPicture && job.state !== "failed"
    ? element("img", { src: `${job.links.image}?latest=1`, alt: "", loading: "lazy", width: 144, height: 144 })
    : element("span", { className: "nothing" }, t(`state.${job.state}`));
  const open = element("button", { type: "button", className: "open", onclick: safely(() => openJob(job.id)) }, image,
    element("span", {}, nameOf(job)));
  const remove = element("button", { type: "button", className: "remove", attributes: { "aria-label": t("deleteJob", { name: nameOf(job) }) } }, "×");
  remove.onclick = safely(async () => {
    await ask(job.links.self, { method: "DELETE" });
    const card = document.getElementById(`job-${job.id}`);
    card?.stop();
    card?.remove();
    await showHistory();
  });
  return element("li", {}, open, remove);
}

/** Wire the list, which is made once it is near to be seen. */
export function openHistory() {
  $("history-kind").replaceChildren(element("option", { value: "" }, t("allKinds")), ...[...KINDS, "saliency"].map((kind) => element("option", { value: kind }, t(`kind.${kind}`))));
  $("history-kind").onchange = safely(showHistory);
  $("history-more").onclick = safely(async () => {
    const older = await page(cursor);
    $("jobs").append(...older);
    if (older.length) focusOn(older[0].querySelector("button"));
  });
  const show = inBackground(showHistory);
  whenNear($("history"), show);
  on("jobs", show);
}
