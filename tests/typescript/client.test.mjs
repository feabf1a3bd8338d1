// The client in Node: against the real service at CONVLENS_SERVER, and against faults that the service cannot be brought to.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import { Client, Problem, Unreachable } from "../../service/static/client/convlens.js";
import { eventsIn } from "../../service/static/client/events.js";
import { readNpy } from "../../service/static/client/npy.js";

const { CONVLENS_SERVER: server, CONVLENS_CAT: place, CONVLENS_KEY: apiKey } = process.env;
const cat = await readFile(place);
const client = new Client({ server, apiKey });

/** A server whose answers to the first, second … request are given as `[status, headers, body]`, and what it was asked. */
async function answering(t, answer) {
  const asked = [];
  const fake = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const [status, headers, content, isCut] = answer(asked.push({ method: request.method, url: request.url, headers: request.headers, body }) - 1, request.url);
    response.writeHead(status, headers);
    if (isCut) response.write(content, () => response.destroy());
    else response.end(content);
  });
  await new Promise((done) => fake.listen(0, "127.0.0.1", done));
  const { port } = fake.address();
  const stop = () => { fake.closeAllConnections(); fake.close(); };
  t.after(stop);
  return { asked, stop, client: (options = {}) => new Client({ server: `http://127.0.0.1:${port}/`, ...options }) };
}

const BUSY = [503, { "Retry-After": "0" }, '{"detail": "busy"}'];
const JSON_TYPE = { "Content-Type": "application/json" };
const STREAM = { "Content-Type": "text/event-stream" };

