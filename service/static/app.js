// The page of convlens: plain modules, no build step, nothing from elsewhere.
const $ = (id) => document.getElementById(id);
const SAMPLES = ["cat", "coffee", "rocket"];
const COMPARED = ["gradient", "smoothgrad", "integrated_gradients", "guided_backprop", "grad_cam", "layer_cam"];
const state = { file: null, classId: null, methods: new Map(), layers: [], job: null, source: null, urls: [], asked: 0 };

class Problem extends Error {}

// The prefix of a proxy, which links in answers have already.
const PREFIX = new URL(".", document.baseURI).pathname.slice(0, -1);
const at = (path) => (PREFIX && path.startsWith(`${PREFIX}/`) ? path : PREFIX + path);

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(at(path), options);
  } catch {
    throw new Problem("The service cannot be reached. Is it still running?");
  }
  if (response.headers.has("WWW-Authenticate")) $("key-form").hidden = false;
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Problem(problem.detail ?? `The service answered ${response.status}.`);
  }
  return response;
}

const json = async (path, options) => (await ask(path, options)).json();

/** Run an action; what goes wrong is told in words. */
function safely(action) {
  return async (...args) => {
    $("error").hidden = true;
    try {
      await action(...args);
    } catch (error) {
      $("error").textContent = error instanceof Problem ? error.message : `Something went wrong in this page: ${error.message}`;
      $("error").hidden = false;
      $("error").scrollIntoView({ block: "nearest" });
    }
  };
}

// A probability in percent, or the score of a network whose scores are no probabilities.
function share(probability, score) {
  return probability === null ? Number(score).toPrecision(4) : `${(probability * 100).toFixed(1)} %`;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function query(parameters) {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== "")).toString();
}

// --- photographs -----------------------------------------------------------------------------------------------------------------------

function parameters(method = $("method").value) {
  const takesLayer = "layer" in (state.methods.get(method)?.parameters ?? {});
  return { model: $("model").value, method, class_id: state.classId, layer: takesLayer && method === $("method").value ? $("layer").value : null };
}

function form() {
  const body = new FormData();
  body.append("image", state.file, state.file.name || "image.png");
  return body;
}

function address(blob) {
  const url = URL.createObjectURL(blob);
  state.urls.push(url);
  return url;
}

async function take(file) {
  state.urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
  Object.assign(state, { file, classId: null });
  $("heat").hidden = true;
  $("comparison").replaceChildren();
  $("photo").src = address(file);
  $("photo").hidden = false;
  $("compare").disabled = false;
  await explain();
}

async function explain() {
  if (!state.file) return;
  const asked = ++state.asked;
  $("stack").setAttribute("aria-busy", "true");
  $("caption").textContent = "Looking …";
  try {
    const answer = await json(`/saliency?${query({ ...parameters(), colormap: $("colormap").value, smoothing: 1 })}`, { method: "POST", body: form() });
    if (asked !== state.asked) return; // another click came later
    show(answer.data[0]);
  } catch (error) {
    $("caption").textContent = "No map.";
    throw error;
  } finally {
    $("stack").setAttribute("aria-busy", "false");
  }
}

function show(one) {
  const { explained, heatmap, predictions } = one;
  $("heat").src = `data:image/png;base64,${heatmap.png}`;
  $("heat").hidden = false;
  $("caption").textContent = `${explained.name}: ${share(explained.probability, explained.score)}. ${explained.zero_gradient ? "The map is empty." : ""} ${explained.warning ?? ""}`;
  $("download").href = $("heat").src;
  $("download").hidden = false;
  const shown = predictions.some((p) => p.class_id === explained.class_id) ? predictions : [...predictions, explained];
  $("top").replaceChildren(...shown.map((p) => {
    const button = element("button", { type: "button" }, element("span", {}, p.name), element("span", {}, share(p.probability, p.score)));
    button.setAttribute("aria-pressed", String(p.class_id === explained.class_id));
    button.onclick = safely(async () => { state.classId = p.class_id; await explain(); });
    return element("li", {}, button);
  }));
  const asked = Object.entries({ ...parameters(), class_id: explained.class_id }).filter(([, value]) => value !== null && value !== "");
  $("curl").textContent = `curl -F image=@${state.file.name || "photograph.png"} ${asked.map(([k, v]) => `-F ${k}=${v}`).join(" ")} \\\n  -H 'Accept: image/png' ${location.origin}/saliency -o overlay.png`;
}

async function compare() {
  $("comparison").replaceChildren();
  for (const method of COMPARED.filter((name) => state.methods.has(name))) {
    const options = { method: "POST", body: form(), headers: { Accept: "image/png" } };
    const picture = await (await ask(`/saliency?${query({ ...parameters(method), colormap: $("colormap").value })}`, options)).blob();
    const image = element("img", { src: address(picture), alt: `Map by ${method}` });
    $("comparison").append(element("figure", {}, image, element("figcaption", {}, method)));
  }
}

function describe() {
  const method = state.methods.get($("method").value);
  $("summary").textContent = method ? `${method.summary} ${method.when} ${method.paper}.` : "";
  $("layer-label").hidden = !("layer" in (method?.parameters ?? {}));
}

async function listLayers() {
  const layers = await json(`/models/${$("model").value}/layers`);
  $("layer").replaceChildren(...layers.filter((l) => l.listed || l.default).map((l) => element("option", { selected: l.default }, l.name)));
}

// --- drawings --------------------------------------------------------------------------------------------------------------------------

async function search() {
  const found = await json(`/models/${$("model").value}/classes?${query({ query: $("class").value })}`);
  $("classes").replaceChildren(...found.slice(0, 20).map((c) => element("option", { value: `${c.class_id} ${c.name}` })));
}

