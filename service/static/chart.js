// The score of a job at each step, with axes; and the rank of its class on a scale of its own.
import { drawn, short } from "./dom.js";
import { t } from "./strings.js";

const WIDTH = 360, HEIGHT = 150, LEFT = 44, RIGHT = 40, TOP = 10, BOTTOM = 24;

const label = (x, y, anchor, text) => drawn("text", { x, y, "text-anchor": anchor }, text);

/** A drawing of points `{ step, score, rank }`; rank may be null. */
export function chart(points, steps) {
  const across = (step) => LEFT + (step / Math.max(steps, 1)) * (WIDTH - LEFT - RIGHT);
  const down = (share) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const scores = points.map((point) => point.score);
  const low = Math.min(...scores), high = Math.max(...scores, low + 1e-9);
  const worst = Math.max(...points.map((point) => point.rank ?? 1), 10);
  const line = (className, of, shares) => drawn("polyline", { class: className, points: of.map((p) => `${across(p.step).toFixed(1)},${down(shares(p)).toFixed(1)}`).join(" ") });
  const ranked = points.filter((point) => point.rank);
  const last = points.at(-1);
  const title = t("chart", { step: last.step, score: short(last.score), rank: last.rank ?? "–" });
  return drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": title },
    drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}${ranked.length ? `V${TOP}` : ""}` }),
    label(LEFT - 4, TOP + 8, "end", short(high)), label(LEFT - 4, HEIGHT - BOTTOM, "end", short(low)),
    label(LEFT, HEIGHT - 8, "start", "0"), label(WIDTH - RIGHT, HEIGHT - 8, "end", String(steps)),
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", t(ranked.length ? "axisRank" : "axisScore")),
    ...(ranked.length ? [
      label(WIDTH - RIGHT + 4, TOP + 8, "start", "1"), label(WIDTH - RIGHT + 4, HEIGHT - BOTTOM, "start", String(worst)),
      line("rank", ranked, (point) => 1 - Math.log(point.rank) / Math.log(worst)),
    ] : []),
    line("score", points, (point) => (point.score - low) / (high - low)));
}
