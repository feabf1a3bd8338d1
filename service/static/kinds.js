// The kinds of jobs that draw: their pictures, their fields from the API's own description, and how a job is asked for.
import { at, form, json, Problem } from "./api.js";
import { findClass, suggest } from "./classes.js";
import { $, element, inBackground, safely, whenNear } from "./dom.js";
import { listedLayers } from "./methods.js";
import { SAMPLES, sampleOf } from "./photograph.js";
import { field, filledIn, worded } from "./schema.js";
import { offers, on, view } from "./state.js";
import { t } from "./strings.js";

export const KINDS = ["class", "neuron", "fooling", "inversion", "caricature", "deepdream", "style", "spritemap", "target"];
// What is asked for first, and what stands there for a beginner to press the button at once.
const FIRST = {
  class: ["class_id", "preset"], neuron: ["layer", "channel", "preset"], fooling: ["class_id"], inversion: ["layer"],
  caricature: ["layer"], deepdream: ["layer", "channel"], style: ["content_layer"], spritemap: ["layer", "first", "count"], target: ["target", "preset"],
};
const PROPOSED = { class: { class_id: "tarantula" }, neuron: { channel: 100 }, fooling: { class_id: "sports car" }, deepdream: {}, style: {}, spritemap: { count: 16, iterations: 50 } };
const LAYERS = ["layer", "content_layer"];
const NOT_ASKED = ["kind", "model", "image", "style_image", "preview_every"];
const PREVIEW_EVERY = 5, MOST_PREVIEWS = 200, LONGEST = 4096;
const SEVERAL = ";"; // names of classes have commas

let schemas = null; // by kind
let kind = "class";
let offered = null; // the network and the layers that the fields know

/** The parameters of a kind, by name, as the description of the API has them. */
export async function parametersOf(name) {
  if (!schemas) {
    const content = (await json("/openapi.json")).paths["/visualize"].post.requestBody.content;
    schemas = new Map(content["multipart/form-data"].schema.oneOf.map((one) => [one.properties.kind.const, one.properties]));
  }
  return schemas.get(name);
}

const takesPhotograph = (properties) => "image" in properties;

const layersOffered = () => [view.model, ...listedLayers()].join();

async function offerFields() {
  offered = layersOffered();
  const properties = await parametersOf(kind);
  const layers = listedLayers();
  const made = (name) => {
    const schema = properties[name];
    const proposed = name === "target" ? aNeuron() : PROPOSED[kind]?.[name];
    if (name === "class_id") return classField(proposed);
    if (LAYERS.includes(name)) return field(name, schema, { owner: kind, choices: layers, value: schema.default ?? view.layer ?? layers[Math.floor(layers.length / 2)] });
    return field(name, schema, { owner: kind, value: proposed });
  };
  const later = Object.keys(properties).filter((name) => !NOT_ASKED.includes(name) && !FIRST[kind].includes(name));
  $("make-first").replaceChildren(...FIRST[kind].map(made), ...("style_image" in properties ? [styleField()] : []));
  $("make-more").replaceChildren(...later.map(made));
  $("make-line").textContent = `${t(`kind.${kind}.line`)} ${takesPhotograph(properties) ? t("makeFromPhotograph") : ""}`;
}

// A neuron in the middle of a layer in the middle.
function aNeuron() {
  const layers = offers.layers.filter((layer) => layer.size && listedLayers().includes(layer.name));
  const layer = layers[Math.floor(layers.length / 2)];
  return layer && `layer:${layer.name}[0, ${layer.size.map((side) => Math.floor(side / 2)).join(", ")}]`;
}

function classField(value) {
  const input = element("input", { name: "class_id", value, required: true, autocomplete: "off", title: t("severalClasses") });
  input.setAttribute("list", "make-classes");
  suggest(input, $("make-classes"), kind === "class" ? SEVERAL : null);
  return element("label", {}, worded("class_id"), input);
}

function styleField() {
  const file = element("input", { type: "file", accept: "image/*", id: "style-file" });
  const sample = element("select", { id: "style-sample" }, ...SAMPLES.map((name) => element("option", { value: name, selected: name === "rocket" }, t(`sample.${name}`))));
  return element("div", { className: "controls" }, element("label", {}, t("styleSample"), sample), element("label", {}, t("styleOwn"), file));
}

/** Ask for a job. parameters: by name, texts. pictures: files by name, for kinds that need them. */
export async function submit(name, parameters, pictures) {
  const iterations = Number(parameters.iterations ?? 0);
  const asked = { kind: name, model: view.model, preview_every: Math.max(PREVIEW_EVERY, Math.ceil(Math.min(iterations, LONGEST) / MOST_PREVIEWS)), ...parameters };
  if (Object.keys(pictures).length > 0) return json("/visualize", { method: "POST", body: form(pictures, asked) });
  return json("/visualize", { method: "POST", body: JSON.stringify(asked), headers: { "Content-Type": "application/json" } });
}

async function classIds(text) {
  const wanted = kind === "class" ? text.split(SEVERAL).map((part) => part.trim()).filter(Boolean) : [text];
  const found = await Promise.all(wanted.map(findClass));
  return found.length === 1 ? found[0].class_id : found.map((one) => one.class_id);
}

/** What the form asks for. */
async function asked() {
  const properties = await parametersOf(kind);
  const parameters = filledIn($("make-form"));
  if (parameters.class_id) parameters.class_id = await classIds(parameters.class_id);
  const pictures = {};
  if (takesPhotograph(properties)) {
    if (!view.photo) throw new Problem(t("noPhotograph"));
    pictures.image = view.photo.file;
  }
  if ("style_image" in properties) pictures.style_image = $("style-file").files[0] ?? (await sampleOf($("style-sample").value)).file;
  return [kind, parameters, pictures];
}

// Choose a kind.
async function chooseKind(name) {
  kind = name;
  for (const button of $("kinds").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.kind === name));
  await offerFields();
}

/** Wire the form; jobs that are accepted go to `watch`. */
export function openKinds(watch) {
  $("kinds").replaceChildren(...KINDS.map((name) => {
    const picture = element("img", { alt: "", width: 200, height: 150 });
    const button = element("button", { type: "button", attributes: { "data-kind": name, "aria-pressed": String(name === kind) } }, picture, t(`kind.${name}`));
    button.onclick = safely(() => chooseKind(name));
    return element("li", {}, button);
  }));
  $("make-form").onsubmit = (event) => {
    event.preventDefault();
    safely(async () => watch(await submit(...(await asked()))))();
  };
  let near = false;
  whenNear($("make"), inBackground(() => {
    near = true;
    for (const button of $("kinds").querySelectorAll("button")) button.firstElementChild.src = at(`/static/kinds/${button.dataset.kind}.jpg`);
    return chooseKind(kind);
  }));
  on("layers", inBackground(async () => {
    if (near && offered !== layersOffered()) await offerFields();
  }));
}
