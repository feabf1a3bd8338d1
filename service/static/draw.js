// A class is drawn, as a job that is watched.
import { ask, json } from "./api.js";
import { $, element, safely } from "./dom.js";
import { findClass, suggest } from "./explain.js";
import { view } from "./state.js";

let current = null, source = null;

async function draw() {
  const body = JSON.stringify({ class_id: (await findClass($("class").value)).class_id, preset: $("preset").value, model: view.model, preview_every: 5 });
  follow(await json("/visualize", { method: "POST", body, headers: { "Content-Type": "application/json" } }));
}

function follow(job) {
  source?.close();
  current = job;
  const scores = [];
  $("cancel").disabled = false;
  $("bar").hidden = false;
  $("bar").value = 0;
  $("links").replaceChildren();
  $("progress").textContent = `${job.class_name}: waiting for its turn …`;
  $("drawing").alt = `What the network believes ${job.class_name} looks like`;
  source = new EventSource(job.links.events);
  source.addEventListener("progress", (event) => {
    const { step, score, rank } = JSON.parse(event.data);
    scores.push([step, score]);
    $("bar").value = step / job.steps;
    $("progress").textContent = `${job.class_name}: step ${step} of ${job.steps}, score ${score.toFixed(1)}${rank ? `, rank ${rank}` : ""}`;
    plot(scores, job.steps);
  });
  source.addEventListener("preview", (event) => {
    $("drawing").src = `${job.links.self}/frames/${JSON.parse(event.data).step}`;
    $("drawing").hidden = false;
  });
  source.addEventListener("end", safely(async () => {
    source.close();
    await finish(job);
  }));
}

async function finish(job) {
  const ended = await json(job.links.self);
  $("cancel").disabled = true;
  $("bar").hidden = true;
  $("progress").textContent = `${ended.class_name}: ${ended.state}${ended.result ? `, the network sees ${ended.result.predicted_name}` : ""}${ended.problem ? `: ${ended.problem.detail}` : ""}`;
  if (ended.state !== "failed") {
    $("drawing").src = ended.links.image;
    $("drawing").hidden = false;
    $("links").replaceChildren(
      element("a", { href: ended.links.image, download: "drawing.png" }, "Download PNG"), " · ",
      element("a", { href: `${ended.links.animation}?format=webp` }, "Play its animation"),
    );
  }
  await recent();
}

function plot(scores, steps) {
  const values = scores.map(([, score]) => score);
  const low = Math.min(...values), high = Math.max(...values, low + 1e-6);
  const points = scores.map(([step, score]) => `${(step / steps) * 300},${115 - ((score - low) / (high - low)) * 110}`);
  $("curve").querySelector("polyline").setAttribute("points", points.join(" "));
  $("curve").removeAttribute("hidden");
}

export async function recent() {
  const { data } = await json("/visualize?limit=12&state=succeeded");
  $("jobs").replaceChildren(...data.map((job) => {
    const name = job.class_name ?? job.parameters.layer ?? job.kind;
    const image = element("img", { src: job.links.image, alt: `${job.kind}: ${name}`, loading: "lazy" });
    return element("li", {}, element("figure", {}, element("a", { href: job.links.image }, image), element("figcaption", {}, `${job.kind}: ${name}`)));
  }));
  if (data.length === 0) $("jobs").replaceChildren(element("li", {}, "None yet."));
}

/** Wire the form. */
export function openDraw() {
  $("preset").replaceChildren(...["cs231n", "lucid", "maco"].map((name) => element("option", {}, name)));
  suggest($("class"), $("classes"));
  $("draw-form").onsubmit = (event) => { event.preventDefault(); safely(draw)(); };
  $("cancel").onclick = safely(async () => { await ask(current.links.cancel, { method: "POST" }); });
}
