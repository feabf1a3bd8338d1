// A network of one's own is uploaded, and its trial watched.
import { ask, json, send } from "./api.js";
import { $, element, inBackground, safely, short } from "./dom.js";
import { replace } from "./focus.js";
import { listed, openNetwork, removable, showNetworks } from "./networks.js";
import { explain, field, filledIn } from "./schema.js";
import { t } from "./strings.js";

const POLL = 700; // milliseconds between two looks at a trial
const FILES = ["model", "weights"];
const FIRST = ["name"]; // fields that stand beside the file
const LONG = ["labels"]; // texts of several lines
const OVER = ["added", "failed"];
const OWNER = "upload"; // of the fields

const pause = () => new Promise((done) => { setTimeout(done, POLL); });

/** Learn what may be uploaded and what was; offer the form, or say why not. */
export async function showUploads() {
  const { allowed, reason, most_bytes: most, used_bytes: used, data } = await json("/uploads");
  $("upload-reason").textContent = allowed ? t("uploadRoom", { free: megabytes(most - used), most: megabytes(most) }) : reason;
  $("upload-reason").lang = allowed ? "" : "en";
  $("upload-form").hidden = !allowed;
  if (allowed) await offerFields();
  replace($("uploads"), ...data.map((one) => item(one)));
  for (const one of data.filter((each) => each.state === "added")) removable.add(one.name);
  await showNetworks();
  for (const one of data.filter((each) => !OVER.includes(each.state))) inBackground(follow)(one.name);
}

const megabytes = (bytes) => t("megabytes", { count: Math.floor(bytes / 2 ** 20).toLocaleString() });

async function offerFields() {
  if ($("upload-first").childElementCount > 0) return;
  const { properties } = (await json("/openapi.json")).paths["/models"].post.requestBody.content["multipart/form-data"].schema;
  const made = (name) => (LONG.includes(name) ? longField(name, properties[name]) : field(name, properties[name], { owner: OWNER }));
  const names = Object.keys(properties).filter((name) => !FILES.includes(name) && !FIRST.includes(name));
  $("upload-first").append(...FIRST.map(made));
  $("upload-more").replaceChildren(...names.map(made));
}

function longField(name, schema) {
  const control = element("textarea", { name, rows: 3 });
  explain(control, OWNER, name, schema);
  return element("label", {}, t(`field.${name}`), control);
}

async function upload() {
  const body = new FormData();
  for (const name of FILES) for (const file of $(`upload-${name}`).files) body.append(name, file, file.name);
  for (const [name, value] of Object.entries(filledIn($("upload-form")))) body.append(name, value);
  if (!$("upload-sent").hidden) return; // one is on its way
  $("upload-sent").hidden = false;
  try {
    const accepted = await send("/models", body, (share) => { $("upload-sent").value = share; });
    $("upload-form").reset();
    $("upload-sent").hidden = true;
    await follow(accepted.name);
  } finally {
    $("upload-sent").hidden = true;
  }
}

// Watch a trial to its end.
async function follow(name) {
  let one;
  do {
    if (one) await pause();
    one = await json(`/uploads/${name}`);
    show(one);
  } while (!OVER.includes(one.state));
  if (one.state !== "added") return;
  removable.add(name);
  await showNetworks();
}

function show(one) {
  const before = $("uploads").querySelector(`[data-upload="${one.name}"]`);
  const made = item(one, true);
  if (before?.dataset.state === one.state) return;
  if (before) before.replaceWith(made);
  else $("uploads").prepend(made);
}

function item(one, isNew = false) {
  const heading = element("h4", {}, one.name), said = element("p", { attributes: { role: "status" } }, t(`upload.${one.state}`, { seconds: one.seconds }), " ", element("span", { lang: "en" }, one.problem ?? ""));
  const made = element("li", { attributes: { "data-upload": one.name, "data-state": one.state } }, heading, said);
  if (!OVER.includes(one.state)) made.append(element("progress", { attributes: { "aria-label": t("upload.trying") } }));
  if (one.report) made.append(reportOf(one.report, isNew));
  if (one.state === "added") made.append(button("useNetwork", one.name, () => openNetwork(one.name, "explain")));
  if (one.state === "failed") made.append(button("forget", one.name, async () => { await ask(`/models/${one.name}`, { method: "DELETE" }); replace($("uploads"), ...[...$("uploads").children].filter((each) => each !== made)); }));
  return made;
}

const button = (label, name, action) => element("button", { type: "button", onclick: safely(action), attributes: { "aria-label": `${t(label)}: ${name}` } }, t(label));

// What the trial has shown.
function reportOf(report, open) {
  const error = report.gradient_error;
  const agreement = report.quantized ? "gradientRounded" : error === null ? "gradientUnknown" : "gradientError";
  const side = (length) => length ?? t("open");
  const facts = {
    task: `${t(`task.${report.task}`)}, ${t("classes", { count: report.classes })}`,
    input: `${report.input}: ${report.layout}, ${side(report.width)} × ${side(report.height)}`,
    pixels: report.preprocessing, scores: `${report.logits}: ${report.scores}`, weights: report.weights.toLocaleString(),
    layers: `${report.layers}, Grad-CAM: ${report.cam_layer ?? "–"}`,
    speed: t("speedOnCore", { forward: report.forward_ms.toFixed(1), gradient: report.gradient_ms.toFixed(1) }),
    gradient: t(agreement, { error: error === null ? "" : short(error * 100) }),
    operators: Object.entries(report.operators).map(([name, count]) => `${name} ${count}`).join(", "),
  };
  const guesses = Object.entries(report.guesses).flatMap(([name, why]) => [element("dt", {}, name), element("dd", { lang: "en" }, why)]);
  return element("details", { open }, element("summary", {}, t("trialReport")), element("dl", { className: "facts" }, ...listed(facts)),
    ...(guesses.length ? [element("h5", {}, t("guessed")), element("dl", { className: "facts" }, ...guesses)] : []));
}

/** Wire the form. */
export function openUpload() {
  $("upload-form").onsubmit = (event) => {
    event.preventDefault();
    safely(upload)();
  };
}
