// What is looked at, and news of its changes.

/** How the page begins. */
export const USUAL = { method: "grad_cam", output: "overlay", colormap: "inferno", opacity: 0.9, smoothing: 1.5 };

/** Everything that decides what one sees of a photograph. */
export const view = {
  photo: null, // { key, file, sample, url, width, height, shown }
  model: "",
  values: {}, // of the parameters of the method; those that are absent have their defaults
  classId: null, // null for the predicted one
  otherId: null, // a class in contrast
  locked: false, // one scale for the maps of all classes
  ...USUAL, // method, output (or "heatmap"), colormap, opacity, smoothing
};

/** What the service offers. */
export const offers = { models: [], methods: new Map(), layers: [] };

const bus = new EventTarget();

/** Tell that something has changed: `photo`, `question` (method, class, …), `look` (colours), `model`, `layers`, `jobs`,
 * `watched` (a job, a layer, a channel). */
export const changed = (what) => bus.dispatchEvent(new Event(what));
export const on = (what, action) => bus.addEventListener(what, action);

/** The method that is chosen, as `GET /methods` describes it. */
export const chosenMethod = () => offers.methods.get(view.method);

/** The parameters of a question to the service. */
export function question(classId = view.classId, otherId = view.otherId) {
  return { model: view.model, method: view.method, class_id: classId, other_class_id: otherId, ...view.values };
}
