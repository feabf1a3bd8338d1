// Where photographs come from: samples, files, the clipboard, the camera, dropped ones.
import { ask, at, Problem } from "./api.js";
import { $, element, safely } from "./dom.js";
import { t } from "./strings.js";

export const SAMPLES = ["cat", "coffee", "motorcycle", "photographer", "rocket", "astronaut"];
const addressOf = (name) => at(`/static/samples/${name}.jpg`);
const KEPT = 8; // pictures of one's own
const kept = new Map();
let number = 0;

/** A photograph ready to be sent and shown. Its size is unknown if the browser cannot show it. */
async function photograph(file, url, sample) {
  const image = new Image();
  image.src = url;
  const shown = await image.decode().then(() => true, () => false);
  const size = shown ? { width: image.naturalWidth, height: image.naturalHeight } : { width: 0, height: 0 };
  return { key: sample ?? `own ${++number}`, file, url, sample, shown, ...size };
}

/** One of the samples. */
export async function sampleOf(name) {
  const response = await ask(`/static/samples/${name}.jpg`);
  return photograph(new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" }), addressOf(name), name);
}

/** A file of one's own. The last ones are kept, so that one can come back to them. */
async function ownOf(file) {
  const made = await photograph(file, URL.createObjectURL(file), null);
  kept.set(made.key, made);
  if (kept.size > KEPT) {
    const [oldest] = kept.values();
    URL.revokeObjectURL(oldest.url);
    kept.delete(oldest.key);
  }
  return made;
}

/** One of one's own that was shown before, if it is still kept. */
export const keptPhoto = (key) => kept.get(key) ?? null;

// The first picture of several files, else the first of them: the service says what is wrong with it.
const firstPicture = (files) => [...files].find((file) => file.type.startsWith("image/") || file.type === "") ?? files[0];

const FLATTEST = 8, NARROWEST = 1 / 4; // that a picture is shown; others are stretched, so that one sees something

/** Width by height, as a photograph is shown. */
export const ratioOf = ({ width, height }) => Math.min(Math.max(width / height, NARROWEST), FLATTEST);

/** Offer all of them; what is chosen goes to `take`. */
export function offerPhotographs(take) {
  const own = safely(async (file) => file && take(await ownOf(file)));
  for (const id of ["file", "camera"]) {
    $(id).onchange = async () => { await own($(id).files[0]); $(id).value = ""; };
  }
  const given = safely(async (files) => {
    if (!files.length) throw new Problem(t("noPicture"));
    await take(await ownOf(firstPicture(files)));
  });
  document.addEventListener("paste", ({ clipboardData }) => clipboardData?.files.length && given(clipboardData.files));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.closest?.("input, textarea") && !event.dataTransfer.types.includes("Files")) return; // text for a field
      event.preventDefault();
      $("stage").classList.toggle("over", kind === "dragover");
      if (kind === "drop") given(event.dataTransfer.files);
    });
  }
  $("samples").replaceChildren(...SAMPLES.map((name) => {
    const thumbnail = element("img", { alt: "", width: 72, height: 54 });
    const button = element("button", { type: "button", attributes: { "aria-label": t(`sample.${name}`), "data-sample": name } }, thumbnail);
    button.onclick = safely(async () => take(await sampleOf(name)));
    return element("li", {}, button);
  }));
}

/** Load the pictures of the samples, which can wait until a first one is explained. */
export function showThumbnails() {
  for (const button of $("samples").querySelectorAll("button")) button.firstElementChild.src ||= addressOf(button.dataset.sample);
}

/** Mark the sample that is shown. */
export function markSample(photo) {
  for (const button of $("samples").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.sample === photo.sample));
  }
}
