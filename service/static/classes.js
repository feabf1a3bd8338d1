// Classes by name.
import { json, Problem, query } from "./api.js";
import { element, safely } from "./dom.js";
import { view } from "./state.js";
import { t } from "./strings.js";

/** The class of an id, undefined if there is none. */
export const classOf = async (id) => (await json(`/models/${view.model}/classes`)).find((each) => each.class_id === id);

/** The class that a text means: an id, a name or a part of one. */
export async function findClass(text) {
  const wanted = text.trim();
  const isId = /^\d+$/.test(wanted);
  const found = await json(`/models/${view.model}/classes?${query({ query: isId ? "" : wanted })}`);
  const matches = isId ? (one) => one.class_id === Number(wanted) : (one) => one.name.toLowerCase().split(",").some((part) => part.trim() === wanted.toLowerCase());
  const one = found.find((each) => each.name === wanted) ?? found.find(matches) ?? (isId ? undefined : found[0]);
  if (!one) throw new Problem(t("noClass", { text: wanted }));
  return one;
}

/** Suggest classes for a field while something is typed into it. separator: of several classes in one field. */
export function suggest(input, suggestions, separator = null) {
  input.oninput = safely(async () => {
    const cut = separator === null ? 0 : input.value.lastIndexOf(separator) + 1;
    const before = cut ? `${input.value.slice(0, cut)} ` : "";
    const found = await json(`/models/${view.model}/classes?${query({ query: input.value.slice(cut).trim() })}`);
    suggestions.replaceChildren(...found.slice(0, 20).map((one) => element("option", { value: before + one.name })));
  });
}
