// <convlens-saliency src="cat.jpg">: a photograph, and over it the pixels that a class depends on, as a service of convlens sees them.
import { Client, Unreachable } from "./convlens.js";

const NAME = "convlens-saliency";
const TEXTS = {
  alt: (photograph, name) => `${photograph}; highlighted is what speaks for ${name}`,
  photograph: "Photograph",
  show: "Show the photograph alone",
  choose: "Photograph to explain",
  classes: "Explain the class",
  busy: "Explaining…",
  nothing: "No photograph yet.",
  refused: (status) => `The photograph cannot be loaded: status ${status}.`,
  blocked: "The photograph cannot be loaded; pages elsewhere must let this one read it.",
  away: (message) => `${message}, or does not let this page ask (CONVLENS_CORS_ORIGINS).`,
};
const STYLE = `
:host { display: inline-block; max-width: 100%; }
:host([hidden]), [hidden] { display: none !important; }
figure { margin: 0; }
.picture { position: relative; width: fit-content; max-width: 100%; }
img { display: block; max-width: 100%; height: auto; }
img:not([hidden]) + img { position: absolute; inset: 0; width: 100%; height: 100%; }
[aria-busy=true] img { opacity: .6; }
ul { display: flex; flex-wrap: wrap; gap: .4em; margin: .5em 0 0; padding: 0; list-style: none; }
button { font: inherit; color: inherit; background: none; border: 1px solid; border-radius: .3em; padding: .3em .6em; cursor: pointer; }
button[aria-pressed=true] { background: CanvasText; color: Canvas; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
p { margin: .5em 0 0; }`;

