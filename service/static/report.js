// A report of what the page shows: one HTML file that holds all, to be kept or passed on.
import { askMap } from "./answers.js";
import { shownLines } from "./code.js";
import { $, element, safely, short } from "./dom.js";
import { explained, findings, warned } from "./explain.js";
import { drawing } from "./look.js";
import { explanation } from "./methods.js";
import { worded } from "./schema.js";
import { chosenMethod, view } from "./state.js";
import { t } from "./strings.js";
import { inTask, shareOf } from "./top.js";

const STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d1a22}img{max-width:100%}"
  + "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #d9d4dc}pre{overflow:auto;background:#f3f0f4;padding:.75rem}";

const MEANING = ["meaningIs", "meaningIsNot", "meaningUse"];

const table = (rows) => element("table", {}, element("tbody", {}, ...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)))));

async function built() {
  const { meta, data: [one] } = await (await askMap(view.photo, "application/json", { more: { ...drawing(), output: "panel" } })).json();
  const method = chosenMethod();
  const page = document.implementation.createHTMLDocument(t("reportTitle", { name: explained().name }));
  page.documentElement.lang = document.documentElement.lang;
  page.head.append(element("meta", { name: "viewport", content: "width=device-width" }));
  const warning = one.explained.warning === null ? [] : [element("p", {}, element("strong", {}, ...warned(one.explained.warning)))];
  const effective = Object.entries(meta.parameters).filter(([, value]) => value !== null).map(([name, value]) => [worded(name), String(value)]);
  const notes = Object.entries(one.explained.notes).map(([name, value]) => [worded(name), short(value)]);
  page.body.append(
    element("h1", {}, page.title), element("p", {}, $("caption").textContent),
    element("img", { src: `data:image/png;base64,${one.heatmap.png}`, alt: t("reportPanel") }), element("p", {}, t("reportPanel")),
    element("h2", {}, inTask("topTitle")), table(findings.map((each) => [each.name, shareOf(each)])),
    element("h2", {}, `${t("method")}: ${method.name}`), element("p", {}, explanation(method), ` ${method.paper}.`), ...warning, table([...effective, ...notes]),
    element("h2", {}, t("meaningTitle")), ...MEANING.flatMap((part) => [element("h3", {}, t(part)), element("p", {}, t(`${part}.text`))]),
    element("h2", {}, t("code")), ...shownLines().flatMap(([title, code]) => [element("h3", {}, title), element("pre", {}, code)]),
    element("p", {}, t("reportMade", { version: meta.version, model: meta.model, hash: meta.model_sha256, time: new Date().toISOString() })));
  return `<!doctype html>\n${page.documentElement.outerHTML.replace("<head>", `<head><meta charset="utf-8"><style>${STYLE}</style>`)}\n`;
}

/** Wire the button. */
export function openReport() {
  $("report").onclick = safely(async () => {
    if (!view.photo || !explained()) return;
    const url = URL.createObjectURL(new Blob([await built()], { type: "text/html" }));
    element("a", { href: url, download: "report.html" }).click();
    URL.revokeObjectURL(url);
  });
}
