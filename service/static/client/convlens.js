// The client of convlens for browsers and Node. `operations.js` has a method for each request of the API; this adds what takes several.
import { Operations } from "./operations.js";
import { now, pause, pauseAfterFailure } from "./transport.js";

export { Problem, Unreachable } from "./errors.js";

const UNFINISHED = ["queued", "running", "cancelling"];
const POLL_SECONDS = 20;

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Asks a service. `new Client()` asks the one that this file was loaded from. */
export class Client extends Operations {
  /** The map of a photograph in colours, laid over it, or alone with `output: "heatmap"`: a PNG. */
  overlay(image, question = {}, options = {}) {
    return this.explainPhotographs({ image, ...question }, { accept: "image/png", ...options });
  }

  /** The raw map of a photograph, of what the network saw, not normalized: `{ values, width, height }`, row by row. */
  async map(image, question = {}, options = {}) {
    const { values, shape: [height, width] } = await this.explainPhotographs({ image, ...question }, { ...options, accept: "application/x-npy" });
    return { values, width, height };
  }

  /** A saliency map as a job, for methods that take long; several photographs or classes make a batch. */
  explainLater(image, question = {}, options = {}) {
    return this.explainPhotographs({ idempotency_key: newKey(), image, ...question, mode: "job" }, options);
  }

  /** Start a job. Without a key of your own it gets one, so that sending it again makes no second job. */
  submit(parameters, options) {
    return super.submit({ idempotency_key: newKey(), ...parameters }, options);
  }

  /** A job at its end; ever longer pauses while the service cannot be reached. Throws a "TimeoutError". */
  async wait(id, { timeout = 3600, signal } = {}) {
    const deadline = now() + timeout;
    for (let tries = 0; ;) {
      const left = Math.max(deadline - now(), 0);
      try {
        const job = await this.showJob({ id, wait: Math.min(POLL_SECONDS, left) }, { signal });
        if (!UNFINISHED.includes(job.state)) return job;
        tries = 0;
      } catch (error) {
        await pause(Math.min(pauseAfterFailure(error, tries++, Infinity), left), signal);
      }
      if (left === 0) throw new DOMException(`the job ${id} is not done after ${timeout} seconds`, "TimeoutError");
    }
  }
}
