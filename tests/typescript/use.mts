// What the types of the client let pass, and what not; compiled only.
import "../../service/static/client/convlens-saliency.js";
import { Client, Problem, Unreachable, type JobAnswer, type MethodAnswer, type Numbers, type SaliencyAnswer } from "../../service/static/client/convlens.js";

const client = new Client({ server: "http://localhost:8000", apiKey: "cl_key", patience: 10 });
const photograph = new Blob([]);

const numbers: SaliencyAnswer = await client.explainPhotographs({ image: photograph, method: "grad_cam", class_id: [1, 2] });
const picture: Blob = await client.explainPhotographs({ image: [photograph], class_id: 285 }, { accept: "image/webp" });
const raw: Numbers = await client.explainPhotographs({ image: new Uint8Array(3) }, { accept: "application/x-npy" });
const map = await client.map(photograph, { target: "log_odds:285" });
const hottest: number = Math.max(...map.values);
const drawn: Blob = await client.overlay(photograph, { colormap: "jet" }, { signal: AbortSignal.timeout(1000) });

const job = await client.submit({ kind: "class", class_id: 76, preset: "lucid", idempotency_key: "tarantula" });
if ("state" in job) {
  for await (const { event, data, id } of client.streamEvents({ id: job.id })) console.log(event, data.step, id);
  const done: JobAnswer = await client.wait(job.id, { timeout: 60 });
  const made: Blob = await client.showImage({ id: done.id, latest: true });
  console.log(made.size);
}
await client.submit({ kind: "style", image: photograph, style_image: photograph });
const methods: MethodAnswer[] = await client.listMethods();
const nothing: undefined = await client.delete({ id: "x" });
const metrics: string = await client.showMetrics();
try {
  await client.listModels(undefined, { signal: AbortSignal.timeout(1000) });
} catch (error) {
  if (error instanceof Problem) console.log(error.status, error.detail, error.errors[0].parameter, error.retryAfter);
  if (error instanceof Unreachable) console.log(error.message, error.cause);
}
console.log(numbers.data[0].explained.name, picture, raw, hottest, drawn, methods, nothing, metrics);

// @ts-expect-error: no such request
client.nonsense();
// @ts-expect-error: a photograph is needed
client.explainPhotographs({});
// @ts-expect-error: no such colours
client.overlay(photograph, { colormap: "pink" });
// @ts-expect-error: no such parameter
client.classifyPhotographs({ image: photograph, colour: "red" });
// @ts-expect-error: an id is needed
client.showJob();
// @ts-expect-error: no such kind of job
client.submit({ kind: "nonsense" });
// @ts-expect-error: text does not come as a picture
client.listModels(undefined, { accept: "image/png" });

const element = document.querySelector("convlens-saliency");
if (element) element.file = photograph;
document.addEventListener("convlens-explained", ({ detail }) => console.log(detail.data[0].explained.score));
