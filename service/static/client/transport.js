// Requests of the client: what is sent, what comes back, and when it is sent again. Runs in browsers and in Node 20.
import { Problem, Unreachable } from "./errors.js";
import { eventsIn } from "./events.js";
import { readNpy } from "./npy.js";

const FIRST_PAUSE = 0.25, LONGEST_PAUSE = 5; // seconds between tries when the service cannot be reached
const WORTH_WAITING = [429, 503];
const NPY = "application/x-npy";

const isPicture = (value) => value instanceof Blob || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
const isGiven = ([, value]) => value !== undefined && value !== null;
const isObject = (value) => typeof value === "object" && value !== null && !isPicture(value) && !Array.isArray(value);

// The values of forms and queries, by name: a list has one for each item, and objects (targets, for instance) are JSON.
function pairsOf(fields) {
  const valuesOf = (value) => ([value].flat().some(isObject) ? [JSON.stringify(value)] : [value].flat());
  return Object.entries(fields).filter(isGiven).flatMap(([name, value]) => valuesOf(value).map((one) => [name, one]));
}

function asForm(fields) {
  const form = new FormData();
  for (const [name, value] of pairsOf(fields)) {
    if (isPicture(value)) form.append(name, value instanceof Blob ? value : new Blob([value]), value.name ?? name);
    else form.append(name, String(value));
  }
  return form;
}

const asQuery = (fields) => new URLSearchParams(pairsOf(fields).map(([name, value]) => [name, String(value)]));

// How the fields of a request travel, by the name that `operations.js` gives to it.
const BODIES = {
  query: (fields) => ({ query: asQuery(fields) }),
  form: (fields) => ({ body: asForm(fields) }),
  json: (fields) => ({ body: JSON.stringify(fields), headers: { "Content-Type": "application/json" } }),
  whole: ({ body }) => (isPicture(body) ? { body, headers: { "Content-Type": body.type || "application/octet-stream" } } : BODIES.json(body)),
  urlencoded: (fields) => ({ body: asQuery(fields) }),
  jsonOrForm: (fields) => (pairsOf(fields).some(([, value]) => isPicture(value)) ? BODIES.form : BODIES.json)(fields),
};

/** Sends requests, and sends those again that are refused for now. `operations.js` has a method for each of the API. */
export class Transport {
  /**
   * server: address of the service; by default the one that this file was loaded from.
   * patience: seconds for which a request that is refused for now is sent again.
   */
  constructor({ server, apiKey, patience = 60 } = {}) {
    this.server = String(server ?? home()).replace(/\/+$/, "");
    this.patience = patience;
    this.credentials = apiKey ? { Authorization: `Bearer ${apiKey}` } : {};
  }

  /** The answer to a request, by its media type: an object, numbers, text or a Blob; nothing for 204 and 304. */
  async request(method, path, how, parameters = {}, { accept = how.accept ?? "application/json", signal } = {}) {
    const sent = this.prepared(method, path, how, parameters, accept);
    const deadline = deadlineOf(this.patience);
    let again = false;
    for (;;) {
      try {
        return await this.send(sent, signal, (response) => contentOf(response, again && method === "DELETE"));
      } catch (error) {
        await pause(pauseAfterRefusal(error, deadline), signal);
        again ||= error.status === 503;
      }
    }
  }

  /** The events of a stream up to its end, as `{ event, data, id }`; one that was cut is taken up where it was. */
  async *stream(path, how, { last_event_id: last, ...parameters } = {}, { signal } = {}) {
    let deadline = deadlineOf(this.patience), tries = 0;
    for (;;) {
      const sent = this.prepared("GET", path, how, { ...parameters, last_event_id: last }, "text/event-stream");
      try {
        const response = await this.send(sent, signal);
        if (response.status === 204) return;
        if (!response.ok) throw await problemOf(response);
        for await (const event of eventsIn(response.body)) {
          [deadline, tries, last] = [deadlineOf(this.patience), 0, event.id ?? last];
          if (event.event) yield { ...event, data: JSON.parse(event.data) };
          if (event.event === "end") return;
        }
        throw new Unreachable("the stream was cut");
      } catch (error) {
        if (error instanceof Problem) await pause(pauseAfterRefusal(error, deadline), signal);
        else await pause(pauseAfterFailure(error, tries++, deadline), signal);
      }
    }
  }

