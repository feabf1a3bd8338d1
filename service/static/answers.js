// What the service says of a photograph: raw maps and feature maps, which are kept for a while.
import { ask, form, query } from "./api.js";
import { readMap, readStack } from "./maps.js";
import { sampleOf } from "./photograph.js";
import { question, view } from "./state.js";

const KEPT = 48; // maps in memory, 200 KB each
const KEPT_STACKS = 14; // feature maps of a layer, 3 MB each at most
const maps = new Map();
let giveUp = new AbortController();

/** Give up what is still being computed: something newer was asked for. */
export function giveUpOthers() {
  giveUp.abort();
  giveUp = new AbortController();
}

/** The files that a question about a subject needs. */
export const filesOf = async (photo, subject) => ({ image: photo.file, ...(subject?.other ? { other: (await sampleOf(subject.other)).file } : {}) });

/** Ask for the map of a photograph. more: further parameters, such as how it is to be drawn. */
export async function askMap(photo, accept, { subject = view.subject, rival = view.rival, more = {}, signal = undefined } = {}) {
  const body = form(await filesOf(photo, subject));
  return ask(`/saliency?${query({ ...question(subject, rival), ...more })}`, { method: "POST", body, headers: { Accept: accept }, signal });
}

async function fetchMap(photo, subject, rival) {
  const response = await askMap(photo, "application/x-npy", { subject, rival, signal: giveUp.signal });
  const told = response.headers;
  return {
    ...readMap(await response.arrayBuffer()),
    classId: told.has("Convlens-Class-Id") ? Number(told.get("Convlens-Class-Id")) : null,
    probability: told.has("Convlens-Probability") ? Number(told.get("Convlens-Probability")) : undefined,
    empty: told.get("Convlens-Zero-Gradient") === "true",
    warning: told.get("Convlens-Warning"),
  };
}

const keyOf = (photo, subject, rival) => JSON.stringify([photo.key, query(question(subject, rival)), subject?.other]);

function keep(key, answer) {
  maps.set(key, answer);
  answer.then((map) => { answer.map = map; }, () => maps.delete(key));
  for (const old of [...maps.keys()].slice(0, Math.max(0, maps.size - KEPT))) maps.delete(old);
}

/** The raw map of a photograph for a subject, from memory if it was asked for before. */
export function mapOf(photo, subject = view.subject, rival = view.rival) {
  const key = keyOf(photo, subject, rival);
  if (!maps.has(key)) {
    const answer = fetchMap(photo, subject, rival);
    keep(key, answer);
    if (subject === null) answer.then((map) => keep(keyOf(photo, { class_id: map.classId }, rival), answer), () => {});
  }
  return maps.get(key);
}

/** The map, if it has already arrived. */
export const arrived = (photo, subject, rival = null) => maps.get(keyOf(photo, subject, rival))?.map ?? null;

/** Keep a map that came another way, as the answer to the question that is asked now. */
export const adopt = (photo, map) => keep(keyOf(photo, view.subject, view.rival), Promise.resolve(map));

const stacks = new Map();

async function fetchStack(photo, layer) {
  const headers = { Accept: "application/x-npy" };
  const response = await ask(`/activations?${query({ model: view.model, layer })}`, { method: "POST", body: form({ image: photo.file }), headers });
  return readStack(await response.arrayBuffer());
}

/** The feature maps of a layer on a photograph, from memory if they were asked for lately. */
export function stackOf(photo, layer) {
  const key = JSON.stringify([photo.key, view.model, layer]);
  if (!stacks.has(key)) {
    const answer = fetchStack(photo, layer);
    stacks.set(key, answer);
    answer.catch(() => stacks.delete(key));
    if (stacks.size > KEPT_STACKS) stacks.delete(stacks.keys().next().value);
  }
  return stacks.get(key);
}
