import type { SaliencyAnswer } from "./operations.js";

/**
 * A photograph, and over it the pixels that a class depends on.
 *
 * Attributes: `src` (address of the photograph) or `file` (the visitor chooses one), `alt` (what it shows), `server`
 * and `api-key` (of the service; by default the one that the module came from), and of the question `model`, `method`,
 * `class-id` (by default the most probable one), `target`, `opacity` and `colormap`.
 */
export class ConvlensSaliency extends HTMLElement {
  /** A photograph of the visitor, instead of `src`. */
  file: Blob | null;
}

declare global {
  interface HTMLElementTagNameMap {
    "convlens-saliency": ConvlensSaliency;
  }
  interface GlobalEventHandlersEventMap {
    "convlens-explained": CustomEvent<SaliencyAnswer>;
    "convlens-error": CustomEvent<Error>;
  }
}
