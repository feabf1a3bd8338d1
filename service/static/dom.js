// Elements, and errors in words.
import { Problem } from "./api.js";
import { t } from "./strings.js";

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

function tell(error) {
  if (error.name === "AbortError") return; // given up for something newer
  $("error").textContent = error instanceof Problem ? error.message : t("broken", { message: error.message });
  $("error").lang = error instanceof Problem ? error.lang : "";
  $("error").hidden = false;
  $("error").scrollIntoView({ block: "nearest" });
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
    $("error").hidden = true;
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

/** Text of the service, which is in English and whose `names` stand between backticks. */
export const prose = (text) => element("span", { lang: "en" }, ...text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part)));

/** A probability in percent, or the score of a network whose scores are no probabilities. */
export function share({ probability, score }) {
  return probability === null ? Number(score).toPrecision(4) : `${(probability * 100).toFixed(1)} %`;
}

/** A number that is as long as it has to be. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}
