// Raw maps: read, smoothed, scaled and coloured as the service does it.
import { readNpy } from "./client/npy.js";
import { palette } from "./palettes.js";

const PERCENTILE = 0.995; // what is hotter has the hottest colour
const TRUNCATE = 4; // sigmas after which a Gaussian ends

/** One map: `{ values, width, height }`. */
export function readMap(buffer) {
  const { values, shape: [height, width] } = readNpy(buffer);
  return { values, width, height };
}

/** Feature maps: `{ maps, whole }`, one map for each channel, and all of them below each other. */
export function readStack(buffer) {
  const { values, shape: [channels, height, width] } = readNpy(buffer);
  const maps = Array.from({ length: channels }, (_, i) => ({ values: values.subarray(i * height * width, (i + 1) * height * width), width, height }));
  return { maps, whole: { values, width, height: channels * height } };
}

export const meanOf = (map) => map.values.reduce((sum, value) => sum + value, 0) / map.values.length;

/** The largest value and its place: shares of width and height. */
export function argmax({ values, width, height }) {
  const at = values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
  return { value: values[at], across: ((at % width) + 0.5) / width, down: (Math.floor(at / width) + 0.5) / height, columns: width };
}

/** The values that are shown, none of them negative. */
export function signed(map, sign) {
  const part = { absolute: Math.abs, positive: (v) => Math.max(v, 0), negative: (v) => Math.max(-v, 0) }[sign];
  return { ...map, values: map.values.map(part) };
}

function gaussian(sigma) {
  const radius = Math.floor(TRUNCATE * sigma + 0.5);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-0.5 * ((i - radius) / sigma) ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

// One axis: `count` lines of `length` values, `step` apart; at the edges the values are mirrored.
function smoothAxis(values, weights, count, length, lineStep, step) {
  const made = new Float32Array(values.length);
  const radius = (weights.length - 1) / 2;
  const period = 2 * length;
  for (let line = 0; line < count; line++) {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -radius; k <= radius; k++) {
        let j = i + k;
        if (j < 0 || j >= length) {
          j = ((j % period) + period) % period;
          if (j >= length) j = period - 1 - j;
        }
        sum += weights[k + radius] * values[line * lineStep + j * step];
      }
      made[line * lineStep + i * step] = sum;
    }
  }
  return made;
}

/** The map smoothed by a Gaussian; sigma in its pixels. */
export function smoothed(map, sigma) {
  if (!sigma) return map;
  const { width, height } = map;
  const weights = gaussian(sigma);
  const across = smoothAxis(map.values, weights, height, width, width, 1);
  return { ...map, values: smoothAxis(across, weights, width, height, 1, width) };
}

/** The value that gets the hottest colour: the 99.5th percentile, or the largest one. */
export function topOf(map) {
  const sorted = map.values.slice().sort();
  const place = PERCENTILE * (sorted.length - 1);
  const below = Math.floor(place);
  const top = sorted[below] + ((sorted[below + 1] ?? sorted[below]) - sorted[below]) * (place - below);
  return top > 0 ? top : sorted[sorted.length - 1];
}

/** Levels from 0 to 255. */
export function levels(map, top) {
  return Uint8ClampedArray.from(map.values, (value) => (top > 0 ? Math.floor(Math.min(value / top, 1) * 255 + 0.5) : 0));
}

/** Draw a map into a canvas. opacity: of the hottest pixels; null for a map that covers everything. */
export function paint(canvas, map, top, colormap, opacity) {
  const colours = palette(colormap);
  const alpha = Uint8ClampedArray.from({ length: 256 }, (_, i) => (opacity === null ? 255 : Math.sqrt(i / 255) * opacity * 255));
  const image = new ImageData(map.width, map.height);
  levels(map, top).forEach((level, i) => {
    image.data.set([colours[3 * level], colours[3 * level + 1], colours[3 * level + 2], alpha[level]], 4 * i);
  });
  Object.assign(canvas, { width: map.width, height: map.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Draw a colour bar, coldest on the left. */
export function paintBar(canvas, colormap) {
  const values = Float32Array.from({ length: 256 }, (_, i) => i);
  paint(canvas, { values, width: 256, height: 1 }, 255, colormap, null);
}
