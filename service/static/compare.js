// Several methods for several classes, and what metrics say of them.
import { filesOf } from "./answers.js";
import { form, json, query } from "./api.js";
import { $, element, prose, safely, short } from "./dom.js";
import { explained, findings } from "./explain.js";
import { explaining, offers, on, view } from "./state.js";
import { has, t } from "./strings.js";

const USUAL = ["grad_cam", "layer_cam", "lrp", "integrated_gradients", "smoothgrad"];
const COLUMNS = 3;
const BASELINES = ["random", "edges"];
let run = 0; // the newest comparison

/** Offer the methods to choose from. */
export function offerMethods() {
  $("compared").replaceChildren(...[...offers.methods.values()].filter((method) => method.needs === null).map((method) =>
    element("label", {}, element("input", { type: "checkbox", name: "compared", value: method.name, checked: USUAL.includes(method.name) }), element("span", {}, ...breakable(method.name)))));
}

const chosen = () => [...$("compared").querySelectorAll("input:checked")].map((box) => box.value);

async function asked(path, photo, subject, parameters) {
  const sent = { method: "POST", body: form(await filesOf(photo, subject)), headers: { Accept: "application/json" } };
  return (await json(`${path}?${query({ model: view.model, ...explaining(subject), ...parameters })}`, sent)).data;
}

// A name that may be broken behind its underscores.
const breakable = (name) => name.split("_").flatMap((part, i) => (i ? ["_", element("wbr"), part] : [part]));

async function compare() {
  if (!view.photo || !explained()) return;
  const mine = ++run;
  const photo = view.photo, methods = chosen(), columns = findings.slice(0, COLUMNS);
  clear();
  $("grid").style.setProperty("--columns", columns.length);
  $("grid").append(element("span", {}), ...columns.map((one) => element("span", { className: "column" }, one.name)));
  for (const method of methods) {
    $("compare-status").textContent = t("comparing", { method });
    const maps = await Promise.all(columns.map((one) => asked("/saliency", photo, one, { method, output: "overlay", colormap: view.colormap })));
    if (mine !== run) return;
    $("grid").append(element("span", { className: "row" }, ...breakable(method)), ...maps.map(([one], k) => element("img", {
      src: `data:image/png;base64,${one.heatmap.png}`, alt: t("mapAlt", { method, name: columns[k].name }) })));
  }
  $("compare-status").textContent = t("measuring", { count: methods.length });
  const data = await asked("/compare", photo, explained(), { methods: methods.join(",") });
  if (mine !== run) return;
  showMetrics(data);
  $("compare-status").textContent = t("ready");
}

const titleOf = ({ name }) => (has(`metric.${name}`) ? t(`metric.${name}`) : name.replaceAll("_", " "));

function showMetrics({ methods, metrics, reading }) {
  const columns = [...methods.map((method) => method.name), ...BASELINES];
  const head = element("tr", {}, ...[t("metric"), ...columns.map((name) => (BASELINES.includes(name) ? t(name) : name))]
    .map((name) => element("th", { scope: "col" }, name)));
  const rows = metrics.map((metric) => element("tr", {},
    element("th", { scope: "row" }, titleOf(metric), element("small", {}, t("better")[metric.better])),
    ...columns.map((name) => element("td", { className: metric.ranks[name] === 1 ? "best" : "" }, short(metric.values[name])))));
  const ranks = element("tr", {}, element("th", { scope: "row" }, t("meanRank")), ...methods.map((method) => element("td", {}, short(method.mean_rank))), ...BASELINES.map(() => element("td", {})));
  const table = element("table", {}, element("caption", {}, t("table")), element("thead", {}, head), element("tbody", {}, ...rows, ranks));
  const limits = element("details", {}, element("summary", {}, t("tell")), element("dl", {}, ...metrics.flatMap((metric) => [
    element("dt", {}, titleOf(metric)), element("dd", {}, prose(metric.limits, `metric.${metric.name}.limits`))])));
  $("metrics").replaceChildren(element("div", { className: "scroll", tabIndex: 0, attributes: { role: "region", "aria-label": t("table") } }, table),
    element("p", { className: "quiet" }, prose(reading, "reading")), limits);
}

function clear() {
  $("grid").replaceChildren();
  $("metrics").replaceChildren();
  $("compare-status").textContent = "";
}

/** Wire the comparison. */
export function openCompare() {
  $("compare-start").onclick = safely(compare);
  on("photo", () => { run++; clear(); });
}
