// Made of the OpenAPI document by `make client`; changes are lost.
import { Transport } from "./transport.js";

/** A method for each request of the API. */
export class Operations extends Transport {
  /**
   * A heatmap of the pixels that the score of a class depends on.
   *
   * `Accept: image/png`, `image/webp` or `image/jpeg` gives a picture, `application/json` the numbers and the map,
   * `application/x-npy` the raw map (float32, not normalized). Several classes give several maps: in a picture side by
   * side, in JSON one after the other.
   * The same image and parameters give the same picture, byte for byte.
   *
   * `mode=job` answers 202 with a job, or with a batch for several images or classes; the job's picture is at
   * `/visualize/{id}/image`, its raw map at `/visualize/{id}/artifacts/map.npy`.
   */
  explainPhotographs(parameters, options) {
    return this.request("POST", "/saliency", { headers: ["idempotency-key"], body: "form" }, parameters, options);
  }

  /** The five most probable classes of each photograph. */
  classifyPhotographs(parameters, options) {
    return this.request("POST", "/classify", { body: "form" }, parameters, options);
  }

  /**
   * The feature maps of layers.
   *
   * `Accept: image/png` gives a grid of the strongest maps of one layer, `application/x-npy` all numbers of one layer
   * (float32, channels x height x width), `application/json` a summary and a grid of every layer asked for.
   */
  showActivations(parameters, options) {
    return this.request("POST", "/activations", { body: "form" }, parameters, options);
  }

  /**
   * The factors of a layer: few directions in the space of its channels, of which all activations are made.
   *
   * They are found in all photographs of the request together (non-negative matrix factorization), so that one colour
   * means the same in all of them. `Accept: image/png` shows where each factor is, and how much it adds to the score of
   * the class, `application/json` also which channels it is made of, `application/x-npy` the maps of the factors
   * (float32, photographs x factors x height x width). The same photographs and parameters give the same factors.
   */
  findConceptsInPhotographs(parameters, options) {
    return this.request("POST", "/concepts", { body: "form" }, parameters, options);
  }

  /**
   * What each channel of a layer carries of the score of a class for a photograph (Dhamdhere et al. 2018).
   *
   * The conductance of a neuron is what passes through it along the path of integrated gradients, from a baseline to the
   * photograph; that of a channel is the sum over its places, and that of a layer the difference of the scores at both
   * ends. `application/json` gives a ranked table, `image/png` the maps of the channels that carry most, orange where
   * they speak for the class and blue where against it, `application/x-npy` the conductance of every neuron
   * (float32, channels x height x width).
   */
  showConductance(parameters, options) {
    return this.request("POST", "/conductance", { body: "form" }, parameters, options);
  }

  /**
   * Test a class with a concept that you show in pictures (Kim et al. 2018).
   *
   * In the activations of a layer the direction from random pictures to those of the concept is found (logistic
   * regression). The TCAV score is the share of the photographs of the class whose score grows in that direction, and it
   * is compared with the scores of directions between random pictures. `application/json` gives the numbers, `image/png`
   * a plot. Send about twenty pictures of the concept, at least as many random ones and ten photographs of the class.
   */
  runTcav(parameters, options) {
    return this.request("POST", "/tcav", { body: "form" }, parameters, options);
  }

  /** All metrics of `/evaluate` and `/compare`, with what they can and cannot tell. */
  listMetrics(parameters, options) {
    return this.request("GET", "/evaluate/metrics", {}, parameters, options);
  }

  /**
   * Put a method to the test on a photograph.
   *
   * By default deletion and insertion (Petsiuk et al. 2018), completeness, the cascading randomization of the weights
   * (Adebayo et al. 2018), sparseness and complexity; `metrics` names others. Random and edge-detector maps are measured
   * beside, so that the numbers mean something. With a `box`, or a `mask` as a second file, it is measured whether the
   * map is where the object is. `application/json` gives the numbers and curves, `image/png` a plot. It takes some
   * seconds.
   */
  evaluateMethod(parameters, options) {
    return this.request("POST", "/evaluate", { body: "form" }, parameters, options);
  }

