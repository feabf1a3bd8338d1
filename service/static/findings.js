// What the network says of a photograph, in the way of its task: a list of what can be explained.
import { form, json, query } from "./api.js";
import { sampleOf, SAMPLES } from "./photograph.js";
import { taskOf, view } from "./state.js";

const MOST_NUMBERS = 50;

const asked = (path, files) => json(`${path}?${query({ model: view.model })}`, { method: "POST", body: form(files) });

async function classes(photo) {
  const { meta, data: [{ predictions }] } = await asked("/classify", { image: photo.file });
  return { list: predictions, meta };
}

async function objects(photo) {
  const { meta, data: [{ objects: found }] } = await asked("/predict", { image: photo.file });
  return { list: found.map(({ name, probability, score, class_id: tint, box }, k) => ({ target: `detection:${k}`, name, probability, score, tint, box })), meta };
}

const NOTHING = /^_*(background|void|unlabell?ed|nothing|other)_*$/i; // what is left over comes last

async function regions(photo) {
  const { meta, data: [{ mask }] } = await asked("/predict", { image: photo.file });
  const list = mask.classes.map(({ class_id: id, name, share }) => ({ target: `region:${id}`, name, probability: share, tint: id }));
  return { list: list.sort((a, b) => NOTHING.test(a.name) - NOTHING.test(b.name)), mask, meta };
}

async function numbers(photo) {
  const [{ meta, data: [{ values }] }, named] = await Promise.all([asked("/predict", { image: photo.file }), json(`/models/${view.model}/classes`)]);
  return { list: named.slice(0, MOST_NUMBERS).map((one) => ({ ...one, probability: null, score: values[one.name] })), meta };
}

const length = (vector) => Math.hypot(...vector);
const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0) / (length(a) * length(b) || 1);

// How similar the samples are to it.
async function similarities(photo) {
  const samples = await Promise.all(SAMPLES.filter((name) => name !== photo.sample).map((name) => sampleOf(name)));
  const { meta, data: [own, ...others] } = await asked("/predict", { image: [photo, ...samples].map((each) => each.file) });
  const list = others.map(({ vector }, k) => ({ target: "similarity", other: samples[k].sample, probability: null, score: cosine(own.vector, vector) }));
  return { list: list.sort((a, b) => b.score - a.score), meta };
}

const READERS = { detection: objects, segmentation: regions, regression: numbers, embedding: similarities };

/** What the network says: `{ list, mask, meta }`. Each of the list has `class_id` or `target`, a `name`, and how much: `probability` or `score`. */
export const findingsOf = (photo) => (READERS[taskOf()] ?? classes)(photo);

/** Whether two subjects are the same. */
export const same = (one, other) => Boolean(one && other) && one.class_id === other.class_id && one.target === other.target && one.other === other.other;

/** The part of a finding that names what is explained. */
export const subjectOf = ({ class_id, target, other }) => (target ? { target, other } : { class_id });

/** Whether one can be set against the other: their difference is a target. */
export const comparable = (one, other) => !same(one, other) && kindOf(one) === kindOf(other) && !["similarity", "log_odds", "match"].includes(kindOf(one));

// Terms of a sum are of one kind.
const kindOf = ({ target }) => (target === undefined ? "class" : target.replace(/^((?:output|layer):[^[]*|\w+).*?(\.\w+)?$/, "$1$2"));
