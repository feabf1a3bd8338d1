// The list of what the network says, beside the picture.
import { $, element, safely, share } from "./dom.js";
import { comparable, same } from "./findings.js";
import { replace } from "./focus.js";
import { colourOf, markPlaces } from "./places.js";
import { offers, taskOf, view } from "./state.js";
import { has, t } from "./strings.js";

const IMAGENET = 1000; // classes

/** A text in the words of the task: `name.task` if there is one, else `name`. */
export const inTask = (name, values) => t(has(`${name}.${taskOf()}`) ? `${name}.${taskOf()}` : name, values);

/** How sure the network is of a finding; nothing where that is not known. */
export const shareOf = (one) => (one.probability === undefined ? "" : share(one));

/**
 * Show the list. chosen: what is explained. rival: what it is set against. choose(one, asSecond): explain it.
 * point(one): show its map while it is pointed at; null when it no longer is.
 */
export function listFindings(list, { chosen, rival, choose, point }) {
  const largest = Math.max(...list.map((one) => Math.abs(one.score ?? 0)), 1e-9);
  $("top-title").textContent = inTask("topTitle");
  $("top-hint").textContent = list.length ? inTask("topHint") : inTask("nothing");
  replace($("top"), ...list.map((one) => {
    const bar = element("span", { className: "bar" });
    bar.style.setProperty("--share", one.probability ?? Math.max(one.score ?? 0, 0) / largest);
    const button = element("button", { type: "button", className: "class", attributes: { "aria-pressed": String(one === chosen) } },
      one.tint === undefined ? null : tint(one.tint), element("span", { className: "name" }, one.name), element("span", {}, shareOf(one)), bar);
    button.onclick = safely((event) => choose(one, event.shiftKey || event.ctrlKey || event.metaKey));
    button.onpointerenter = button.onfocus = () => { point(one); markPlaces(chosen, one); };
    button.onpointerleave = button.onblur = () => { point(null); markPlaces(chosen); };
    return element("li", {}, button, versus(one, chosen, rival, choose));
  }));
  $("any-class").placeholder = offers.models.find((model) => model.name === view.model).classes === IMAGENET ? t("anyClassHint") : "";
  markPlaces(chosen);
  offerSides(chosen, choose);
}

function tint(number) {
  const patch = element("span", { className: "tint", attributes: { "aria-hidden": "true" } });
  patch.style.setProperty("--tint", colourOf(number));
  return patch;
}

function versus(one, chosen, rival, choose) {
  const label = one === chosen ? t("versusSelf", { name: one.name }) : t("versusLabel", { name: chosen.name, other: one.name });
  const button = element("button", { type: "button", className: "versus", disabled: !comparable(one, chosen), title: label,
    attributes: { "aria-label": label, "aria-pressed": String(same(one, rival)) } }, t("versus"));
  button.onclick = safely(() => choose(one, true));
  return button;
}

const SIDES = ["left", "right", "upper", "lower"];

// What moves the sides of a box that is chosen.
function offerSides(chosen, choose) {
  const rank = chosen?.target?.match(/^detection:\d+/)?.[0];
  $("sides").hidden = !rank;
  if (!rank) return;
  const box = chosen.box ? chosen : { ...chosen, name: chosen.of };
  replace($("sides"), t("sides"), ...SIDES.map((side) => {
    const target = `${rank}.${side}`;
    const button = element("button", { type: "button", attributes: { "aria-pressed": String(target === chosen.target) } }, t(`side.${side}`));
    button.onclick = safely(() => choose({ target, name: t("sideOf", { name: box.name, side: t(`side.${side}`) }), of: box.name }));
    return button;
  }));
}