  /**
   * Compare several methods by several metrics on one or several photographs.
   *
   * `application/json` gives a table of methods and metrics (means over the photographs), the rank of each method in
   * each metric, mean ranks, and the time and the number of runs of each method; `image/png` the maps over the
   * photographs with the numbers under them. Random and edge-detector maps are measured beside. Boxes or masks say where
   * the object is, one for each photograph. It takes some seconds for each.
   */
  compareMethods(parameters, options) {
    return this.request("POST", "/compare", { body: "form" }, parameters, options);
  }

  /** All attribution methods of `/saliency`. */
  listMethods(parameters, options) {
    return this.request("GET", "/methods", {}, parameters, options);
  }

  /**
   * Start a job. The answer says where to look for the picture.
   *
   * From noise: a picture of a class (`kind` `class`, the default), of a channel (`neuron`), small ones of many channels
   * (`spritemap`). From a photograph, sent as a form: one that fools the network (`fooling`), what a layer knows of it
   * (`inversion`) or finds remarkable (`caricature`), a dream (`deepdream`), the style of another picture (`style`).
   */
  submit(parameters, options) {
    return this.request("POST", "/visualize", { headers: ["idempotency-key"], body: "jsonOrForm" }, parameters, options);
  }

  /** Jobs, newest first. */
  listJobs(parameters, options) {
    return this.request("GET", "/visualize", {}, parameters, options);
  }

  /** A batch and its jobs. */
  showBatch(parameters, options) {
    return this.request("GET", "/visualize/batches/{batch}", {}, parameters, options);
  }

  /** A job as it stands. */
  showJob(parameters, options) {
    return this.request("GET", "/visualize/{id}", { headers: ["if-none-match"] }, parameters, options);
  }

  /** Forget a job and its pictures, whatever its state. */
  delete(parameters, options) {
    return this.request("DELETE", "/visualize/{id}", {}, parameters, options);
  }

  /** The finished picture; of a cancelled job the last one it had. */
  showImage(parameters, options) {
    return this.request("GET", "/visualize/{id}/image", { accept: "image/png" }, parameters, options);
  }

  /** An artifact of the job: anything it made other than its picture. */
  showArtifact(parameters, options) {
    return this.request("GET", "/visualize/{id}/artifacts/{name}", { accept: "application/octet-stream" }, parameters, options);
  }

  /** The preview after a step. */
  showFrame(parameters, options) {
    return this.request("GET", "/visualize/{id}/frames/{step}", { accept: "image/png" }, parameters, options);
  }

  /** The previews so far, one after the other. */
  showAnimation(parameters, options) {
    return this.request("GET", "/visualize/{id}/animation", { accept: "image/gif" }, parameters, options);
  }

  /**
   * Server-sent events: `state`, `progress`, `preview`, and `end` as the last one, also of a job that is deleted.
   *
   * All that happened is told from the beginning, or from `Last-Event-ID` on. If that was the `end`, the answer is 204.
   * A stream ends early when its key is withdrawn.
   */
  streamEvents(parameters, options) {
    return this.stream("/visualize/{id}/events", { headers: ["last-event-id"] }, parameters, options);
  }

  /** Stop a job at its next step; its latest picture is kept. A job that is over stays as it is. */
  cancel(parameters, options) {
    return this.request("POST", "/visualize/{id}/cancel", {}, parameters, options);
  }

  /** All models, and for those that cannot be served the reason. */
  listModels(parameters, options) {
    return this.request("GET", "/models", {}, parameters, options);
  }

  /**
   * Read the models folder again. New models are tried out first, in the background, and then served.
   *
   * Where the service asks for keys, for keys with the role `admin`.
   */
  reloadModels(parameters, options) {
    return this.request("POST", "/models/reload", {}, parameters, options);
  }

