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

/** Run an action; what goes wrong is told in words. What was given up for something newer is no error. */
export function safely(action) {
  return async (...args) => {
    $("error").hidden = true;
    try {
      return await action(...args);
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      $("error").textContent = error instanceof Problem ? error.message : t("broken", { message: error.message });
      $("error").hidden = false;
      $("error").scrollIntoView({ block: "nearest" });
      return undefined;
    }
  };
}

/** Text of the service, whose `names` stand between backticks. */
export const prose = (text) => text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part));

/** A probability in percent, or the score of a network whose scores are no probabilities. */
export function share({ probability, score }) {
  return probability === null ? Number(score).toPrecision(4) : `${(probability * 100).toFixed(1)} %`;
}

/** A number that is as long as it has to be. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}