async function collected(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

test("a photograph is explained in numbers, as a picture and as a raw map", async () => {
  const { data: [first, second] } = await client.explainPhotographs({ image: new Blob([cat]), class_id: [285, 281], box: undefined });
  assert.deepEqual([first.explained.name, second.explained.class_id], ["Egyptian cat", 281]);
  const picture = await client.overlay(cat, { colormap: "jet" });
  assert.equal(picture.type, "image/png");
  const webp = await client.overlay(cat.buffer.slice(cat.byteOffset, cat.byteOffset + cat.length), {}, { accept: "image/webp" });
  assert.equal(webp.type, "image/webp");
  const map = await client.map(cat);
  assert.ok(map.values instanceof Float32Array);
  assert.deepEqual([map.width, map.height, map.values.length], [224, 224, 224 * 224]);
  const hottest = map.values.reduce((a, b) => Math.max(a, b));
  assert.ok(Math.abs(hottest - first.heatmap.maximum) < 1e-6);
});

test("lists and objects travel in forms", async () => {
  const { meta } = await client.evaluateMethod({ image: [cat], metrics: ["sparseness", "pointing_game"], box: [10, 10, 200, 200] });
  assert.deepEqual(meta.parameters.box, [10, 10, 200, 200]);
  const target = [{ class: 285 }, { class: 281, weight: -1 }];
  const { data: [{ explained }] } = await client.explainPhotographs({ image: cat, target });
  assert.equal(explained.target, "class:285 - class:281");
});

test("it knows the classes, models and methods", async () => {
  const { data: [{ predictions }] } = await client.classifyPhotographs({ image: cat });
  assert.equal(predictions[0].name, "Egyptian cat");
  assert.equal((await client.predictPhotographs({ image: cat })).data[0].task, "classification");
  const [{ name }] = await client.listModels();
  assert.ok((await client.listClasses({ name, query: "tarantula" })).some((one) => one.class_id === 76));
  assert.ok((await client.listMethods()).some((method) => method.name === "grad_cam"));
  assert.match(await client.showMetrics(), /convlens/);
});

test("a job is submitted once, watched, waited for, fetched and deleted", async () => {
  const asked = { kind: "class", class_id: 76, iterations: 6, size: 64, preview_every: 2, idempotency_key: `once-${process.pid}` };
  const job = await client.submit(asked);
  assert.equal((await client.submit(asked)).id, job.id);
  const events = await collected(client.streamEvents({ id: job.id }));
  assert.equal(events.at(-1).event, "end");
  assert.equal(events.filter((one) => one.event === "progress").at(-1).data.step, 6);
  const half = events.length >> 1;
  assert.deepEqual(await collected(client.streamEvents({ id: job.id, last_event_id: events[half].id })), events.slice(half + 1));
  assert.deepEqual(await collected(client.streamEvents({ id: job.id, last_event_id: events.at(-1).id })), []);
  assert.equal((await client.wait(job.id)).state, "succeeded");
  assert.equal((await client.showImage({ id: job.id })).type, "image/png");
  assert.ok((await client.listJobs({ kind: "class", limit: 5 })).data.some((one) => one.id === job.id));
  const unlike = await client.submit({ kind: "class", class_id: [76, 77], iterations: 2, size: 64 });
  assert.equal(unlike.total, 2);
  for (const one of [...unlike.data, job]) assert.equal(await client.delete({ id: one.id }), undefined);
  await assert.rejects(client.showJob({ id: job.id }), (error) => error instanceof Problem && error.status === 404);
});

test("a job is made of photographs, and a map as a job", async () => {
  const fooling = await client.submit({ kind: "fooling", image: cat, class_id: 817, iterations: 2 });
  const later = await client.explainLater(cat, { method: "gradient" });
  assert.equal((await client.wait(fooling.id)).state, "succeeded");
  assert.equal((await client.wait(later.id)).state, "succeeded");
  const { values, shape } = readNpy(await (await client.showArtifact({ id: later.id, name: "map.npy" })).arrayBuffer());
  assert.deepEqual([shape, values.length], [[224, 224], 224 * 224]);
});

test("what is refused is a problem with the words of the service", async () => {
  await assert.rejects(client.overlay(cat, { opacity: 7 }), (error) => {
    assert.ok(error instanceof Problem && error instanceof Error);
    assert.equal(error.status, 422);
    assert.equal(error.title, "Unprocessable Entity");
    assert.match(error.message, /opacity/);
    assert.match(error.errors[0].parameter, /opacity/);
    return true;
  });
  await assert.rejects(new Client({ server, apiKey: "cl_wrong" }).listModels(), { name: "Problem", status: 401 });
});

test("parts of paths stay parts of paths", async () => {
  await assert.rejects(client.showModel({ name: "../healthz" }), { name: "Problem", status: 404 });
  await assert.rejects(client.showModel({ name: "a b?c#d%2F" }), { name: "Problem", status: 404 });
  for (const name of ["..", ".", "", undefined, null]) await assert.rejects(client.showModel({ name }), TypeError);
});

test("the service must be named where the file did not come from one", () => assert.throws(() => new Client(), /name the service/));

test("bodies and queries travel as the operation says", async (t) => {
  const fake = await answering(t, () => [200, JSON_TYPE, "{}"]);
  const one = fake.client();
  const how = { headers: ["if-match"], query: ["a"] };
  const given = { id: "x/y", a: [1, 2], if_match: "t" };
  await one.request("PUT", "/things/{id}:do", { ...how, body: "whole" }, { ...given, body: new Blob(["zip"], { type: "application/zip" }) });
  await one.request("PUT", "/things/{id}:do", { ...how, body: "whole" }, { ...given, body: ["b"] });
  await one.request("PUT", "/things/{id}:do", { ...how, body: "json" }, { ...given, b: 1, c: null });
  await one.request("PUT", "/things/{id}:do", { ...how, body: "urlencoded" }, { ...given, b: "1 2" });
  assert.deepEqual(new Set(fake.asked.map(({ url, headers }) => `${url} ${headers["if-match"]}`)), new Set(["/things/x%2Fy:do?a=1&a=2 t"]));
  assert.deepEqual(fake.asked.map(({ headers, body }) => [headers["content-type"].split(";")[0], body]), [
    ["application/zip", "zip"], ["application/json", '["b"]'], ["application/json", '{"b":1,"c":null}'], ["application/x-www-form-urlencoded", "b=1+2"]]);
});

test("what is refused for now is sent again, under the same key", async (t) => {
  const fake = await answering(t, (number) => (number < 2 ? BUSY : [202, JSON_TYPE, '{"id": "a"}']));
  assert.deepEqual(await fake.client().submit({ kind: "class", class_id: 1 }), { id: "a" });
  const keys = fake.asked.map((one) => one.headers["idempotency-key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.deepEqual(JSON.parse(fake.asked[2].body), { kind: "class", class_id: 1 });
});

test("pauses beyond the patience, and senseless ones, are not waited for", async (t) => {
  for (const after of ["3600", "soon", "Infinity", new Date(Date.now() + 1e7).toUTCString()]) {
    const fake = await answering(t, () => [429, { "Retry-After": after }, '{"detail": "busy"}']);
    await assert.rejects(fake.client().listModels(), { name: "Problem", status: 429, message: "busy" });
    assert.equal(fake.asked.length, 1);
  }
});

test("answers that are no documents are problems all the same", async (t) => {
  for (const body of ["", "<html>", "null", "[]", '{"detail": null}']) {
    const fake = await answering(t, () => [502, { "Content-Type": "text/html" }, body]);
    await assert.rejects(fake.client().listModels(), { name: "Problem", status: 502, message: "status 502" });
  }
});

test("an answer that is cut off is told apart from one that is refused", async (t) => {
  const fake = await answering(t, () => [200, JSON_TYPE, '[{"name":', true]);
  await assert.rejects(fake.client().listModels(), Unreachable);
  const broken = await answering(t, () => [200, JSON_TYPE, "{"]);
  await assert.rejects(broken.client().listModels(), SyntaxError);
});

test("a job that is missing after a failure has been deleted", async (t) => {
  const fake = await answering(t, (number) => (number === 0 ? BUSY : [404, {}, '{"detail": "there is no job"}']));
  assert.equal(await fake.client().delete({ id: "a" }), undefined);
  await assert.rejects(fake.client().delete({ id: "a" }), { status: 404 });
});

test("a stream that was cut is taken up where it was", async (t) => {
  const begun = 'event: progress\r\ndata: {"step":\r\ndata: 1}\r\nid: 1-0\r\n\r\n: still here\n\ndata:\n\nevent: progress\nda';
  const fake = await answering(t, (number) => (number < 2 ? [200, STREAM, begun, number === 1] : [200, STREAM, "event: end\ndata: {}\n\n"]));
  const events = await collected(fake.client().streamEvents({ id: "a", last_event_id: "0-7" }));
  const progress = { event: "progress", data: { step: 1 }, id: "1-0" };
  assert.deepEqual(events, [progress, progress, { event: "end", data: {} }]);
  assert.deepEqual(fake.asked.map((one) => one.headers["last-event-id"]), ["0-7", "1-0", "1-0"]);
});

test("a stream that never ends well is given up", async (t) => {
  const fake = await answering(t, () => [200, STREAM, ""]);
  await assert.rejects(collected(fake.client({ patience: 0.3 }).streamEvents({ id: "a" })), Unreachable);
  assert.ok(fake.asked.length > 1);
  fake.stop();
  await assert.rejects(collected(fake.client({ patience: 0 }).streamEvents({ id: "a" })), Unreachable);
});

test("events are read however they are cut into pieces", async () => {
  const text = 'event: a\r\ndata: "é"\r\n\r\nevent:b\rdata\rid: 1: 2\r\rdata: left out';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    assert.deepEqual(await collected(eventsIn(ReadableStream.from(pieces))), [{ event: "a", data: '"é"' }, { event: "b", data: "", id: "1: 2" }]);
  }
});

test("waiting goes on while the service is away, and ends in time", async (t) => {
  const fake = await answering(t, (number) => (number === 0 ? [500, {}, ""] : [200, JSON_TYPE, '{"state": "succeeded"}']));
  assert.equal((await fake.client().wait("a")).state, "succeeded");
  fake.stop();
  await assert.rejects(fake.client().wait("a", { timeout: 0.3 }), { name: "TimeoutError" });
  await assert.rejects(fake.client().listModels(), Unreachable);
});

test("a signal ends requests, pauses and streams", async (t) => {
  const reason = new Error("enough");
  await assert.rejects(client.overlay(cat, {}, { signal: AbortSignal.abort(reason) }), reason);
  const answers = { "/models": [503, { "Retry-After": "30" }, "{}"], "/visualize/a?wait=20": [200, JSON_TYPE, '{"state": "running"}'] };
  const fake = await answering(t, (_, url) => answers[url] ?? [200, STREAM, "event: a\ndata: {}\n\n"]);
  const one = fake.client();
  const asks = [(signal) => one.listModels({}, { signal }), (signal) => collected(one.streamEvents({ id: "a" }, { signal })), (signal) => one.wait("a", { signal })];
  for (const ask of asks) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 50);
    await assert.rejects(ask(stop.signal), reason);
  }
});

test("numbers that are none are told", () => {
  for (const text of ["", "no numbers at all here"]) assert.throws(() => readNpy(new TextEncoder().encode(text).buffer), /no file of the format/);
});
