// All that the page says, in the language of whoever reads it. `t` finds a text, `fill` puts texts into elements that ask for them.

/** The languages with the names of their files and what they call themselves. */
export const LANGUAGES = { en: { file: "english.js", name: "English" }, "zh-Hans": { file: "chinese.js", name: "中文" } };

const CHOSEN = "convlens-language"; // where a choice is kept

function chosen() {
  try {
    return localStorage.getItem(CHOSEN);
  } catch {
    return null; // where a browser keeps nothing
  }
}

/** The language of the page: the chosen one, else the first of the reader's that there is. */
export const language = [chosen(), ...navigator.languages.map((tag) => (tag.startsWith("zh") ? "zh-Hans" : tag.split("-")[0]))].find((name) => name in LANGUAGES) ?? "en";

const { default: texts } = await import(`./${LANGUAGES[language].file}`);

/** Show the page in another language. */
export function speak(name) {
  try {
    localStorage.setItem(CHOSEN, name);
  } finally {
    location.reload();
  }
}

/** The text of that name, with values in its braces. */
export function t(name, values = {}) {
  const text = texts[name] ?? name;
  return typeof text === "string" ? text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "") : text;
}

export const has = (name) => name in texts;

/** Texts for elements with `data-t="name"`, and attributes for those with `data-t-for="attribute:name;…"`. */
export function fill(root = document) {
  root.querySelectorAll("[data-t]").forEach((found) => { found.textContent = t(found.dataset.t); });
  root.querySelectorAll("[data-t-for]").forEach((found) => {
    for (const pair of found.dataset.tFor.split(";")) {
      const [attribute, name] = pair.split(":");
      found.setAttribute(attribute, t(name));
    }
  });
  document.documentElement.lang = language;
  document.title = t("title");
}