async function classId() {
  const text = $("class").value.trim();
  if (/^\d+/.test(text)) return parseInt(text, 10);
  const found = await json(`/models/${$("model").value}/classes?${query({ query: text })}`);
  if (found.length === 0) throw new Problem(`No class has “${text}” in its name.`);
  const exact = found.find((c) => c.name.toLowerCase().split(",").some((part) => part.trim() === text.toLowerCase()));
  return (exact ?? found[0]).class_id;
}

async function draw() {
  const body = JSON.stringify({ class_id: await classId(), preset: $("preset").value, model: $("model").value, preview_every: 5 });
  follow(await json("/visualize", { method: "POST", body, headers: { "Content-Type": "application/json" } }));
}

function follow(job) {
  state.source?.close();
  state.job = job;
  const scores = [];
  $("cancel").disabled = false;
  $("bar").hidden = false;
  $("bar").value = 0;
  $("links").replaceChildren();
  $("progress").textContent = `${job.class_name}: waiting for its turn …`;
  $("drawing").alt = `What the network believes ${job.class_name} looks like`;
  state.source = new EventSource(job.links.events);
  state.source.addEventListener("progress", (event) => {
    const { step, score, rank } = JSON.parse(event.data);
    scores.push([step, score]);
    $("bar").value = step / job.steps;
    $("progress").textContent = `${job.class_name}: step ${step} of ${job.steps}, score ${score.toFixed(1)}${rank ? `, rank ${rank}` : ""}`;
    plot(scores, job.steps);
  });
  state.source.addEventListener("preview", (event) => {
    $("drawing").src = `${job.links.self}/frames/${JSON.parse(event.data).step}`;
    $("drawing").hidden = false;
  });
  state.source.addEventListener("end", safely(async () => {
    state.source.close();
    await finish(job);
  }));
}

async function finish(job) {
  const ended = await json(job.links.self);
  $("cancel").disabled = true;
  $("bar").hidden = true;
  $("progress").textContent = `${ended.class_name}: ${ended.state}${ended.result ? `, the network sees ${ended.result.predicted_name}` : ""}${ended.problem ? `: ${ended.problem.detail}` : ""}`;
  if (ended.state !== "failed") {
    $("drawing").src = ended.links.image;
    $("drawing").hidden = false;
    $("links").replaceChildren(
      element("a", { href: ended.links.image, download: "drawing.png" }, "Download PNG"), " · ",
      element("a", { href: `${ended.links.animation}?format=webp` }, "Play its animation"),
    );
  }
  await recent();
}

function plot(scores, steps) {
  const values = scores.map(([, score]) => score);
  const low = Math.min(...values), high = Math.max(...values, low + 1e-6);
  const points = scores.map(([step, score]) => `${(step / steps) * 300},${115 - ((score - low) / (high - low)) * 110}`);
  $("curve").querySelector("polyline").setAttribute("points", points.join(" "));
  $("curve").removeAttribute("hidden");
}

async function recent() {
  const { data } = await json("/visualize?limit=12&state=succeeded");
  $("jobs").replaceChildren(...data.map((job) => {
    const name = job.class_name ?? job.parameters.layer ?? job.kind;
    const image = element("img", { src: job.links.image, alt: `${job.kind}: ${name}`, loading: "lazy" });
    return element("li", {}, element("figure", {}, element("a", { href: job.links.image }, image), element("figcaption", {}, `${job.kind}: ${name}`)));
  }));
  if (data.length === 0) $("jobs").replaceChildren(element("li", {}, "None yet."));
}

// --- start -----------------------------------------------------------------------------------------------------------------------------

const sample = (name) => safely(async () => {
  const blob = await (await ask(`/static/samples/${name}.jpg`)).blob();
  await take(new File([blob], `${name}.jpg`, { type: "image/jpeg" }));
});

async function start() {
  const [models, methods] = await Promise.all([json("/models"), json("/methods")]);
  $("model").replaceChildren(...models.filter((m) => m.served).map((m) => element("option", { value: m.name, selected: m.default }, m.title)));
  methods.forEach((m) => state.methods.set(m.name, m));
  const families = new Set(methods.map((m) => m.family));
  const members = (family) => methods.filter((m) => m.family === family).map((m) => element("option", {}, m.name));
  $("method").replaceChildren(...[...families].map((family) => element("optgroup", { label: family }, ...members(family))));
  $("samples").replaceChildren(...SAMPLES.flatMap((name) => [element("button", { type: "button", onclick: sample(name) }, name), " "]));
  describe();
  await Promise.all([listLayers(), recent()]);
}

$("key-form").onsubmit = (event) => {
  event.preventDefault();
  safely(async () => {
    await ask("/session", { method: "POST", body: new URLSearchParams({ key: $("key").value }) });
    $("key-form").hidden = true;
    await start();
  })();
};
$("file").onchange = safely(async () => $("file").files[0] && take($("file").files[0]));
document.addEventListener("paste", safely(async (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
  if (file) await take(file);
}));
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) safely(take)(event.dataTransfer.files[0]);
  });
}
$("method").onchange = safely(async () => { describe(); await explain(); });
$("model").onchange = safely(async () => { state.classId = null; await listLayers(); await explain(); });
$("layer").onchange = safely(explain);
$("colormap").onchange = safely(explain);
$("opacity").oninput = () => { $("heat").style.opacity = $("opacity").value / 100; };
$("opacity").oninput();
$("compare").onclick = safely(compare);
$("class").oninput = safely(search);
$("draw-form").onsubmit = (event) => { event.preventDefault(); safely(draw)(); };
$("cancel").onclick = safely(async () => { await ask(state.job.links.cancel, { method: "POST" }); });
safely(start)();
