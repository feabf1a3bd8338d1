// What the service says of a photograph: its classes, and raw maps, which are kept for a while.
import { ask, form, json, query } from "./api.js";
import { readMap, readStack } from "./maps.js";
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

/** The most probable classes of a photograph. */
export async function classesOf(photo) {
  const answer = await json(`/classify?${query({ model: view.model })}`, { method: "POST", body: form({ image: photo.file }) });
  return answer.data[0].predictions;
}

async function fetchMap(photo, asked, signal) {
  const headers = { Accept: "application/x-npy" };
  const response = await ask(`/saliency?${query(asked)}`, { method: "POST", body: form({ image: photo.file }), headers, signal });
  const told = response.headers;
  return {
    ...readMap(await response.arrayBuffer()),
    classId: Number(told.get("Convlens-Class-Id")),
    probability: told.has("Convlens-Probability") ? Number(told.get("Convlens-Probability")) : null,
    empty: told.get("Convlens-Zero-Gradient") === "true",
    warning: told.get("Convlens-Warning"),
  };
}

const keyOf = (photo, asked) => JSON.stringify([photo.key, query(asked)]);

function keep(key, answer) {
  maps.set(key, answer);
  answer.then((map) => { answer.map = map; }, () => maps.delete(key));
  for (const old of [...maps.keys()].slice(0, Math.max(0, maps.size - KEPT))) maps.delete(old);
}

/** The raw map of a photograph for a class, from memory if it was asked for before. */
export function mapOf(photo, classId = view.classId, otherId = view.otherId) {
  const asked = question(classId, otherId);
  const key = keyOf(photo, asked);
  if (!maps.has(key)) {
    const answer = fetchMap(photo, asked, giveUp.signal);
    keep(key, answer);
    if (classId === null) answer.then((map) => keep(keyOf(photo, { ...asked, class_id: map.classId }), answer), () => {});
  }
  return maps.get(key);
}

/** The map, if it has already arrived. */
export const arrived = (photo, classId, otherId = null) => maps.get(keyOf(photo, question(classId, otherId)))?.map ?? null;

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
