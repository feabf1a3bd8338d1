// Questions to the service.
import { t } from "./strings.js";

/** What is wrong, in words for people. lang: of these words; empty for that of the page. */
export class Problem extends Error {
  constructor(message, lang = "") {
    super(message);
    this.lang = lang;
  }
}

// What an answer says is wrong.
const problemOf = (answer, status) => (answer?.detail ? new Problem(answer.detail, "en") : new Problem(t("status", { status })));

export const needsKey = new EventTarget();

// The prefix of a proxy, which links in answers have already.
const PREFIX = new URL(".", document.baseURI).pathname.slice(0, -1);
export const at = (path) => (PREFIX && path.startsWith(`${PREFIX}/`) ? path : PREFIX + path);

/** The answer to a request. Throws a `Problem` that can be shown. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(at(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(t("unreachable"));
  }
  if (response.headers.has("WWW-Authenticate")) needsKey.dispatchEvent(new Event("needed"));
  if (!response.ok) {
    throw problemOf(await response.json().catch(() => null), response.status);
  }
  return response;
}

export const json = async (path, options) => (await ask(path, options)).json();

/** Send a form that takes a while; `told` gets the share that is sent. Throws a `Problem` like `ask`. */
export function send(path, body, told) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    request.responseType = "json";
    request.upload.onprogress = (event) => told(event.loaded / event.total);
    request.onerror = () => fail(new Problem(t("unreachable")));
    request.onload = () => (request.status < 400 ? done(request.response) : fail(problemOf(request.response, request.status)));
    request.open("POST", at(path));
    request.send(body);
  });
}

/** Parameters as a query; those without a value are left out. */
export function query(parameters) {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "")).toString();
}

/** A form with files: `{ image: File }`, or several of them under a name. */
export function form(files, fields = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  for (const [name, sent] of Object.entries(files)) {
    for (const file of [sent].flat()) body.append(name, file, file.name || `${name}.png`);
  }
  return body;
}
