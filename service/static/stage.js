// The picture with its map under a divide, the value under the cursor, the colour bar.
import { $, short } from "./dom.js";
import { levels, paint, paintBar, signed, smoothed, topOf } from "./maps.js";
import { ratioOf } from "./photograph.js";
import { chosenMethod, view } from "./state.js";
import { t } from "./strings.js";

let shown = null; // { raw, map, top }: what the canvas holds

/** Show a photograph, without a map. */
export function showPhotograph(photo) {
  const { stage, photo: image, grey } = { stage: $("stage"), photo: $("photo"), grey: $("grey") };
  if (photo.shown) {
    stage.style.setProperty("--ratio", ratioOf(photo));
    for (const one of [image, grey]) Object.assign(one, { src: photo.url, width: photo.width, height: photo.height });
  }
  for (const one of [image, grey]) one.hidden = !photo.shown;
  image.alt = t("photoAlt", { name: photo.file.name });
  $("cannot-show").hidden = photo.shown;
  clearMap();
}

/** Take the map away: it belongs to something else. */
export function clearMap() {
  shown = null;
  $("heat").hidden = true;
  $("download").hidden = $("download-raw").hidden = true;
}

// Smoothing takes a few milliseconds, so results are kept with the raw map.
const prepared = new WeakMap();

function prepare(raw) {
  const kept = prepared.get(raw);
  if (kept?.smoothing === view.smoothing) return kept;
  const map = smoothed(signed(raw, chosenMethod().sign), view.smoothing);
  const made = { smoothing: view.smoothing, map, top: topOf(map) };
  prepared.set(raw, made);
  return made;
}

/** Draw a raw map. others: raw maps that share its scale. */
export function showMap(raw, others = []) {
  const { map, top } = prepare(raw);
  const scale = Math.max(top, ...others.map((other) => prepare(other).top));
  shown = { raw, map, top: scale };
  paint($("heat"), map, scale, view.colormap, view.output === "heatmap" || !view.photo.shown ? null : view.opacity);
  $("heat").hidden = false;
  paintBar($("bar-colours"), view.colormap);
  $("bar-high").textContent = short(scale);
  $("bar-colours").setAttribute("aria-label", t("scale", { low: 0, high: short(scale) }));
  $("download").hidden = $("download-raw").hidden = false;
}

/** The level (0 to 255) that is drawn at a place; for tests. */
export const levelAt = (x, y) => levels(shown.map, shown.top)[y * shown.map.width + x];

function read(event) {
  const box = $("stage").getBoundingClientRect();
  const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
  if (!shown || across < 0 || across >= 1 || down < 0 || down >= 1) return;
  const { values, width, height } = shown.raw;
  const place = Math.floor(down * height) * width + Math.floor(across * width);
  const percent = Math.round(Math.min(shown.map.values[place] / (shown.top || 1), 1) * 100);
  $("readout").textContent = t("readout", { x: Math.floor(across * view.photo.width), y: Math.floor(down * view.photo.height), value: short(values[place]), percent });
}

function moveDivide() {
  $("stage").style.setProperty("--divide", `${$("divide").value}%`);
}

/** Make the divide move and the values readable. */
export function openStage() {
  $("divide").oninput = moveDivide;
  moveDivide();
  $("stage").addEventListener("pointermove", read);
  $("stage").addEventListener("pointerleave", () => { $("readout").textContent = t("readoutIdle"); });
  $("readout").textContent = t("readoutIdle");
}
