// How maps are drawn, and what can be taken away.
import { askMap } from "./answers.js";
import { COLORMAPS } from "./palettes.js";
import { $, element, safely } from "./dom.js";
import { changed, view } from "./state.js";

async function download(accept, name, more = {}) {
  const response = await askMap(view.photo, accept, { more });
  const url = URL.createObjectURL(await response.blob());
  element("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

/** How the service is to draw what the page shows. */
export const drawing = () => ({ output: view.output, colormap: view.colormap, opacity: view.opacity, smoothing: view.smoothing });

/** Put what is chosen into the fields. */
export function showLook() {
  for (const name of Object.keys(drawing())) $(name).value = view[name];
}

/** Wire the fields. */
export function openLook() {
  $("colormap").replaceChildren(...COLORMAPS.map((name) => element("option", { selected: name === view.colormap }, name)));
  const set = (id, name, value) => {
    $(id).oninput = $(id).onchange = () => { view[name] = value($(id)); changed("look"); };
  };
  set("colormap", "colormap", (control) => control.value);
  set("output", "output", (control) => control.value);
  set("opacity", "opacity", (control) => Number(control.value));
  set("smoothing", "smoothing", (control) => Number(control.value));
  $("download").onclick = safely(() => download("image/png", "saliency.png", drawing()));
  $("download-raw").onclick = safely(() => download("application/x-npy", "saliency.npy"));
}
