// The network as a strip from image to scores; the maps of a layer; what a channel looks for.
import { form, json, query } from "./api.js";
import { stackOf } from "./answers.js";
import { $, element, inBackground, safely, short, whenNear } from "./dom.js";
import { explained } from "./explain.js";
import { focusOn, replace } from "./focus.js";
import { parametersOf, submit } from "./kinds.js";
import { argmax, meanOf, paint, signed, topOf } from "./maps.js";
import { patchesOf, places } from "./patches.js";
import { ratioOf } from "./photograph.js";
import { changed, offers, on, view } from "./state.js";
import { t } from "./strings.js";
import { watch } from "./watch.js";

const SHOWN = 36; // channels, before all are asked for
const TILE = 48; // side of the picture of a layer in the strip
let run = 0; // the newest photograph or network
let stack = null; // the feature maps that are shown

/** What is looked at, as the address of the page names it. */
export const looked = { at_layer: null, at_channel: null };

const listed = () => offers.layers.filter((layer) => layer.listed || layer.default);

async function strip() {
  if (!view.photo || offers.layers.length === 0) return;
  const mine = ++run;
  const ends = (text, picture) => element("li", { className: "end" }, picture, element("span", {}, text));
  const buttons = listed().map((layer) => {
    const picture = element("img", { alt: "", width: TILE, height: TILE });
    const button = element("button", { type: "button", attributes: { "data-layer": layer.name, "aria-pressed": String(layer.name === looked.at_layer) } },
      picture, element("span", {}, layer.name), element("small", {}, t("layerSize", { channels: layer.channels, height: layer.size[0], width: layer.size[1] })));
    button.onclick = safely(() => openLayer(layer.name));
    return button;
  });
  const photo = element("img", { src: view.photo.url, alt: "", width: TILE, height: TILE, hidden: !view.photo.shown });
  replace($("strip"), ends(t("stripImage"), photo), ...buttons.map((button) => element("li", {}, button)),
    ends(t("stripScores", { name: explained()?.name ?? "" }), null));
  const asked = { model: view.model, layer: listed().map((layer) => layer.name).slice(0, 32).join(","), channels: 1, tile: TILE };
  const { data } = await json(`/activations?${query(asked)}`, { method: "POST", body: form({ image: view.photo.file }) });
  if (mine !== run) return;
  for (const one of data) {
    const button = buttons.find((each) => each.dataset.layer === one.layer);
    button.querySelector("img").src = `data:image/png;base64,${one.png}`;
    button.title = t("layerActive", { percent: Math.round(one.active * 100) });
  }
}

/** Show the feature maps of a layer on the photograph. */
export async function openLayer(name, all = false) {
  const layer = offers.layers.find((each) => each.name === name);
  if (!layer) return;
  Object.assign(looked, { at_layer: name, at_channel: null });
  for (const button of $("strip").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.layer === name));
  $("layer-title").textContent = t("layerTitle", { name, channels: layer.channels, height: layer.size[0], width: layer.size[1] });
  $("layer-view").hidden = false;
  $("channel-view").hidden = true;
  const mine = run;
  stack = await stackOf(view.photo, name);
  if (mine !== run || looked.at_layer !== name) return;
  const order = stack.maps.map((map, channel) => ({ channel, mean: meanOf(map) })).sort((a, b) => b.mean - a.mean);
  const shown = all ? order : order.slice(0, SHOWN);
  const top = topOf(signed(stack.whole, "positive"));
  replace($("maps"), ...shown.map(({ channel, mean }) => tile(name, channel, mean, top)));
  $("maps").style.setProperty("--ratio", view.photo.shown ? ratioOf(view.photo) : 1);
  $("all-channels").hidden = all || order.length <= SHOWN;
  $("all-channels").onclick = safely(async () => {
    await openLayer(name, true);
    const [next] = [...$("maps").children].slice(SHOWN);
    if (next) focusOn(next.querySelector("button"));
  });
  changed("watched");
}

function tile(layer, channel, mean, top) {
  const canvas = element("canvas", {});
  paint(canvas, signed(stack.maps[channel], "positive"), top, view.colormap, null);
  const label = t("channelMean", { channel, mean: short(mean) });
  const button = element("button", { type: "button", title: label, attributes: { "aria-label": label, "data-channel": channel } }, canvas, String(channel));
  button.onclick = safely(async () => {
    const opened = openChannel(layer, channel);
    focusOn($("channel-view")); // which stands before the maps, and moves them
    await opened;
  });
  return element("li", {}, button);
}

/** Show what a channel looks for: its map, where it is most active in the samples, and what excites it. */
export async function openChannel(layer, channel) {
  if (!stack?.maps[channel]) return;
  const mine = run;
  Object.assign(looked, { at_layer: layer, at_channel: channel });
  for (const button of $("maps").querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.channel) === channel));
  const map = stack.maps[channel];
  const { value } = argmax(map);
  $("channel-title").textContent = t("channelTitle", { channel, layer, value: short(value) });
  $("channel-photo").hidden = !view.photo.shown;
  if (view.photo.shown) $("channel-photo").src = view.photo.url;
  $("channel-map").parentElement.style.setProperty("--ratio", view.photo.shown ? ratioOf(view.photo) : 1);
  paint($("channel-map"), signed(map, "positive"), value, view.colormap, view.photo.shown ? view.opacity : null);
  $("patches").replaceChildren(...places());
  $("excited").replaceChildren();
  $("channel-view").hidden = false;
  $("channel-view").scrollIntoView({ block: "nearest" });
  $("excite").onclick = safely(async () => watch(await submit("neuron", { layer, channel, preset: $("excite-recipe").value || undefined }, {}), $("excited")));
  changed("watched");
  await offerRecipes();
  await patchesOf(layer, channel, (patches) => {
    if (mine === run && looked.at_layer === layer && looked.at_channel === channel) $("patches").replaceChildren(...patches);
  });
}

async function offerRecipes() {
  if ($("excite-recipe").options.length > 0) return;
  const { preset } = await parametersOf("neuron");
  $("excite-recipe").replaceChildren(...preset.enum.map((name) => element("option", { selected: name === preset.default }, name)));
}

/** Open what an address names. */
export async function openLooked(query) {
  const layer = query.get("at_layer"), channel = query.get("at_channel");
  if (layer === null) return;
  await openLayer(layer);
  if (channel !== null) await openChannel(layer, Number(channel));
}

/** Wire the layers: they are looked at once they are near to be seen. */
export function openLayers() {
  const reset = inBackground(async () => {
    $("layer-view").hidden = true;
    const { at_layer: layer, at_channel: channel } = looked;
    Object.assign(looked, { at_layer: null, at_channel: null });
    stack = null;
    await strip();
    if (layer !== null && offers.layers.some((each) => each.name === layer)) {
      await openLayer(layer);
      if (channel !== null) await openChannel(layer, channel);
    }
  });
  let near = false;
  whenNear($("layers"), () => {
    near = true;
    reset();
  });
  for (const news of ["photo", "layers"]) on(news, () => near && reset());
}
