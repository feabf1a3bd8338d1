// Boxes and regions on the picture, which can be clicked.
import { $, element, safely, share } from "./dom.js";
import { t } from "./strings.js";

// The colours in which the service draws classes.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#8f5bd6", "#9acd32", "#e8384f", "#40e0d0", "#a5703a"];
const OPACITY = 0.6, FAINT = 0.15;
const MARGIN = 3; // between the divide and a place, in percent of the width
const FEW = 12; // boxes whose names find room
let mask = null; // { levels, width, height, box }: the class of each place
let photo = null;
let chooseRegion = () => {};

export const colourOf = (tint) => COLOURS[tint % COLOURS.length];

const percent = (part) => `${100 * part}%`;

// Lay something over a part of the photograph.
function lay(over, [left, upper, right, lower]) {
  const sides = { left: left / photo.width, top: upper / photo.height, width: (right - left) / photo.width, height: (lower - upper) / photo.height };
  for (const [side, part] of Object.entries(sides)) over.style.setProperty(side, percent(part));
}

const area = ({ box: [left, upper, right, lower] }) => (right - left) * (lower - upper);

function boxes(list, choose) {
  const found = list.filter((one) => one.box).sort((a, b) => area(b) - area(a)); // small ones lie over large ones
  $("boxes").classList.toggle("few", found.length <= FEW);
  $("boxes").replaceChildren(...found.map((one) => {
    const button = element("button", { type: "button", attributes: { "aria-label": t("explainBox", { name: one.name, share: share(one) }), "data-target": one.target } },
      element("span", { attributes: { "aria-hidden": "true" } }, one.name));
    button.style.setProperty("--tint", colourOf(one.tint));
    lay(button, one.box);
    button.onclick = safely((event) => choose(one, event.shiftKey || event.ctrlKey || event.metaKey));
    return button;
  }));
}

// The class of each place, from a grey picture.
async function levelsOf(png, width, height) {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas.drawImage(image, 0, 0);
  return canvas.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 === 0);
}

const NOWHERE = 255; // of no class

function paintMask(only = null) {
  const image = new ImageData(mask.width, mask.height);
  mask.levels.forEach((level, i) => {
    if (level === NOWHERE) return;
    const colour = parseInt(colourOf(level).slice(1), 16);
    image.data.set([colour >> 16, (colour >> 8) & 255, colour & 255, 255 * (only === null || only === level ? OPACITY : FAINT)], 4 * i);
  });
  Object.assign($("mask"), { width: mask.width, height: mask.height });
  $("mask").getContext("2d").putImageData(image, 0, 0);
}

/** Draw what a list of findings has of boxes, and the regions of a mask. What is clicked goes to `choose`. */
export async function showPlaces(shown, { list, mask: found }, choose) {
  photo = shown;
  mask = null;
  const drawable = photo.shown;
  boxes(drawable ? list : [], choose);
  $("mask").hidden = !(found && drawable);
  $("stage").classList.toggle("places", drawable && (Boolean(found) || list.some((one) => one.box)));
  if (!found || !drawable) return;
  const levels = await levelsOf(found.png, found.width, found.height);
  if (photo !== shown) return;
  mask = { ...found, levels };
  chooseRegion = (level, asSecond) => choose(list.find((one) => one.tint === level), asSecond);
  lay($("mask"), found.box);
  paintMask();
}

/** Show which of the places are chosen, and make one of them stand out; none if it is null. */
export function markPlaces(chosen, pointed = null) {
  for (const button of $("boxes").children) {
    button.setAttribute("aria-pressed", String(button.dataset.target === chosen?.target));
    button.classList.toggle("pointed", button.dataset.target === pointed?.target);
  }
  if (mask) paintMask(pointed?.tint ?? null);
}

// Where a place begins and where its middle is, from the left, as shares of the photograph.
function extent({ box, tint }) {
  if (box) return { begin: box[0] / photo.width, middle: (box[0] + box[2]) / 2 / photo.width };
  const columns = [];
  mask.levels.forEach((level, i) => { if (level === tint) columns.push(i % mask.width); });
  const [left, , right] = mask.box, at = (column) => (left + (column / mask.width) * (right - left)) / photo.width;
  return { begin: at(columns.reduce((a, b) => Math.min(a, b))), middle: at(columns.reduce((a, b) => a + b) / columns.length) };
}

/** Move the divide if it hides the map of a place. */
export function reveal(one) {
  if (!photo?.shown || !(one?.box || (mask && one?.tint !== undefined))) return;
  const { begin, middle } = extent(one);
  if (100 * middle >= $("divide").value) return;
  $("divide").value = 100 * begin - MARGIN;
  $("divide").dispatchEvent(new Event("input"));
}

function levelAt(event) {
  const { left, top, width, height } = $("mask").getBoundingClientRect();
  const across = (event.clientX - left) / width, down = (event.clientY - top) / height;
  if (across < 0 || across >= 1 || down < 0 || down >= 1) return NOWHERE;
  return mask.levels[Math.floor(down * mask.height) * mask.width + Math.floor(across * mask.width)];
}

/** Make regions clickable. */
export function openPlaces() {
  $("stage").addEventListener("click", safely((event) => {
    const level = mask && event.target !== $("divide") ? levelAt(event) : NOWHERE;
    return level === NOWHERE ? undefined : chooseRegion(level, event.shiftKey || event.ctrlKey || event.metaKey);
  }));
}
