// A job is watched: its picture grows, its score climbs; it can be cancelled, asked for again, deleted.
import { ask, json } from "./api.js";
import { chart } from "./chart.js";
import { blocks, jobLines } from "./code.js";
import { $, element, inBackground, safely, short } from "./dom.js";
import { focusOn, goTo } from "./focus.js";
import { KINDS, parametersOf, submit } from "./kinds.js";
import { changed } from "./state.js";
import { t } from "./strings.js";

const STREAMS = 4; // a browser opens six connections at most, and jobs run four at a time
const SENT = { image: "original.png", style_image: "style.png" }; // what a job keeps of its pictures, by field
const LEFT_OUT = ["preview_every", "model"];
const WITHOUT_CHANCE = ["fooling"];
const OVER = ["succeeded", "failed", "cancelled"];
let streams = 0;
const waiting = [];

export const nameOf = (job) => `${t(`kind.${job.kind}`)}: ${[job.class_name, job.parameters.layer ?? job.parameters.content_layer, job.parameters.channel, job.parameters.target].filter((part) => part !== null && part !== undefined).join(" ")}`;

/** What is watched, as the address of the page names it. */
export const watched = { job: null, batch: null };

function name(names) {
  Object.assign(watched, { job: null, batch: null }, names);
  changed("watched");
}

/** Watch what was accepted: a job, or a batch as a sheet that grows. */
export function watch(accepted, sheet = $("sheet")) {
  const jobs = accepted.data ?? [accepted];
  for (const card of sheet.children) card.stop();
  name(accepted.data ? { batch: accepted.id } : { job: accepted.id });
  sheet.replaceChildren(...jobs.map((job) => new Watched(job, sheet).card));
  sheet.classList.toggle("several", jobs.length > 1);
  sheet.scrollIntoView({ block: "nearest" });
  if (document.activeElement !== document.body) focusOn(sheet.firstElementChild); // not where a link was opened
  changed("jobs");
}

/** Open a job by its id. */
export const openJob = async (id) => watch(await json(`/visualize/${encodeURIComponent(id)}`));

/** Open a batch by its id. */
export const openBatch = async (id) => watch(await json(`/visualize/batches/${encodeURIComponent(id)}`));

class Watched {
  constructor(job, sheet) {
    this.job = job;
    this.sheet = sheet;
    this.points = job.trace.map((score, i) => ({ step: i + 1, score, rank: null }));
    this.picture = element("div", { className: "picture" });
    this.bar = element("progress", { max: 1, value: job.step / job.steps, attributes: { "aria-label": t("drawProgress") } });
    this.text = element("p", { className: "progress", attributes: { role: "status" } });
    this.curve = element("div", {});
    this.links = element("p", { className: "links" });
    this.cancel = element("button", { type: "button", onclick: safely(() => ask(job.links.cancel, { method: "POST" })) }, t("cancel"));
    this.card = element("article", { className: "job", id: `job-${job.id}`, attributes: { "aria-label": nameOf(job) } },
      element("h3", {}, nameOf(job)), this.picture, this.bar, this.text, this.curve, element("p", { className: "links" }, this.cancel), this.links);
    this.stop = () => {};
    this.card.stop = () => this.stop();
    if (OVER.includes(job.state)) inBackground(() => this.finish())();
    else this.follow();
  }

  follow() {
    this.text.textContent = t("queued", { position: this.job.position ?? "" });
    if (this.job.preview !== null) this.show(`${this.job.links.self}/frames/${this.job.preview}`);
    if (streams < STREAMS) {
      this.listen();
      return;
    }
    waiting.push(this);
    this.stop = () => waiting.splice(waiting.indexOf(this), 1);
  }