  /** One model: its layers, preprocessing and hashes. */
  showModel(parameters, options) {
    return this.request("GET", "/models/{name}", {}, parameters, options);
  }

  /** The layers of a model that can be looked at, in the order in which they are computed. */
  listLayers(parameters, options) {
    return this.request("GET", "/models/{name}/layers", {}, parameters, options);
  }

  /** The classes of a model whose names contain ``query``; all without one. */
  listClasses(parameters, options) {
    return this.request("GET", "/models/{name}/classes", {}, parameters, options);
  }

  /**
   * What the network says of photographs: classes, those that apply, numbers, a mask, boxes, or a vector.
   *
   * That depends on its `task`, see `GET /models/{name}`. `Accept: image/png` gives the mask or the boxes over
   * the photograph.
   */
  predictPhotographs(parameters, options) {
    return this.request("POST", "/predict", { body: "form" }, parameters, options);
  }

  /** Counters and histograms in the text format of Prometheus. */
  showMetrics(parameters, options) {
    return this.request("GET", "/metrics", { accept: "text/plain" }, parameters, options);
  }

  /** The server and the extensions of the protocol that it knows. */
  showServer(parameters, options) {
    return this.request("GET", "/v2", {}, parameters, options);
  }

  /**
   * The input and the outputs of a model. There is one version of each, `/v2/models/{name}/versions/1`.
   *
   * The input is what the service makes of photographs, whatever the file takes: RGB from 0 to 1, the colours first.
   * Beside FP32 it takes FP16 and FP64, UINT8 as (N, height, width, 3), and image files as BYTES (N).
   */
  showMetadata(parameters, options) {
    return this.request("GET", "/v2/models/{name}", {}, parameters, options);
  }

  /** The model answers. */
  isModelReady(parameters, options) {
    return this.request("GET", "/v2/models/{name}/ready", {}, parameters, options);
  }

  /**
   * The outputs of a model for pictures.
   *
   * Tensors are numbers in JSON, or bytes behind it; then the header `Inference-Header-Content-Length` tells the length
   * of the JSON.
   */
  runModel(parameters, options) {
    return this.request("POST", "/v2/models/{name}/infer", { body: "json" }, parameters, options);
  }

  /** The models that answer. */
  listNames(parameters, options) {
    return this.request("GET", "/v1/models", {}, parameters, options);
  }

  /** The model answers. */
  isModelReadyV(parameters, options) {
    return this.request("GET", "/v1/models/{name}", {}, parameters, options);
  }

  /** What a network says of pictures. */
  predict(parameters, options) {
    return this.request("POST", "/v1/models/{name}:predict", { body: "json" }, parameters, options);
  }

  /**
   * A map of the pixels that the score of a class, or another target, depends on, for each picture.
   *
   * `parameters` are those of `POST /saliency`: the `method` with its own, `class_id`, `other_class_id` or `target`.
   */
  explainInstances(parameters, options) {
    return this.request("POST", "/v1/models/{name}:explain", { body: "json" }, parameters, options);
  }

  /** The process is alive; which execution provider it uses. */
  health(parameters, options) {
    return this.request("GET", "/healthz", {}, parameters, options);
  }

  /** The service has warmed up. */
  ready(parameters, options) {
    return this.request("GET", "/readyz", {}, parameters, options);
  }

  /** Remember a key for this browser. */
  enter(parameters, options) {
    return this.request("POST", "/session", { body: "urlencoded" }, parameters, options);
  }

  /** Forget it. */
  leave(parameters, options) {
    return this.request("DELETE", "/session", {}, parameters, options);
  }

  /** The process is alive. */
  isLive(parameters, options) {
    return this.request("GET", "/v2/health/live", {}, parameters, options);
  }

  /** The service has warmed up. */
  isReady(parameters, options) {
    return this.request("GET", "/v2/health/ready", {}, parameters, options);
  }
}
