// Where in the samples a channel is most active.
import { stackOf } from "./answers.js";
import { element, short } from "./dom.js";
import { argmax } from "./maps.js";
import { sampleOf, SAMPLES } from "./photograph.js";
import { view } from "./state.js";
import { t } from "./strings.js";

const PLACES = 5; // of the layer that a patch is wide
const SMALLEST = 0.12, LARGEST = 0.6; // share of the picture
const SIDE = 112; // of a patch, in pixels

async function peakOf(photo, layer, channel) {
  const { maps } = await stackOf(photo, layer);
  return { photo, ...argmax(maps[channel]) };
}

async function patch({ photo, value, across, down, columns }) {
  const image = new Image();
  image.src = photo.url;
  await image.decode();
  const side = Math.min(LARGEST, Math.max(SMALLEST, PLACES / columns)) * Math.min(photo.width, photo.height);
  const fit = (centre, size) => Math.min(Math.max(centre * size - side / 2, 0), size - side);
  const canvas = element("canvas", { width: SIDE, height: SIDE, attributes: { role: "img", "aria-label": t("patchAlt", { name: photo.file.name, value: short(value) }) } });
  canvas.getContext("2d").drawImage(image, fit(across, photo.width), fit(down, photo.height), side, side, 0, 0, SIDE, SIDE);
  return element("li", {}, canvas, element("small", {}, `${photo.sample ? t(`sample.${photo.sample}`) : t("ownPicture")} ${short(value)}`));
}

/** Places of patches that are not known yet, so that nothing moves when they are. */
export const places = (count = SAMPLES.length) => Array.from({ length: count }, () => element("li", {}));

/** The patches of all samples, and of the picture that is shown, most active first; `show` gets those known so far. */
export async function patchesOf(layer, channel, show) {
  const photos = await Promise.all(SAMPLES.map((name) => sampleOf(name)));
  const peaks = [];
  const all = [...(view.photo.sample || !view.photo.shown ? [] : [view.photo]), ...photos];
  for (const photo of all) {
    peaks.push(await peakOf(photo, layer, channel));
    peaks.sort((a, b) => b.value - a.value);
    const known = await Promise.all(peaks.filter((peak) => peak.value > 0).map(patch));
    show([...known, ...places(all.length - peaks.length)]);
  }
}
