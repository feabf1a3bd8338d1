// Fields of a form from a JSON schema.
import { element } from "./dom.js";
import { has, language, t } from "./strings.js";

const kindOf = (schema) => (schema.anyOf ?? [schema]).find((one) => one.type !== "null") ?? schema;

// "learning_rate" is "learning rate" unless there is a better word.
export const worded = (name) => (has(`field.${name}`) ? t(`field.${name}`) : name.replaceAll("_", " "));

// What it means: of a method or kind in particular, or of all that have it.
const aboutOf = (owner, name) => [`about.${owner}.${name}`, `about.${name}`].find(has);

/** Explain a control by what the service says of its parameter, or by the words that the page has for it. */
export function explain(control, owner, name, { description = "" }) {
  const known = aboutOf(owner, name);
  control.title = known ? t(known) : description;
  control.lang = known ? language : "en";
}

/**
 * A labelled field for a parameter; empty means the default. owner: the method or kind that takes it.
 * choices: values to choose from that no schema knows, such as layers.
 */
export function field(name, schema, { owner, choices = null, value = undefined }) {
  const kind = kindOf(schema);
  const options = choices ?? kind.enum;
  const usual = schema.default ?? null;
  let control;
  if (options) {
    const none = usual === null ? [element("option", { value: "" }, t("usual"))] : [];
    control = element("select", {}, ...none, ...options.map((option) => element("option", { value: option, selected: option === (value ?? usual) }, String(option))));
  } else if (kind.type === "integer" || kind.type === "number") {
    const low = kind.minimum ?? kind.exclusiveMinimum, high = kind.maximum ?? kind.exclusiveMaximum;
    control = element("input", { type: "number", placeholder: usual === null ? t("usual") : String(usual) });
    control.step = kind.type === "integer" ? "1" : "any";
    if (low !== undefined) control.min = low;
    if (high !== undefined && high < 1e9) control.max = high;
  } else {
    control = element("input", { type: "text", placeholder: Array.isArray(usual) ? usual.join(",") : usual ?? t("usual") });
  }
  if (!options && value !== undefined && value !== null) control.value = value;
  control.name = name;
  explain(control, owner, name, schema);
  control.dataset.usual = Array.isArray(usual) ? usual.join(",") : usual ?? "";
  return element("label", {}, worded(name), control);
}

/** What was filled in, by name; defaults and what is empty are left out. */
export function filledIn(root) {
  const controls = [...root.querySelectorAll("[name]")];
  return Object.fromEntries(controls.filter((c) => c.value !== "" && c.value !== c.dataset.usual).map((c) => [c.name, c.value]));
}