  listen() {
    streams++;
    const source = new EventSource(this.job.links.events);
    source.addEventListener("progress", (event) => this.progress(JSON.parse(event.data)));
    source.addEventListener("preview", (event) => this.show(`${this.job.links.self}/frames/${JSON.parse(event.data).step}`));
    this.stop = () => {
      this.stop = () => {};
      source.close();
      streams--;
      waiting.shift()?.listen();
    };
    const ended = inBackground(async () => {
      this.stop();
      if (this.card.isConnected) await this.finish();
      changed("jobs");
    });
    source.addEventListener("end", ended);
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) ended(); }; // else it tries again by itself
  }

  progress({ step, score, rank }) {
    this.bar.value = step / this.job.steps;
    if (score === undefined || score === null) { // of a map
      this.text.textContent = t("progressSteps", { step, steps: this.job.steps });
      return;
    }
    this.points.push({ step, score, rank });
    this.text.textContent = t(rank ? "progressRank" : "progress", { step, steps: this.job.steps, score: score.toFixed(1), rank });
    this.curve.replaceChildren(chart(this.points, this.job.steps));
  }

  // The new picture fades in over the one before.
  async show(address) {
    const image = element("img", { src: address, alt: t("pictureAlt", { name: nameOf(this.job) }) });
    if (!(await image.decode().then(() => true, () => false))) return; // it did not arrive; the one before stays
    this.picture.append(image);
    const before = [...this.picture.children].slice(0, -1);
    image.getBoundingClientRect(); // so that the change of its opacity is seen
    image.classList.add("here");
    image.addEventListener("transitionend", () => before.forEach((one) => one.remove()));
    if (before.length > 3) before.slice(0, -2).forEach((one) => one.remove());
  }

  async finish() {
    const ended = await json(this.job.links.self);
    this.job = ended;
    if (document.activeElement === this.cancel) focusOn(this.card);
    this.cancel.hidden = this.bar.hidden = true;
    this.text.textContent = outcome(ended);
    const ranks = new Map(this.points.map((point) => [point.step, point.rank]));
    this.points = ended.trace.map((score, i) => ({ step: i + 1, score, rank: ranks.get(i + 1) ?? null }));
    if (this.points.length > 0) this.curve.replaceChildren(chart(this.points, ended.steps));
    const hasPicture = ended.state === "succeeded" || ended.preview !== null;
    if (hasPicture && ended.state !== "failed") await this.show(ended.links.image);
    this.links.replaceChildren(...(hasPicture ? this.offers() : []), this.button("delete", async () => {
      await ask(this.job.links.self, { method: "DELETE" });
      this.stop();
      const [other, section] = [this.card.nextElementSibling ?? this.card.previousElementSibling, this.card.closest("section")];
      this.card.remove();
      if (other) focusOn(other);
      else goTo(section.id);
      if (watched.job === this.job.id) name({});
      changed("jobs");
    }), KINDS.includes(ended.kind) ? await this.program() : "");
  }

  offers() {
    const { links, kind } = this.job;
    const made = [element("a", { href: links.image, download: `${kind}.png` }, t("download"))];
    if (this.job.preview !== null) made.push(this.button("animate", () => this.show(`${links.animation}?format=webp`)));
    for (const [name, address] of Object.entries(links.artifacts)) made.push(element("a", { href: address }, name));
    if (KINDS.includes(kind) && !WITHOUT_CHANCE.includes(kind)) made.push(this.button("again", () => this.again()));
    return made;
  }

  button(name, action) {
    return element("button", { type: "button", onclick: safely(action) }, t(name));
  }

  // The lines with which a program gets the same picture.
  async program() {
    const { kind, class_id: classId } = this.job;
    const asked = { ...(classId === null ? {} : { class_id: classId }), ...(await keptOf(this.job)) };
    return element("details", {}, element("summary", {}, t("code")), ...blocks(jobLines(kind, this.files, asked)));
  }

  // The same job with another seed; its photographs are among what it has made.
  async again() {
    const { kind, parameters, class_id: classId, links } = this.job;
    const picture = async (name) => new File([await (await ask(links.artifacts[name])).blob()], name, { type: "image/png" });
    const pictures = Object.fromEntries(await Promise.all(Object.entries(this.files).map(async ([field, name]) => [field, await picture(name)])));
    const { seed, ...kept } = await keptOf(this.job);
    const asked = Object.keys(pictures).length ? Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, String(value)])) : kept;
    watch(await submit(kind, { ...asked, ...(classId === null ? {} : { class_id: classId }), model: parameters.model }, pictures), this.sheet);
  }

  // The files of its pictures, by the fields of the form.
  get files() {
    return Object.fromEntries(Object.entries(SENT).filter(([, name]) => name in this.job.links.artifacts));
  }
}

// The parameters of a job as a request takes them.
async function keptOf(job) {
  const known = await parametersOf(job.kind);
  return Object.fromEntries(Object.entries(job.parameters).filter(([name, value]) => name in known && !LEFT_OUT.includes(name) && value !== null));
}

function outcome(job) {
  const seen = job.result?.predicted_name ? t("sees", { name: job.result.predicted_name }) : "";
  const score = job.score === null ? "" : t("scored", { score: short(job.score) });
  return [t(`state.${job.state}`), seen, score, job.problem?.detail ?? ""].filter(Boolean).join(" ");
}
