// The lines with which a program gets exactly what the page shows.
import { at, needsKey } from "./api.js";
import { $, element } from "./dom.js";
import { drawing } from "./look.js";
import { chosenMethod, on, question, view } from "./state.js";
import { t } from "./strings.js";

let withKey = false;
needsKey.addEventListener("needed", () => { withKey = true; });

const CLIENT = "client"; // folder
const CLIENT_FILES = ["package.json", "convlens.js", "convlens.d.ts", "errors.js", "errors.d.ts", "events.js", "npy.js", "operations.js", "operations.d.ts", "transport.js", "transport.d.ts"];
const DRAWN = "picture.png";

const SAFE = /^[\w.-]+$/;
const addressOf = (path) => new URL(at(path), location.href).href;
const given = (parameters) => Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
const quoted = (text) => (/^[\w@=.,:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const text = (value) => (Array.isArray(value) ? value.join(",") : String(value));

// The name of a file as commands take it.
const named = (file) => (SAFE.test(file.name) ? file.name : `photograph.${file.type.split("/")[1] ?? "png"}`);

// A form sent with curl. files: names by field.
function curl(path, files, parameters, accept, written) {
  const fields = [...Object.entries(files).map(([field, name]) => `${field}=@${name}`), ...given(parameters).map(([name, value]) => `${name}=${text(value)}`)];
  const key = withKey ? ["-H 'Authorization: Bearer KEY'"] : [];
  const asked = accept ? [`-H ${quoted(`Accept: ${accept}`)}`] : [];
  const output = written ? ` -o ${written}` : "";
  return ["curl --fail-with-body", ...fields.map((field) => `-F ${quoted(field)}`), ...asked, ...key, `${addressOf(path)}${output}`].join(" \\\n  ");
}

const server = () => addressOf("/").replace(/\/$/, "");
const argumentsOf = (parameters, written) => given(parameters).map(([name, value]) => written(name, JSON.stringify(value)));

// A program in Python, with the client; `does` are the lines that make a picture.
function python(does, written) {
  return ["from convlens import Client", "", `with Client("${server()}"${withKey ? ', api_key="KEY"' : ""}) as client:`, ...does.map((line) => `    ${line}`),
    `open("${written}", "wb").write(picture)`].join("\n");
}

// The same in TypeScript for Node.
function typescript(does, written) {
  return [...(does.some((line) => line.includes("openAsBlob")) ? ['import { openAsBlob } from "node:fs";'] : []),
    'import { writeFile } from "node:fs/promises";', `import { Client } from "./${CLIENT}/convlens.js";`, "",
    `const client = new Client({ server: "${server()}"${withKey ? ', apiKey: "KEY"' : ""} });`, ...does,
    `await writeFile("${written}", new Uint8Array(await picture.arrayBuffer()));`].join("\n");
}

const inPython = (parameters) => argumentsOf(parameters, (name, value) => `    ${name}=${value},`);
const inTypescript = (files, parameters) => [...Object.entries(files).map(([field, name]) => `  ${field}: await openAsBlob("${name}"),`), ...argumentsOf(parameters, (name, value) => `  ${name}: ${value},`)];
const filesInPython = (files, name = "") => (Object.keys(files).length ? [`    ${name}{${Object.entries(files).map(([field, file]) => `"${field}": "${file}"`).join(", ")}},`] : []);

/** The lines that draw what a job has drawn: titles and code. files: names of its pictures by field. */
export function jobLines(kind, files, parameters) {
  const inPythonDrawn = ["job = client.start(", `    "${kind}",`, ...filesInPython(files), ...inPython(parameters), ")", "picture = client.image(client.wait(job.id).id)"];
  const inTypescriptDrawn = ["const { id } = await client.submit({", ...inTypescript(files, { kind, ...parameters }), "});", "await client.wait(id);", "const picture = await client.showImage({ id });"];
  return [[t("codeCurl"), curl("/visualize", files, { kind, ...parameters })], [t("codePython"), python(inPythonDrawn, DRAWN)], [t("codeTypeScript"), typescript(inTypescriptDrawn, DRAWN)], ...clientLines()];
}

// How one gets the client that the lines in TypeScript import.
const clientLines = () => [[t("codeClient"), `curl --create-dirs -o '${CLIENT}/#1' '${server()}/static/client/{${CLIENT_FILES.join(",")}}'`]];

/** Blocks of code with titles. */
export function blocks(titled) {
  return titled.flatMap(([title, code]) => [element("h4", {}, title),
    element("pre", { tabIndex: 0, attributes: { role: "group", "aria-label": title } }, element("code", {}, code))]);
}

// Parameters that were typed into fields are texts; a program gives numbers as numbers.
function typed(parameters) {
  const schemas = chosenMethod().parameters;
  const isNumber = (name) => [schemas[name] ?? {}].flatMap((schema) => schema.anyOf ?? schema).some(({ type }) => ["integer", "number"].includes(type));
  return Object.fromEntries(given(parameters).map(([name, value]) => [name, typeof value === "string" && isNumber(name) ? Number(value) : value]));
}

/** The lines for what is shown: titles and code. */
export function shownLines() {
  const image = named(view.photo.file), beside = view.subject?.other ? { other: `${view.subject.other}.jpg` } : {};
  const files = { image, ...beside }, seen = typed({ ...question(), ...drawing() }), written = `${view.output}.png`;
  const inPythonSeen = ["picture = client.overlay(", `    "${image}",`, ...filesInPython(beside, "beside="), ...inPython(seen), ")"];
  const inTypescriptSeen = [`const picture = await client.overlay(await openAsBlob("${image}"), {`, ...inTypescript(beside, seen), "});"];
  return [
    [t("codeCurl"), curl("/saliency", files, seen, "image/png", written)], [t("codePython"), python(inPythonSeen, written)], [t("codeTypeScript"), typescript(inTypescriptSeen, written)],
    [t("codeRaw"), curl("/saliency", files, question(), "application/x-npy", "map.npy")], ...clientLines()];
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
