import { BatchAnswer, ExplainPhotographsParameters, JobAnswer, Operations } from "./operations.js";
import type { Options, Picture } from "./transport.js";

export * from "./errors.js";
export * from "./operations.js";
export type { ClientOptions, Numbers, Options, Picture, ServerEvent } from "./transport.js";

/** One map, row by row. */
export interface SaliencyValues {
  values: Float32Array;
  width: number;
  height: number;
}

/** What is asked about a photograph. */
export type Question = Omit<ExplainPhotographsParameters, "image" | "mode">;

/** Asks a service. `new Client()` asks the one that this file was loaded from. Throws `Problem` and `Unreachable`. */
export class Client extends Operations {
  /** The map of a photograph in colours, laid over it, or alone with `output: "heatmap"`: a PNG. */
  overlay(image: Picture, question?: Question, options?: Options & { accept?: "image/png" | "image/webp" | "image/jpeg" }): Promise<Blob>;

  /** The raw map of a photograph, of what the network saw, not normalized. */
  map(image: Picture, question?: Question, options?: Options): Promise<SaliencyValues>;

  /** A saliency map as a job, for methods that take long; several photographs or classes make a batch. */
  explainLater(image: Picture | Picture[], question?: Question, options?: Options): Promise<JobAnswer | BatchAnswer>;

  /** A job at its end, looked for at most `timeout` seconds, 3600 by default. Throws a `DOMException`, "TimeoutError". */
  wait(id: string, options?: Options & { timeout?: number }): Promise<JobAnswer>;
}
