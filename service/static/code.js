// The lines with which a program gets exactly what the page shows.
import { at, needsKey } from "./api.js";
import { $, element } from "./dom.js";
import { drawing } from "./look.js";
import { on, question, view } from "./state.js";
import { t } from "./strings.js";

let withKey = false;
needsKey.addEventListener("needed", () => { withKey = true; });

const SAFE = /^[\w.-]+$/;
const addressOf = (path) => new URL(at(path), location.href).href;
const given = (parameters) => Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
const quoted = (text) => (/^[\w@=.,:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const text = (value) => (Array.isArray(value) ? value.join(",") : String(value));

// The name of a file as commands take it.
const named = (file) => (SAFE.test(file.name) ? file.name : `photograph.${file.type.split("/")[1] ?? "png"}`);

/** A form sent with curl. files: names by field. */
export function curl(path, files, parameters, accept, written) {
  const fields = [...Object.entries(files).map(([field, name]) => `${field}=@${name}`), ...given(parameters).map(([name, value]) => `${name}=${text(value)}`)];
  const key = withKey ? ["-H 'Authorization: Bearer KEY'"] : [];
  const asked = accept ? [`-H ${quoted(`Accept: ${accept}`)}`] : [];
  const output = written ? ` -o ${written}` : "";
  return ["curl --fail-with-body", ...fields.map((field) => `-F ${quoted(field)}`), ...asked, ...key, `${addressOf(path)}${output}`].join(" \\\n  ");
}

/** The same in Python, with httpx. Without files it is sent as JSON. */
export function python(path, files, parameters, accept, written) {
  const opened = Object.entries(files).map(([field, name]) => `"${field}": open("${name}", "rb")`).join(", ");
  const value = (one) => JSON.stringify(opened && Array.isArray(one) ? text(one) : one);
  const headers = [accept ? `"Accept": ${JSON.stringify(accept)}` : null, withKey ? '"Authorization": "Bearer KEY"' : null].filter(Boolean).join(", ");
  const sent = opened ? "data=parameters, files=files" : "json=parameters";
  return [
    "import httpx", "", "parameters = {", ...given(parameters).map(([name, one]) => `    ${JSON.stringify(name)}: ${value(one)},`), "}",
    ...(opened ? [`files = {${opened}}`] : []),
    `answer = httpx.post("${addressOf(path)}", ${sent}, ${headers ? `headers={${headers}}, ` : ""}timeout=120)`,
    "answer.raise_for_status()",
    written ? `open("${written}", "wb").write(answer.content)` : "print(answer.json())",
  ].join("\n");
}

/** The same in TypeScript for Node, and but for the files for browsers. Without files it is sent as JSON. */
export function typescript(path, files, parameters, accept, written) {
  const names = Object.entries(files);
  const values = given(parameters).map(([name, one]) => `  ${name}: ${JSON.stringify(names.length && Array.isArray(one) ? text(one) : one)},`);
  const kind = names.length ? [] : ['"Content-Type": "application/json"'];
  const headers = [...kind, accept ? `Accept: ${JSON.stringify(accept)}` : null, withKey ? 'Authorization: "Bearer KEY"' : null].filter(Boolean).join(", ");
  return [
    ...(names.length ? ['import { openAsBlob } from "node:fs";'] : []), ...(written ? ['import { writeFile } from "node:fs/promises";'] : []),
    ...(names.length || written ? [""] : []), "const parameters = {", ...values, "};",
    ...(names.length ? [
      "const body = new FormData();", "for (const [name, value] of Object.entries(parameters)) body.append(name, String(value));",
      ...names.map(([field, name]) => `body.append("${field}", await openAsBlob("${name}"), "${name}");`),
    ] : ["const body = JSON.stringify(parameters);"]),
    `const answer = await fetch("${addressOf(path)}", { method: "POST", body${headers ? `, headers: { ${headers} }` : ""} });`,
    "if (!answer.ok) throw new Error((await answer.json()).detail);",
    written ? `await writeFile("${written}", new Uint8Array(await answer.arrayBuffer()));` : "console.log(await answer.json());",
  ].join("\n");
}

/** Blocks of code with titles. */
export function blocks(titled) {
  return titled.flatMap(([title, code]) => [element("h4", {}, title),
    element("pre", { tabIndex: 0, attributes: { role: "group", "aria-label": title } }, element("code", {}, code))]);
}

/** The lines for what is shown: titles and code. */
export function shownLines() {
  const files = { image: named(view.photo.file), ...(view.subject?.other ? { other: `${view.subject.other}.jpg` } : {}) };
  const seen = [files, { ...question(), ...drawing() }, "image/png", `${view.output}.png`];
  const raw = [files, question(), "application/x-npy", "map.npy"];
  return [[t("codeCurl"), curl("/saliency", ...seen)], [t("codePython"), python("/saliency", ...seen)], [t("codeTypeScript"), typescript("/saliency", ...seen)], [t("codeRaw"), curl("/saliency", ...raw)]];
}

function show() {
  if (!view.photo || !view.subject) return;
  const samples = [view.photo.sample, view.subject.other].filter(Boolean).map((name) => `${name}.jpg`);
  const sources = samples.map((name) => element("p", {}, element("a", { href: at(`/static/samples/${name}`), download: name }, t("codeSample", { name }))));
  $("code").replaceChildren(...sources, ...blocks(shownLines()));
}

/** Keep the lines up to date. */
export function openCode() {
  for (const news of ["question", "look"]) on(news, show);
}
