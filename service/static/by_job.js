// What takes longer than a request may becomes a job, and its map is shown as if it were an answer.
import { ask, json } from "./api.js";
import { adopt, askMap } from "./answers.js";
import { $, safely } from "./dom.js";
import { explain } from "./explain.js";
import { readMap } from "./maps.js";
import { on, question, view } from "./state.js";
import { watch } from "./watch.js";

const WAIT = 30; // seconds that the service holds its answer back, at most
const stateOf = () => JSON.stringify([view.photo.key, question()]);

async function run() {
  const { photo } = view, asked = stateOf();
  const accepted = await (await askMap(photo, "application/json", { more: { mode: "job" } })).json();
  watch(accepted, $("by-job"));
  let job = accepted;
  while (["queued", "running"].includes(job.state)) job = await json(`${accepted.links.self}?wait=${WAIT}`);
  if (job.state !== "succeeded" || stateOf() !== asked) return;
  const map = readMap(await (await ask(job.links.artifacts["map.npy"])).arrayBuffer());
  adopt(photo, { ...map, classId: job.class_id, empty: map.values.every((value) => value === 0), warning: null });
  await explain();
}

/** Offer a job where the service asks for one. */
export function openByJob() {
  on("costly", () => { $("as-job").hidden = false; });
  on("asking", () => { $("as-job").hidden = true; });
  $("as-job").onclick = safely(run);
}
