// What is looked at, and news of its changes.

/** How the page begins. */
export const USUAL = { method: "grad_cam", output: "overlay", colormap: "inferno", opacity: 0.9, smoothing: 1.5 };

/** Everything that decides what one sees of a photograph. */
export const view = {
  photo: null, // { key, file, sample, url, width, height, shown }
  model: "",
  values: {}, // of the parameters of the method; those that are absent have their defaults
  subject: null, // what is explained: { class_id }, or { target, other }; null for what the network says first
  rival: null, // what it is set against, of the same sort
  locked: false, // one scale for the maps of all subjects
  ...USUAL, // method, output (or "heatmap"), colormap, opacity, smoothing
};

/** What the service offers. */
export const offers = { models: [], methods: new Map(), layers: [] };

/** How fast networks were lately: what answers tell of how they were made, by name. */
export const speeds = new Map();

const bus = new EventTarget();

/** Tell that something has changed: `photo`, `question` (method, subject, …: it has its answer), `asking` (it has none yet), `costly` (a question that a request may not ask),
 * `look` (colours), `model`, `layers`, `jobs`, `watched` (a job, a layer, a channel). */
export const changed = (what) => bus.dispatchEvent(new Event(what));
export const on = (what, action) => bus.addEventListener(what, action);

/** The method that is chosen, as `GET /methods` describes it. */
export const chosenMethod = () => offers.methods.get(view.method);

/** What the network that is chosen tells, see `GET /models`. */
export const taskOf = () => offers.models.find((model) => model.name === view.model)?.task ?? "classification";

/** What is explained, and what it is set against, as parameters of a question. */
export function explaining(subject, rival = null) {
  if (!subject) return {};
  if (subject.target) return { target: rival ? `${subject.target} - ${rival.target}` : subject.target };
  return { class_id: subject.class_id, other_class_id: rival?.class_id };
}

/** The parameters of a question to the service. */
export function question(subject = view.subject, rival = view.rival) {
  return { model: view.model, method: view.method, ...explaining(subject, rival), ...view.values };
}