const percent = (share) => (share === null || share === undefined ? "" : ` ${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

function element(name, properties = {}, ...children) {
  const { attributes = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Asks again whenever an attribute changes. Fires "convlens-explained" with the answer, and "convlens-error" with the error. */
export class ConvlensSaliency extends HTMLElement {
  static observedAttributes = ["src", "file", "alt", "server", "api-key", "model", "method", "class-id", "target", "opacity", "colormap"];

  #file = null;
  #asked = null; // ends what was asked before
  #planned = false;
  #loaded = {}; // the photograph and where it came from
  #photo = element("img", { hidden: true, attributes: { part: "photograph" } });
  #map = element("img", { hidden: true, attributes: { part: "map" } });
  #alone = element("button", { type: "button", hidden: true, onclick: () => this.#toggle(), attributes: { "aria-pressed": "false", part: "button" } }, TEXTS.show);
  #classes = element("ul", { attributes: { "aria-label": TEXTS.classes, part: "classes" } });
  #input = element("input", { type: "file", accept: "image/*", onchange: () => this.#choose(), attributes: { "aria-label": TEXTS.choose, part: "input" } });
  #said = element("p", { attributes: { role: "status", part: "message" } });
  #figure = element("figure", {}, element("div", { className: "picture", attributes: { part: "picture" } }, this.#photo, this.#map),
    element("figcaption", {}, this.#classes, element("p", {}, this.#alone), element("p", {}, this.#input), this.#said));

  constructor() {
    super();
    const sheet = new CSSStyleSheet(); // unlike a <style> it needs no leave of a content security policy
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#figure);
  }

  /** A photograph of the visitor, instead of `src`. */
  get file() { return this.#file; }
  set file(file) {
    this.#file = file;
    this.#plan();
  }

  #choose() {
    this.removeAttribute("class-id"); // it was of another photograph
    this.file = this.#input.files[0] ?? null;
  }

  connectedCallback() { this.#plan(); }

  disconnectedCallback() {
    this.#asked?.abort();
    queueMicrotask(() => { if (!this.isConnected) this.#clear(); }); // it may only have been moved
  }

  attributeChangedCallback(_, before, after) { if (before !== after) this.#plan(); }

  // Several changes at once make one request.
  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      if (this.isConnected) this.#show();
    });
  }

  async #show() {
    this.#asked?.abort();
    const { signal } = this.#asked = new AbortController();
    this.#input.parentNode.hidden = !this.hasAttribute("file");
    try {
      this.#tell(TEXTS.busy, true);
      const photograph = await this.#photograph(signal);
      if (!photograph) return this.#tell(TEXTS.nothing);
      const answer = await this.#ask(photograph, signal);
      if (signal.aborted) return undefined;
      this.#explain(answer);
      this.#tell("");
      this.#fire("convlens-explained", answer);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#clear();
      this.#tell(error instanceof Unreachable ? TEXTS.away(error.message) : error.message);
      this.#fire("convlens-error", error);
    }
    return undefined;
  }

  // The photograph, loaded once.
  async #photograph(signal) {
    const from = this.#file ?? this.getAttribute("src");
    if (this.#loaded.from !== from) {
      this.#clear();
      const blob = from instanceof Blob || !from ? from : await load(from, signal);
      signal.throwIfAborted();
      this.#loaded = { from, blob };
      if (blob) await this.#draw(blob);
    }
    return this.#loaded.blob;
  }

  #ask(image, signal) {
    const given = (name) => this.getAttribute(name) ?? undefined;
    const client = new Client({ server: given("server"), apiKey: given("api-key") });
    const question = { model: given("model"), method: given("method"), class_id: given("class-id"), target: given("target") };
    return client.explainPhotographs({ image, ...question, opacity: given("opacity"), colormap: given("colormap"), output: "overlay" }, { signal });
  }

  // Some formats are drawn by the service only.
  async #draw(photograph) {
    this.#photo.alt = this.getAttribute("alt") ?? TEXTS.photograph;
    await set(this.#photo, photograph);
    this.#photo.hidden = this.#photo.naturalWidth === 0;
  }

  #explain({ data: [{ predictions, explained, heatmap }] }) {
    const name = explained.target ?? explained.name;
    const photograph = this.getAttribute("alt") ?? TEXTS.photograph;
    this.#map.alt = TEXTS.alt(photograph, name);
    set(this.#map, new Blob([bytesOf(heatmap.png)], { type: "image/png" }));
    const others = explained.class_id === null || predictions.some((one) => one.class_id === explained.class_id) ? [] : [explained];
    this.#list([...predictions, ...others], explained.class_id);
    this.#toggle(false);
  }

  // The buttons stay where they are as long as they stand for the same classes, so that the focus stays too.
  #list(classes, chosen) {
    const ids = classes.map((one) => String(one.class_id));
    const buttons = [...this.#classes.querySelectorAll("button")];
    if (buttons.map((one) => one.value).join() !== ids.join()) {
      this.#classes.replaceChildren(...classes.map((one) => element("li", {}, element("button", {
        type: "button", value: one.class_id, onclick: () => this.setAttribute("class-id", one.class_id), attributes: { part: "class" },
      }, `${one.name}${percent(one.probability)}`))));
    }
    for (const button of this.#classes.querySelectorAll("button")) button.setAttribute("aria-pressed", button.value === String(chosen));
  }

  // The photograph alone, or with its map.
  #toggle(alone = this.#alone.getAttribute("aria-pressed") !== "true") {
    this.#alone.setAttribute("aria-pressed", alone);
    this.#alone.hidden = this.#photo.hidden;
    this.#map.hidden = alone;
    this.#photo.setAttribute("aria-hidden", !alone); // it lies under its map
  }

  #clear() {
    for (const image of [this.#photo, this.#map]) {
      URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
      image.hidden = true;
    }
    this.#alone.hidden = true;
    this.#classes.replaceChildren();
    this.#loaded = {};
  }

  #tell(text, isBusy = false) {
    this.#said.textContent = text;
    this.#figure.setAttribute("aria-busy", isBusy);
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

async function set(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  await image.decode().catch(() => {});
}

async function load(src, signal) {
  const response = await fetch(new URL(src, document.baseURI), { signal }).catch((error) => {
    throw signal.aborted ? error : new Error(TEXTS.blocked, { cause: error });
  });
  if (!response.ok) throw new Error(TEXTS.refused(response.status));
  return response.blob();
}

if (!customElements.get(NAME)) customElements.define(NAME, ConvlensSaliency);
