// Elements, and errors in words.
import { Problem } from "./api.js";
import { focusOn } from "./focus.js";
import { has, language, t } from "./strings.js";

export const $ = (id) => document.getElementById(id);

/** A new element with properties, attributes (`aria` and `data` too, under `attributes`) and children. */
export function element(tag, { attributes = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** An element of a drawing. */
export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

let before = null; // what had the focus when something went wrong

function tell(error) {
  if (error.name === "AbortError") return; // given up for something newer
  $("error").textContent = error instanceof Problem ? error.message : t("broken", { message: error.message });
  $("error").lang = error instanceof Problem ? error.lang : "";
  $("alert").hidden = false;
  if (!$("alert").contains(document.activeElement)) before = document.activeElement;
  document.querySelector(":focus-visible")?.scrollIntoView({ block: "nearest" }); // not below what is told
}

function tellNoLonger() {
  if ($("alert").contains(document.activeElement)) focusOn(before?.isConnected ? before : $("main"), { preventScroll: true });
  $("alert").hidden = true;
}

/** Let what is told be closed. */
export function openAlert() {
  $("error-close").onclick = tellNoLonger;
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tellNoLonger(); });
}

/** An action that nobody asked for just now: what goes wrong is told in words. */
export function inBackground(action) {
  return async (...args) => {
    try {
      return await action(...args);
    } catch (error) {
      tell(error);
      return undefined;
    }
  };
}

/** An action that somebody asked for: what went wrong before is told no longer. */
export function safely(action) {
  const told = inBackground(action);
  return (...args) => {
    tellNoLonger();
    return told(...args);
  };
}

/** Do something once an element is near to be seen. */
export function whenNear(watched, action) {
  new IntersectionObserver(([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    action();
  }, { rootMargin: "300px" }).observe(watched);
}

const formatted = (text, lang) => element("span", { lang }, ...text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part)));

/** Text of the service, which is in English and whose `names` stand between backticks; or what the language of the page has under a name instead. */
export const prose = (english, name = "") => (has(name) ? formatted(t(name), language) : formatted(english, "en"));

/** A probability in percent, or the score of a network whose scores are no probabilities. */
export function share({ probability, score }) {
  return probability === null ? Number(score).toPrecision(4) : `${(probability * 100).toFixed(1)} %`;
}

/** A number that is as long as it has to be. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}
