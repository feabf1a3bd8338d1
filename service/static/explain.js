// A photograph is explained: what the network says of it, the map of one of these findings, a contrast of two.
import { Problem } from "./api.js";
import { arrived, giveUpOthers, mapOf } from "./answers.js";
import { classOf, findClass, suggest } from "./classes.js";
import { $, inBackground, prose, safely } from "./dom.js";
import { findingsOf, same, subjectOf } from "./findings.js";
import { markSample } from "./photograph.js";
import { openPlaces, reveal, showPlaces } from "./places.js";
import { clearMap, showMap, showPhotograph } from "./stage.js";
import { changed, chosenMethod, offers, on, speeds, taskOf, view } from "./state.js";
import { t } from "./strings.js";
import { inTask, listFindings, shareOf } from "./top.js";

const PREFETCHED = 10; // maps
const PREFETCHED_RUNS = 40; // of a method whose maps are fetched before they are asked for
const PREFETCHED_BYTES = 1_000_000; // of a photograph that is sent for each of them
const QUICK_RUNS = 60; // that take no noticeable time
const SAID_FIRST = ["classification", "multilabel"]; // tasks whose first finding need not be known to be explained
const TO_BECOME_A_JOB = "mode=job"; // the advice of the service

/** What the network says of the photograph, the first first; what was chosen beyond that comes last. */
export const findings = [];
let asked = 0; // the newest question
let told = []; // of the newest result

const find = (subject) => (subject === null ? undefined : findings.find((one) => same(subjectOf(one), subject)));

/** What is explained; undefined if the network finds nothing. */
export const explained = () => find(view.subject) ?? findings[0];

/** Explain another photograph. What was shown stays until the service has accepted this one. */
export async function take(photo, { subject = null, rival = null } = {}) {
  giveUpOthers();
  const mine = ++asked;
  busy(true);
  try {
    if (subject !== null || SAID_FIRST.includes(taskOf())) mapOf(photo, subject, rival).catch(() => {});
    const found = await findingsOf(photo);
    if (mine !== asked) return;
    Object.assign(view, { photo, subject, rival });
    speeds.set(view.model, found.meta);
    findings.splice(0, findings.length, ...found.list.map((one) => ({ ...one, name: one.name ?? t(`sample.${one.other}`) })));
    showPhotograph(photo);
    markSample(photo);
    for (const each of [subject, rival]) if (each !== null) await learn(each);
    await showPlaces(photo, { ...found, list: findings }, choose);
    changed("photo");
    await explain();
  } catch (error) {
    if (mine === asked) $("caption").replaceChildren(...(told.length ? told : [t("noMap")]));
    throw error;
  } finally {
    if (mine === asked) busy(false);
  }
}

/** Ask again, since the method, its parameters, the subject or the network is another one. */
export async function explain() {
  if (!view.photo) return;
  const mine = ++asked;
  busy(true);
  try {
    changed("asking");
    if (view.subject === null && findings[0] && !SAID_FIRST.includes(taskOf())) view.subject = subjectOf(findings[0]);
    list();
    if (explained() === undefined) {
      showNothing();
      return;
    }
    const map = await mapOf(view.photo);
    if (mine !== asked) return;
    view.subject ??= { class_id: map.classId };
    const one = explained();
    if (one.probability === undefined) one.probability = map.probability;
    list();
    draw();
    reveal(one);
    tell(map);
    changed("question");
  } catch (error) {
    if (mine === asked) {
      clearMap();
      told = [];
      $("caption").textContent = t("noMap");
      if (error instanceof Problem && error.message.includes(TO_BECOME_A_JOB)) changed("costly");
    }
    throw error;
  } finally {
    if (mine === asked) busy(false);
  }
  inBackground(prefetch)(mine);
}

function showNothing() {
  clearMap();
  told = [inTask("nothing")];
  $("caption").replaceChildren(...told);
  $("shown").textContent = "";
  changed("question");
}

async function prefetch(mine) {
  if (chosenMethod().evaluations > PREFETCHED_RUNS || view.photo.file.size > PREFETCHED_BYTES || view.rival !== null) return;
  for (const one of findings.slice(0, PREFETCHED)) {
    if (mine !== asked) return;
    await mapOf(view.photo, subjectOf(one), null).catch(() => {});
  }
  if (mine !== asked) return;
  $("top").classList.add("prefetched");
  if (view.locked) draw();
}

function busy(is) {
  $("stage").setAttribute("aria-busy", String(is));
  if (!is) return;
  const runs = chosenMethod()?.evaluations ?? 1;
  $("caption").textContent = runs > QUICK_RUNS ? t("lookingLong", { runs }) : t("looking");
}

// Draw the map of a subject, by default that of the chosen one.
function draw(subject = view.subject, rival = view.rival) {
  const raw = arrived(view.photo, subject, rival);
  if (!raw) return;
  const all = findings.map((one) => arrived(view.photo, subjectOf(one))).filter(Boolean);
  showMap(raw, view.locked && rival === null ? all : []);
  const one = find(subject), other = find(rival);
  $("shown").textContent = other ? `${one.name} ${t("versus")} ${other.name}` : one.name;
}

function tell(map) {
  const one = explained(), other = find(view.rival);
  const model = offers.models.find((each) => each.name === view.model).title;
  const values = { model, name: one.name, share: shareOf(one), other: other?.name };
  const caption = () => (shareOf(one) === "" ? t("captionTarget", values) : inTask("caption", values));
  told = [[other ? t("captionContrast", values) : caption(), map.empty ? t("empty") : ""].filter(Boolean).join(" "), ...warned(map.warning)];
  $("caption").replaceChildren(...told);
}

/** A warning of the service: what it says of the method in the language of the page, and what else there is. */
export function warned(warning) {
  if (warning === null) return [];
  const { name, warning: known } = chosenMethod();
  const rest = known === null ? warning : warning.replace(known, "").trim();
  return [known === null ? "" : prose(known, `warning.${name}`), rest ? prose(rest) : ""].filter(Boolean).flatMap((part) => [" ", part]);
}

function list() {
  $("top").classList.remove("prefetched");
  const point = (one) => (one === null ? draw() : draw(subjectOf(one), null));
  listFindings(findings, { chosen: explained(), rival: view.rival, choose, point });
}

/** Explain a finding, or another target that has a name; as a second one it is set against the first. */
export async function choose(one, asSecond = false) {
  if (!find(subjectOf(one))) findings.push(one);
  const subject = subjectOf(one), isSame = same(subject, view.subject);
  if (!asSecond || isSame) Object.assign(view, { subject, rival: null });
  else view.rival = same(view.rival, subject) ? null : subject;
  await explain();
}

/** Make a subject known that is not among the findings. */
async function learn(subject) {
  if (find(subject)) return;
  if (subject.target) findings.push({ ...subject, name: subject.other ? t(`sample.${subject.other}`) : subject.target });
  else {
    const one = await classOf(subject.class_id);
    if (one) findings.push(one);
  }
}

/** Wire the list. */
export function openExplain() {
  openPlaces();
  suggest($("any-class"), $("any-classes"));
  $("any-form").onsubmit = (event) => {
    event.preventDefault();
    safely(async () => {
      const one = await findClass($("any-class").value);
      await choose(find(subjectOf(one)) ?? one);
    })();
  };
  $("locked").onchange = () => { view.locked = $("locked").checked; draw(); };
  on("look", () => draw());
  on("model", inBackground(async () => view.photo && take(view.photo)));
}