  // How a request is sent: `how` says which parameters are headers and parts of the query; the others are its body.
  prepared(method, path, { headers: named = [], query: asked = [], body: kind = "query" }, parameters, accept) {
    const left = { ...parameters };
    const take = (name) => { const value = left[name]; delete left[name]; return value; };
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => segment(name, take(name)));
    const told = named.map((name) => [name, take(name.replaceAll("-", "_"))]).filter(isGiven);
    const inQuery = Object.fromEntries(asked.map((name) => [name, take(name)]));
    const { query = asQuery(inQuery), headers, ...body } = BODIES[kind](left);
    const url = `${this.server}${filled}${String(query) && `?${query}`}`;
    return [url, { method, ...body, headers: { Accept: accept, ...headers, ...Object.fromEntries(told), ...this.credentials } }];
  }

  async send([url, options], signal, read = (response) => response) {
    try {
      return await read(await fetch(url, { ...options, signal }));
    } catch (error) {
      const isOfNetwork = error instanceof TypeError; // what fetch throws, and what reads an answer that is cut off
      if (signal?.aborted || !isOfNetwork) throw error;
      throw new Unreachable(`${this.server} cannot be reached`, error);
    }
  }
}

// The service that this file was loaded from.
function home() {
  const { protocol, href } = new URL("../..", import.meta.url);
  if (!protocol.startsWith("http")) throw new TypeError('name the service: new Client({ server: "http://localhost:8000" })');
  return href;
}

// A part of a path. Dots alone would lead to another path.
function segment(name, value) {
  const text = String(value ?? "");
  if (["", ".", ".."].includes(text)) throw new TypeError(`${name} must be given; it is ${JSON.stringify(value)}`);
  return encodeURIComponent(text);
}

async function contentOf(response, isDone) {
  if ([204, 304].includes(response.status) || (isDone && response.status === 404)) return undefined;
  if (!response.ok) throw await problemOf(response);
  const media = (response.headers.get("Content-Type") ?? "").split(";")[0].trim();
  if (media === NPY) return readNpy(await response.arrayBuffer());
  if (media === "application/json" || media.endsWith("+json")) return response.json();
  return media.startsWith("text/") || media === "application/x-ndjson" ? response.text() : response.blob();
}

async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  return new Problem(response.status, Object(document), retryAfterOf(response));
}

function retryAfterOf(response) {
  const said = response.headers.get("Retry-After");
  if (said === null || !WORTH_WAITING.includes(response.status)) return null;
  const seconds = /^\s*-?\d+(\.\d*)?\s*$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(seconds, FIRST_PAUSE) : null;
}

export const now = () => performance.now() / 1000;
const deadlineOf = (seconds) => now() + seconds;

// The pause that the service asks for. Throws the error if it asks for none, or for more than is left.
function pauseAfterRefusal(error, deadline) {
  const seconds = error.retryAfter ?? null;
  if (seconds === null || now() + seconds > deadline) throw error;
  return seconds;
}

/** A pause after a failure that may pass, longer each time. Throws other errors, and all once the time is over. */
export function pauseAfterFailure(error, tries, deadline) {
  const mayPass = error instanceof Unreachable || (error instanceof Problem && (error.status === 429 || error.status >= 500));
  const left = deadline - now();
  if (!mayPass || left <= 0) throw error;
  return Math.min(Math.max(Math.min(FIRST_PAUSE * 2 ** tries, LONGEST_PAUSE), error.retryAfter ?? 0), left);
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, 1000 * seconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
