// Made of the OpenAPI document by `make client`; changes are lost.
import type { Numbers, Options, Picture, ServerEvent, Transport } from "./transport.js";

/** Answer of `POST /activations`: one entry per layer. */
export interface ActivationAnswer {
  meta: Meta;
  data: LayerActivation[];
}

/** A batch: how many of its jobs are in which state, and the jobs in the order of the classes. */
export interface BatchAnswer {
  id: string;
  total: number;
  states: Record<string, number>;
  data: JobAnswer[];
}

export interface Body_enter_session_post {
  /** An API key. */
  key: string;
}

/** A feature map in numbers. */
export interface ChannelActivation {
  channel: number;
  mean: number;
  maximum: number;
}

/** What a channel carries of the score. */
export interface ChannelConductance {
  channel: number;
  /** In units of the score; negative where it speaks against it. */
  conductance: number;
  /** Of what the whole layer carries; null where that is 0. */
  share: number | null;
}

/** The part of a channel in a factor. */
export interface ChannelWeight {
  channel: number;
  /** The weights of all channels have a square sum of 1. */
  weight: number;
}

/** A class of a model. */
export interface ClassName {
  class_id: number;
  name: string;
}

/** What the network sees in one picture. */
export interface Classified {
  /** The most probable classes, best first. */
  predictions: Prediction[];
}

/** Answer of `POST /classify`: one entry per image, in the order sent. */
export interface ClassifyAnswer {
  meta: Meta;
  data: Classified[];
}

/** Answer of `POST /compare`. */
export interface CompareAnswer {
  meta: Meta;
  data: ComparisonResult;
}

/** A method among others. */
export interface ComparedMethod {
  name: string;
  /** The mean of its ranks in all metrics; 1 for the best of all. */
  mean_rank: number;
  /** Runs of the network that a map takes. */
  runs: number;
  /** Time that a map took, the least of all photographs: a first one may wait for its graph. */
  seconds: number;
  /** What to beware of when reading its maps. */
  warning: string | null;
}

/** A metric of several methods. */
export interface ComparedMetric {
  name: string;
  /** Which values are better. */
  better: "larger" | "smaller";
  /** What it can and cannot tell. */
  limits: string;
  /** By method, and for `random` and `edges`: the mean over the photographs; null if undefined. */
  values: Record<string, number | null>;
  /** By method; 1 for the best. Equal ones share the mean of theirs. */
  ranks: Record<string, number>;
}

/** One of the photographs, and the class that was explained. */
export interface ComparedPhotograph {
  /** Null for a target other than a class. */
  class_id: number | null;
  name: string | null;
  /** Null where the scores are no probabilities. */
  probability: number | null;
  /** Of the class, where it is no probability. */
  score?: number | null;
  /** Which of the photographs sent, from 0. */
  image: number;
  /** By metric, then by method or baseline. */
  metrics: Record<string, Record<string, number | null>>;
}

/** Several methods put to the same tests. */
export interface ComparisonResult {
  /** What the numbers can and cannot tell. */
  reading: string;
  /** In the order of their mean ranks. */
  methods: ComparedMethod[];
  metrics: ComparedMetric[];
  photographs: ComparedPhotograph[];
}

/** Whether the map sums up to what the score has gained over a black picture, as integrated gradients promise. */
export interface Completeness {
  map_sum: number;
  score_difference: number;
}

/** Answer of `POST /concepts`. */
export interface ConceptsAnswer {
  meta: Meta;
  data: ConceptsOfLayer;
}

/** The factors of a layer. */
export interface ConceptsOfLayer {
  layer: string;
  /** The most important first. */
  factors: FactorAnswer[];
  /** The norm of what the factors leave over, as a share of that of the activations. */
  relative_error: number;
  /** Share of the squared activations that is below 0; factors are of what is above. */
  negative: number;
  /** In the order sent. */
  photographs: FactorsOfPhotograph[];
  /** The photographs in the colours of the factors: a PNG in base64. */
  png: string;
}

/** Answer of `POST /conductance`. */
export interface ConductanceAnswer {
  meta: Meta;
  data: ConductanceOfLayer;
}

/** What the channels of a layer carry of the score of a class. */
export interface ConductanceOfLayer {
  /** The most probable classes, best first. */
  predictions: Prediction[];
  layer: string;
  /** The class that is carried. */
  explained: Prediction;
  /** The class in contrast. */
  other_class_id: number | null;
  /** The score of the class; in contrast, less that of the other class. */
  score: number;
  /** The score less that at the baseline. */
  score_difference: number;
  /**
   * What all channels carry less `score_difference`: small for enough `steps`, unless the score depends on paths that pass
   * by the layer.
   */
  completeness_error: number;
  /** Number of channels of the layer. */
  channels: number;
  /** The channels that carry most, in whichever direction, at most `channels` of them. */
  strongest: ChannelConductance[];
  /** Where they carry it, strongest first: a PNG in base64. */
  png: string;
}

/** A class of a segmentation. */
export interface Covered {
  class_id: number;
  name: string;
  /** Of the places that the network sees. */
  share: number;
  /** Lengths of runs without and with the class by turns, column by column (as in COCO). */
  run_lengths: number[];
}

/** Probability of the class while pixels are taken away or put back, the hottest first. */
export interface CurveAnswer {
  /** Share of the pixels. */
  fractions: number[];
  /** Probability when they are black. */
  deletion: number[];
  /** Probability when only they are sharp. */
  insertion: number[];
  /** Under the deletion curve: less is better. */
  deletion_area: number;
  /** Under the insertion curve: more is better. */
  insertion_area: number;
}

/** Answer of `POST /evaluate`. */
export interface EvaluateAnswer {
  meta: Meta;
  data: EvaluationResult;
}

/** A method put to the test on one photograph. */
export interface EvaluationResult {
  /** Null for a target other than a class. */
  class_id: number | null;
  name: string | null;
  /** By map: that of the method, `random` and `edges`. Empty unless both `deletion` and `insertion` are measured. */
  curves: Record<string, CurveAnswer>;
  completeness: Completeness;
  /** Of `cascading_randomization`, if it is measured. */
  randomization: RandomizationStage[];
  /** By metric, then by map: that of the method, `random` and `edges`. See `GET /evaluate/metrics`. */
  metrics: Record<string, Record<string, MeasuredAnswer>>;
  /** What the method has to say beside its map. */
  notes: Record<string, number>;
}

/** The score that a map explains. */
export interface Explained {
  /** Null for a target other than a class. */
  class_id: number | null;
  name: string | null;
  probability: number | null;
  /** The target, if it was not a class. */
  target: string | null;
  /** The class in contrast. */
  other_class_id: number | null;
  /** The differentiated value; in contrast, less that of the other class. */
  score: number;
  /**
   * Name of the differentiated value in the graph. A score that is exactly 0 behind a final ReLU has no gradient; then the
   * value before that ReLU is taken.
   */
  value: string;
  /** Whether the map is zero everywhere, so that it says nothing. */
  zero_gradient: boolean;
  /** What the method says beside its map: its `samples` and `relative_error`. */
  notes: Record<string, number>;
  /** What to beware of when reading a map of this method. */
  warning: string | null;
}

/** An instance, explained. */
export interface ExplainedInstance {
  /** The most probable classes, best first. */
  predictions: Prediction[];
  explained: Explained;
  /** What the network saw: left, upper, right and lower edge in pixels of the picture sent. */
  box: [number, number, number, number];
  /** Row by row, not normalized: how far the score depends on each pixel that the network saw. */
  map: number[][] | File;
}

/** Answer to `:explain`, one entry for each instance. */
export interface Explanations {
  explanations: ExplainedInstance[];
}

/** A factor of a layer. */
export interface FactorAnswer {
  /** In which pictures show it. */
  colour: string;
  /** What it adds to the score of the class, the mean over the photographs. */
  importance: number;
  /** The channels with the largest weights. */
  channels: ChannelWeight[];
}

/** The factors in one photograph. */
export interface FactorsOfPhotograph {
  /** The most probable classes, best first. */
  predictions: Prediction[];
  /** The class that the importances are about. */
  explained: Prediction;
  /** The score of that class. */
  score: number;
  /** What each factor adds to the score: gradient times activation, summed over all places. */
  importances: number[];
  /** Gradient times activation of the whole layer; the factors leave the rest unexplained. */
  total: number;
  /** Where each factor is the strongest: x and y, as shares of what the network saw. */
  places: ([number, number])[];
}

/** A file in JSON. */
export interface File {
  b64: string;
}

/** The state of the process. */
export interface Health {
  status?: "ok";
  version: string;
  provider: string;
  models: string[];
}

/** The outputs of a model. */
export interface InferAnswer {
  model_name: string;
  model_version: string;
  id?: string | null;
  outputs: OutputTensor[];
}

/** A job as it stands. Times are seconds since the epoch; steps count from 0. */
export interface JobAnswer {
  id: string;
  kind: string;
  batch: string | null;
  state: State;
  /** When it entered each state. */
  times: Record<string, number>;
  /** The class drawn, aimed at or explained, if there is one. */
  class_id: number | null;
  class_name: string | null;
  /** Finished steps. */
  step: number;
  /** All steps. */
  steps: number;
  /** What is climbed, at the last step: of the class, of the channel, or minus the loss. */
  score: number | null;
  /** Of the class among all, at the last step; 1 is the top. */
  rank: number | null;
  /** The score at each step so far; in lists of jobs it is empty. */
  trace: number[];
  /** First step at which the class was the top one. */
  first_at_rank_1: number | null;
  /** Steps whose score was exactly 0, with a zero gradient; there the value before the last ReLU was climbed. */
  steps_before_relu: number;
  /** How often a start with a zero gradient was drawn again. */
  restarts: number;
  /** Jobs that will be begun before this one, while it is queued: an estimate, as if keys took turns with one job each. */
  position: number | null;
  /** How often it was begun by a worker that was not stopped in order. */
  attempts: number;
  /** Every parameter, defaults filled in. */
  parameters: Record<string, unknown>;
  /** Step of the newest preview. */
  preview: number | null;
  /** What the network sees in the finished picture. */
  result: Record<string, unknown> | null;
  /** Why it has failed: a problem document. */
  problem: Record<string, unknown> | null;
  links: Links;
}

/** A page of jobs, newest first. cursor: send it to get the next page; null on the last one. */
export interface JobList {
  data: JobAnswer[];
  cursor: string | null;
}

/** What one layer holds. */
export interface LayerActivation {
  layer: string;
  channels: number;
  /** Height and width of a feature map. */
  size: [number, number];
  mean: number;
  /** Share of the values that are above 0. */
  active: number;
  /** The channels with the highest means, at most `channels` of them. */
  strongest: ChannelActivation[];
  /** Their feature maps as a grid, strongest first: a PNG in base64. */
  png: string;
}

/** A layer of a model. */
export interface LayerAnswer {
  name: string;
  /** The ONNX operator that computes it. */
  operator: string;
  channels: number;
  /** Tokens before those of the grid, such as a class token, for the tokens of a transformer. */
  leading: number | null;
  /** Height and width, for a picture of the model's size. */
  size: [number, number] | null;
  /** Whether the manifest names it as one of interest. */
  listed: boolean;
  /** Whether class activation maps look here by default. */
  default: boolean;
}

/** Where the parts of a job are. */
export interface Links {
  self: string;
  image: string;
  frames: string[];
  animation: string;
  events: string;
  cancel: string;
  batch: string | null;
  /** What the job made beside its picture, by name. */
  artifacts: Record<string, string>;
}

/** Whether the process is alive. */
export interface Live {
  live?: true;
}

/** The class of each place. */
export interface Mask {
  width: number;
  height: number;
  /** What of the photograph it covers: left, upper, right, lower, in pixels. */
  box: [number, number, number, number];
  /** The classes that are there, the largest first. */
  classes: Covered[];
  /** A grey PNG in base64 whose levels are class ids, 255 for none. */
  png: string;
}

/** What a metric says of a map. */
export interface MeasuredAnswer {
  /** Null where it is not defined, for a map of zeros for instance. */
  value: number | null;
  /** Where the series was taken that the value sums up: shares of the pixels, layers or a class. */
  at: (number | string)[];
  series: number[];
}

/** How an answer was made. */
export interface Meta {
  model: string;
  /** Hash of the ONNX file. */
  model_sha256: string;
  /** Hash of the weights that the file was built from. */
  weights_sha256: string | null;
  /** Execution provider: `cpu` or `cuda`. */
  provider: string;
  /** Version of the service. */
  version: string;
  /** Every parameter, defaults filled in. */
  parameters: Record<string, unknown>;
  /** Duration of each stage, in milliseconds. */
  timings_ms: Record<string, number>;
}

/** An attribution method. */
export interface MethodAnswer {
  name: string;
  /** What it works with: gradients, paths, coalitions of cells and so on. */
  family: string;
  /** What the map shows. */
  summary: string;
  /** When to use it, and when not. */
  when: string;
  paper: string;
  /** What to beware of. */
  warning: string | null;
  /** Which values of its map a picture shows by default. */
  sign: "absolute" | "positive" | "negative";
  /** What a network must have; null if any network will do. */
  needs: "attention" | null;
  /** Runs of the network for a picture of 224 x 224 with the default parameters. */
  evaluations: number;
  /** JSON Schema of each parameter. */
  parameters: Record<string, unknown>;
}

/** A metric of saliency maps. */
export interface MetricAnswer {
  name: string;
  /** What is measured. */
  summary: string;
  paper: string;
  /** Which values are better. */
  better: "larger" | "smaller";
  /** What it can and cannot tell. */
  limits: string;
  /** Whether it is measured unless others are named. */
  default: boolean;
  /** Whether it needs a `box` or a `mask`. */
  needs_region: boolean;
  /** Runs of the network for a method that takes one run, and the baselines, with the default parameters of `/evaluate`. */
  evaluations: number;
}

/** Everything about a model but its class names. */
export interface ModelDetails {
  name: string;
  title: string;
  classes: number;
  default: boolean;
  /** Whether it can be used now; not while it is being tried out. */
  served: boolean;
  /** Why it is not served. */
  problem: string | null;
  source: string;
  sha256: string;
  weights_sha256: string | null;
  /** Short side of what the network was trained on, in pixels. */
  size: number;
  /** Height of what the network was trained on, in pixels. */
  height: number;
  /** Width of what the network was trained on, in pixels. */
  width: number;
  /** What it tells; `POST /predict` answers in that way. */
  task: "classification" | "multilabel" | "regression" | "segmentation" | "detection" | "embedding";
  /** Values that targets like `output:NAME[0]` can name, the scores first. */
  outputs: string[];
  /** What makes probabilities of the scores; `none` where they are no probabilities. */
  scores: "softmax" | "sigmoid" | "none";
  /** Whether it takes pictures of other sizes too. */
  any_size: boolean;
  /** Whether its numbers are rounded; gradients pass the rounding as if it were not there. */
  quantized: boolean;
  /** Layers of interest; all of them are at `/models/{name}/layers`. */
  layers: string[];
  preprocessing: Record<string, unknown>;
}

/** A model. */
export interface ModelMetadata {
  name: string;
  versions: string[];
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
}

/** The models that answer. */
export interface ModelNames {
  models: string[];
}

/** A model that answers. For one that does not there is an error. */
export interface ModelReady {
  name: string;
  ready?: true;
}

/** A model in the list. */
export interface ModelSummary {
  name: string;
  title: string;
  classes: number;
  default: boolean;
  /** Whether it can be used now; not while it is being tried out. */
  served: boolean;
  /** Why it is not served. */
  problem: string | null;
}

/** An object that was detected. */
export interface Object {
  class_id: number;
  name: string;
  /** Null where the scores of the network are no probabilities. */
  probability: number | null;
  /** The score, where it is no probability. */
  score?: number | null;
  /** Left, upper, right and lower edge in the photograph, in pixels. */
  box: [number, number, number, number];
}

/** An output. */
export interface OutputTensor {
  name: string;
  datatype: string;
  shape: number[];
  /** `binary_data_size`, if its data is behind the JSON. */
  parameters?: Record<string, number> | null;
  /** In row-major order. */
  data?: unknown[] | null;
}

/** Answer of `POST /predict`: one entry per image, in the order sent. */
export interface PredictAnswer {
  meta: Meta;
  data: PredictResult[];
}

/** What the network says of one photograph; what does not belong to its task is null. */
export interface PredictResult {
  task: "classification" | "multilabel" | "regression" | "segmentation" | "detection" | "embedding";
  /** The most probable classes, best first; those that apply for `multilabel`. */
  predictions?: Prediction[] | null;
  /** The numbers of a regression by name. */
  values?: Record<string, number> | null;
  /** The segmentation. */
  mask?: Mask | null;
  /** What a detector finds, the most likely first: the k-th is the target `detection:k`. */
  objects?: Object[] | null;
  /** The embedding. */
  vector?: number[] | null;
  /** Cosine of the angle to the vector of the picture in the field `other`. */
  similarity?: number | null;
}

/** A class with its probability. */
export interface Prediction {
  class_id: number;
  name: string;
  /** Null where the scores of the network are no probabilities. */
  probability: number | null;
  /** The score, where it is no probability. */
  score?: number | null;
}

/** What a network says, one entry for each instance. */
export interface Predictions {
  /**
   * The probabilities of the classes, or the numbers if they are none; of segmentations and detectors an object with each
   * output by name.
   */
  predictions: unknown[];
}

/** A stage of the randomization of the weights. */
export interface RandomizationStage {
  /** How many layers are random, counted from the last one. */
  layers: number;
  /** The first random layer. */
  first: string;
  /** Rank correlation with the original map: near 1 means that it does not see the weights. */
  similarity: number;
}

/** Whether requests are answered at full speed. */
export interface Ready {
  status?: "ready";
}

/** Answer of `POST /saliency`: one entry per image and class, in the order sent. */
export interface SaliencyAnswer {
  meta: Meta;
  data: SaliencyResult[];
}

/** A map of the pixels that the score depends on. */
export interface SaliencyMap {
  width: number;
  height: number;
  /** Smallest value before normalization. */
  minimum: number;
  /** Largest value before normalization. */
  maximum: number;
  /** What the network saw: left, upper, right and lower edge in pixels of the upright photograph. */
  box: [number, number, number, number];
  /** The picture that `output` asks for: a PNG in base64. */
  png: string;
  /** With `raw`: the map in NumPy's format .npy (float32, not normalized), in base64. */
  npy?: string | null;
}

/** One photograph explained for one class. */
export interface SaliencyResult {
  /** The most probable classes, best first. */
  predictions: Prediction[];
  /** Which of the photographs sent, from 0. */
  image: number;
  explained: Explained;
  heatmap: SaliencyMap;
}

/** One photograph of the class. */
export interface SensitivityAnswer {
  /** The score of the class. */
  score: number;
  /** Its derivative along the direction of the concept, the mean of all splits. */
  sensitivity: number;
}

/** The server. */
export interface ServerMetadata {
  name?: "convlens";
  version: string;
  extensions?: string[];
}

/** Whether requests are answered at full speed. */
export interface ServerReady {
  ready?: true;
}

/**
 * Where a job stands.
 *
 * queued ─► running ─► succeeded | failed          running ─► queued when its worker stops or dies
 *    │         └─► cancelling ─► cancelled         a finished job ─► expired, when its time in the settings is over
 *    └─► cancelled
 */
export type State = "queued" | "running" | "cancelling" | "cancelled" | "succeeded" | "failed" | "expired";

/** Answer of `POST /tcav`. */
export interface TcavAnswer {
  meta: Meta;
  data: TcavResult;
}

/** Whether the score of a class grows in the direction of a concept. */
export interface TcavResult {
  layer: string;
  class_id: number;
  name: string;
  /** The TCAV score: the share of the photographs whose score grows, the mean of all splits. */
  score: number;
  /** Standard deviation of the score over the splits. */
  deviation: number;
  /** The score in each split. */
  scores: number[];
  /** The mean score of directions between random pictures. */
  random_score: number;
  /** That of each split. */
  random_scores: number[];
  /**
   * How likely both would differ as much if the concept meant nothing: Welch's two-sided t-test. Splits share pictures, so
   * it is a lower bound. Above 0.05 the score says nothing.
   */
  p_value: number;
  /** Share of the pictures held out that the directions tell apart. Near 0.5 the layer does not know the concept. */
  accuracy: number;
  /** The same between random pictures. */
  random_accuracy: number;
  /** In the order sent. */
  photographs: SensitivityAnswer[];
}

/** An input or output. */
export interface TensorMetadata {
  name: string;
  datatype: string;
  /** -1 for axes of any size. */
  shape: number[];
}

export interface ExplainPhotographsParameters {
  /** With `mode=job`, as for `POST /visualize`. */
  idempotency_key?: string | null;
  /**
   * What is explained instead of the score of a class: a sum of terms like class:285, probability:285, log_odds:285,
   * output:NAME[0,3], layer:NAME[17], region:15, detection:0, detection:0.left, match:0 or similarity. An index leaves out
   * the axis of images, `:` selects all and takes the mean; terms have weights like `0.5*class:285`. `region` is that of a
   * `box` or of a file in the field `mask`, else where the network sees the class; `match` is how like a detection the box
   * is that is most like it. `similarity` is that to the picture in the field `other`. In JSON a term is an object and a
   * target is one or a list: `{"class": 285}`, `[{"output": "heat", "index": [0, "2:5"], "weight": 2}]`, `{"similarity":
   * [0.1, …]}`.
   */
  target?: string | null;
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Share of each layer that is held back. For `rectgrad` (98.0). */
  percent?: number | null;
  /**
   * Noisy copies of the picture. For `smoothgrad` (25), `smoothgrad_squared` (25), `vargrad` (25), `gradient_shap` (64),
   * `lime` (500), `kernel_shap` (500), `hsic` (500).
   */
  samples?: number | null;
  /**
   * Standard deviation of the noise; 1 is the range from black to white. For `smoothgrad` (0.15), `smoothgrad_squared`
   * (0.15), `vargrad` (0.15), `gradient_shap` (0.0).
   */
  noise?: number | null;
  /**
   * Of the random numbers: the same seed gives the same map. For `smoothgrad` (0), `smoothgrad_squared` (0), `vargrad` (0),
   * `gradient_shap` (0), `rise` (0), `lime` (0), `kernel_shap` (0), `shapley_sampling` (0), `hsic` (0), `sobol` (0).
   */
  seed?: number | null;
  /**
   * Stop once the estimated error of the map, relative to the map, is no larger: 0.1 for a tenth. What is asked for
   * otherwise is then the most that is computed. Default: do not stop before. For `smoothgrad`, `smoothgrad_squared`,
   * `vargrad`, `integrated_gradients`, `gradient_shap`, `occlusion`, `rise`.
   */
  tolerance?: number | null;
  /**
   * Points on the path. For `integrated_gradients` (32), `blur_integrated_gradients` (32), `idgi` (32),
   * `guided_integrated_gradients` (100), `xrai` (20).
   */
  steps?: number | null;
  /**
   * Where the path begins: a colour, the mean colour, or the picture blurred. For `integrated_gradients` (black), `idgi`
   * (black), `guided_integrated_gradients` (black), `deeplift` (black).
   */
  baseline?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Of the Gaussian at the beginning of the path, in pixels. For `blur_integrated_gradients` (50.0). */
  max_sigma?: number | null;
  /** Share of the values that move in each step. For `guided_integrated_gradients` (0.25). */
  fraction?: number | null;
  /** How far a value may be from the straight path, as a share of its way. For `guided_integrated_gradients` (0.02). */
  anchors?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `lrp` (0.25), `lrp_gamma` (0.25). */
  gamma?: number | null;
  /** Absorbs what is contradictory; in units of the activations of the network. For `lrp` (1e-06), `lrp_epsilon` (1e-06). */
  epsilon?: number | null;
  /** Weight of what speaks for the class; β is α − 1. For `lrp_alpha_beta` (2.0), `finer_cam` (1.0). */
  alpha?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.25). */
  gamma_convolutions?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.05). */
  gamma_dense?: number | null;
  /**
   * Name of the layer; see GET /models/{name}/layers. Default: the last features. For `grad_cam`, `grad_cam_plus_plus`,
   * `layer_cam`, `guided_grad_cam`, `hires_cam`, `grad_cam_elementwise`, `xgrad_cam`, `eigen_cam`, `eigen_grad_cam`,
   * `finer_cam`, `score_cam`, `ablation_cam`.
   */
  layer?: string | null;
  /** Classes of the nearest scores to compare with. For `finer_cam` (3). */
  similar?: number | null;
  /** Feature maps that are tried, those with the largest range first. For `score_cam` (64), `ablation_cam` (64). */
  channels?: number | null;
  /** Share of what goes round each attention, as residual connections do. For `attention_rollout` (0.5). */
  residual?: number | null;
  /** Side of the square that is taken away, in pixels of what the network sees. For `occlusion` (32). */
  window?: number | null;
  /** Pixels between two squares; at most the side. For `occlusion` (16). */
  stride?: number | null;
  /**
   * What is put in the place of what is taken away. For `occlusion` (mean), `rise` (mean), `lime` (mean), `kernel_shap`
   * (mean), `shapley_sampling` (mean), `hsic` (mean), `feature_ablation` (mean), `sobol` (mean).
   */
  fill?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Random masks; more are less grainy. For `rise` (1000). */
  masks?: number | null;
  /**
   * Cells of a mask along a side. For `rise` (7), `lime` (7), `kernel_shap` (7), `shapley_sampling` (7), `hsic` (7),
   * `feature_ablation` (7), `sobol` (7).
   */
  cells?: number | null;
  /** Probability that a cell stays. For `rise` (0.5). */
  keep?: number | null;
  /**
   * Square cells, or at most as many superpixels, which follow the edges (SLIC). For `lime` (cells), `kernel_shap` (cells),
   * `shapley_sampling` (cells), `hsic` (cells), `feature_ablation` (cells), `sobol` (cells).
   */
  regions?: "cells" | "superpixels" | null;
  /** Orders in which the regions appear. For `shapley_sampling` (10). */
  permutations?: number | null;
  /** Pairs of points of the design. For `sobol` (16). */
  designs?: number | null;
  /** A class in contrast: what speaks for `class_id` rather than for this one. */
  other_class_id?: number | null;
  /**
   * One of gradient, gradient_x_input, guided_backprop, deconvnet, rectgrad, full_grad, smoothgrad, smoothgrad_squared,
   * vargrad, integrated_gradients, blur_integrated_gradients, gradient_shap, idgi, guided_integrated_gradients, deeplift,
   * deep_shap, lrp, lrp_zero, lrp_epsilon, lrp_gamma, lrp_alpha_beta, lrp_z_plus, excitation_backprop, attn_lrp, grad_cam,
   * grad_cam_plus_plus, layer_cam, guided_grad_cam, hires_cam, grad_cam_elementwise, xgrad_cam, eigen_cam, eigen_grad_cam,
   * finer_cam, score_cam, ablation_cam, attention_rollout, transformer_attribution, occlusion, rise, lime, kernel_shap,
   * shapley_sampling, hsic, feature_ablation, sobol, xrai; see `GET /methods`.
   */
  method?: string;
  /** Class to explain, or several; the predicted one if absent. */
  class_id?: number | number[] | null;
  /** For a `region`: left, upper, right and lower edge in pixels, so for each photograph. */
  box?: number | number[] | null;
  /** `job`: answer at once with a job in the manner of `/visualize`, for methods that take long. */
  mode?: "now" | "job";
  /**
   * What the picture shows: the map over the photograph (default for `image/png`), the map alone (default in JSON), or
   * photograph, map and overlay side by side.
   */
  output?: "overlay" | "heatmap" | "panel" | null;
  /** Which values of a signed map the picture shows; by default those that the method means. */
  sign?: "absolute" | "positive" | "negative" | null;
  /** Colours from cold to hot. */
  colormap?: "inferno" | "viridis" | "magma" | "turbo" | "jet" | "hot" | "gray";
  /** Opacity of the hottest pixels of an overlay. */
  opacity?: number;
  /** Gaussian smoothing of the picture, sigma in pixels of the map. Default: 1.5 for overlays, else 0. */
  smoothing?: number | null;
  /** In JSON: whether the raw map comes along, as a file in NumPy's format .npy in base64. */
  raw?: boolean;
  /** One or several image files. */
  image: Picture | Picture[];
  /** Masks of the same sizes, white where the object is. */
  mask?: Picture | Picture[];
  /** Pictures to compare with, for the target `similarity`. */
  other?: Picture | Picture[];
}

export interface ClassifyPhotographsParameters {
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** One or several image files. */
  image: Picture | Picture[];
}

export interface ShowActivationsParameters {
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Layer to look at, or several; in JSON all that the manifest lists if absent. */
  layer?: string | string[] | null;
  /** Most feature maps of a picture: the ones with the highest means. */
  channels?: number;
  /** Side of one feature map in a picture, in pixels. */
  tile?: number;
  /** Colours from no activation to the strongest. */
  colormap?: "inferno" | "viridis" | "magma" | "turbo" | "jet" | "hot" | "gray";
  /** One or several image files. */
  image: Picture | Picture[];
}

export interface FindConceptsInPhotographsParameters {
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Class that the factors matter for; that predicted for each photograph if absent. */
  class_id?: number | null;
  /** Name of the layer; see `GET /models/{name}/layers`. Default: the last features. */
  layer?: string | null;
  /** How many; more are smaller parts. */
  factors?: number;
  /** Of the colours where a factor is the strongest. */
  opacity?: number;
  /** One or several image files. */
  image: Picture | Picture[];
}

export interface ShowConductanceParameters {
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Class that is carried; the predicted one if absent. */
  class_id?: number | null;
  /** A class in contrast: what carries `class_id` rather than this one. */
  other_class_id?: number | null;
  /** Name of the layer; see `GET /models/{name}/layers`. Default: the last features. */
  layer?: string | null;
  /** Parts of the path; more are more exact. */
  steps?: number;
  /** Where the path begins: a colour, the mean colour, or the picture blurred. */
  baseline?: "black" | "white" | "grey" | "mean" | "blur";
  /** Most channels that are listed and drawn: those that carry most. */
  channels?: number;
  /** Longest side of the map of one channel in a picture, in pixels. */
  tile?: number;
  /** One or several image files. */
  image: Picture | Picture[];
}

export interface RunTcavParameters {
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Class whose score is looked at; that predicted for the first photograph if absent. */
  class_id?: number | null;
  /** Name of the layer; see `GET /models/{name}/layers`. Default: the last features. */
  layer?: string | null;
  /**
   * `mean`: activations are averaged over the places, so that it does not matter where a concept is. `none`: every place
   * counts for itself, as in the paper.
   */
  pool?: "mean" | "none";
  /** Random splits of the pictures, a direction is found for each. */
  splits?: number;
  /** Of the random numbers: the same seed gives the same scores. */
  seed?: number;
  /** Pictures of the concept: stripes, for instance. */
  concept: Picture | Picture[];
  /** Pictures of anything else. */
  random: Picture | Picture[];
  /** Photographs of the class. */
  image: Picture | Picture[];
}

export interface EvaluateMethodParameters {
  /**
   * What is explained instead of the score of a class: a sum of terms like class:285, probability:285, log_odds:285,
   * output:NAME[0,3], layer:NAME[17], region:15, detection:0, detection:0.left, match:0 or similarity. An index leaves out
   * the axis of images, `:` selects all and takes the mean; terms have weights like `0.5*class:285`. `region` is that of a
   * `box` or of a file in the field `mask`, else where the network sees the class; `match` is how like a detection the box
   * is that is most like it. `similarity` is that to the picture in the field `other`. In JSON a term is an object and a
   * target is one or a list: `{"class": 285}`, `[{"output": "heat", "index": [0, "2:5"], "weight": 2}]`, `{"similarity":
   * [0.1, …]}`.
   */
  target?: string | null;
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Share of each layer that is held back. For `rectgrad` (98.0). */
  percent?: number | null;
  /**
   * Noisy copies of the picture. For `smoothgrad` (25), `smoothgrad_squared` (25), `vargrad` (25), `gradient_shap` (64),
   * `lime` (500), `kernel_shap` (500), `hsic` (500).
   */
  samples?: number | null;
  /**
   * Standard deviation of the noise; 1 is the range from black to white. For `smoothgrad` (0.15), `smoothgrad_squared`
   * (0.15), `vargrad` (0.15), `gradient_shap` (0.0).
   */
  noise?: number | null;
  /**
   * Of the random numbers: the same seed gives the same map. For `smoothgrad` (0), `smoothgrad_squared` (0), `vargrad` (0),
   * `gradient_shap` (0), `rise` (0), `lime` (0), `kernel_shap` (0), `shapley_sampling` (0), `hsic` (0), `sobol` (0).
   */
  seed?: number | null;
  /**
   * Stop once the estimated error of the map, relative to the map, is no larger: 0.1 for a tenth. What is asked for
   * otherwise is then the most that is computed. Default: do not stop before. For `smoothgrad`, `smoothgrad_squared`,
   * `vargrad`, `integrated_gradients`, `gradient_shap`, `occlusion`, `rise`.
   */
  tolerance?: number | null;
  /**
   * Points on the path. For `integrated_gradients` (32), `blur_integrated_gradients` (32), `idgi` (32),
   * `guided_integrated_gradients` (100), `xrai` (20).
   */
  steps?: number | null;
  /**
   * Where the path begins: a colour, the mean colour, or the picture blurred. For `integrated_gradients` (black), `idgi`
   * (black), `guided_integrated_gradients` (black), `deeplift` (black).
   */
  baseline?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Of the Gaussian at the beginning of the path, in pixels. For `blur_integrated_gradients` (50.0). */
  max_sigma?: number | null;
  /** Share of the values that move in each step. For `guided_integrated_gradients` (0.25). */
  fraction?: number | null;
  /** How far a value may be from the straight path, as a share of its way. For `guided_integrated_gradients` (0.02). */
  anchors?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `lrp` (0.25), `lrp_gamma` (0.25). */
  gamma?: number | null;
  /** Absorbs what is contradictory; in units of the activations of the network. For `lrp` (1e-06), `lrp_epsilon` (1e-06). */
  epsilon?: number | null;
  /** Weight of what speaks for the class; β is α − 1. For `lrp_alpha_beta` (2.0), `finer_cam` (1.0). */
  alpha?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.25). */
  gamma_convolutions?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.05). */
  gamma_dense?: number | null;
  /**
   * Name of the layer; see GET /models/{name}/layers. Default: the last features. For `grad_cam`, `grad_cam_plus_plus`,
   * `layer_cam`, `guided_grad_cam`, `hires_cam`, `grad_cam_elementwise`, `xgrad_cam`, `eigen_cam`, `eigen_grad_cam`,
   * `finer_cam`, `score_cam`, `ablation_cam`.
   */
  layer?: string | null;
  /** Classes of the nearest scores to compare with. For `finer_cam` (3). */
  similar?: number | null;
  /** Feature maps that are tried, those with the largest range first. For `score_cam` (64), `ablation_cam` (64). */
  channels?: number | null;
  /** Share of what goes round each attention, as residual connections do. For `attention_rollout` (0.5). */
  residual?: number | null;
  /** Side of the square that is taken away, in pixels of what the network sees. For `occlusion` (32). */
  window?: number | null;
  /** Pixels between two squares; at most the side. For `occlusion` (16). */
  stride?: number | null;
  /**
   * What is put in the place of what is taken away. For `occlusion` (mean), `rise` (mean), `lime` (mean), `kernel_shap`
   * (mean), `shapley_sampling` (mean), `hsic` (mean), `feature_ablation` (mean), `sobol` (mean).
   */
  fill?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Random masks; more are less grainy. For `rise` (1000). */
  masks?: number | null;
  /**
   * Cells of a mask along a side. For `rise` (7), `lime` (7), `kernel_shap` (7), `shapley_sampling` (7), `hsic` (7),
   * `feature_ablation` (7), `sobol` (7).
   */
  cells?: number | null;
  /** Probability that a cell stays. For `rise` (0.5). */
  keep?: number | null;
  /**
   * Square cells, or at most as many superpixels, which follow the edges (SLIC). For `lime` (cells), `kernel_shap` (cells),
   * `shapley_sampling` (cells), `hsic` (cells), `feature_ablation` (cells), `sobol` (cells).
   */
  regions?: "cells" | "superpixels" | null;
  /** Orders in which the regions appear. For `shapley_sampling` (10). */
  permutations?: number | null;
  /** Pairs of points of the design. For `sobol` (16). */
  designs?: number | null;
  /** A class in contrast: what speaks for `class_id` rather than for this one. */
  other_class_id?: number | null;
  /**
   * One of gradient, gradient_x_input, guided_backprop, deconvnet, rectgrad, full_grad, smoothgrad, smoothgrad_squared,
   * vargrad, integrated_gradients, blur_integrated_gradients, gradient_shap, idgi, guided_integrated_gradients, deeplift,
   * deep_shap, lrp, lrp_zero, lrp_epsilon, lrp_gamma, lrp_alpha_beta, lrp_z_plus, excitation_backprop, attn_lrp, grad_cam,
   * grad_cam_plus_plus, layer_cam, guided_grad_cam, hires_cam, grad_cam_elementwise, xgrad_cam, eigen_cam, eigen_grad_cam,
   * finer_cam, score_cam, ablation_cam, attention_rollout, transformer_attribution, occlusion, rise, lime, kernel_shap,
   * shapley_sampling, hsic, feature_ablation, sobol, xrai; see `GET /methods`.
   */
  method?: string;
  /** Class to explain; the predicted one if absent. */
  class_id?: number | null;
  /**
   * What is measured, of deletion, insertion, road_most_relevant, road_least_relevant, infidelity, mu_fidelity,
   * completeness, sensitivity_max, sparseness, complexity, cascading_randomization, independent_randomization, random_logit,
   * pointing_game, relevance_mass_accuracy, relevance_rank_accuracy, iou; see `GET /evaluate/metrics`. Default: deletion,
   * insertion, completeness, sparseness, complexity, cascading_randomization, and with a `box` or a `mask` also
   * pointing_game, relevance_mass_accuracy, relevance_rank_accuracy, iou.
   */
  metrics?: string | string[] | null;
  /**
   * Where the object is: left, upper, right and lower edge in pixels of the upright photograph; so for each photograph. A
   * form may hold a picture of the same size in the field `mask` instead, white where the object is.
   */
  box?: number | number[] | null;
  /** Points of the deletion and insertion curves. */
  points?: number;
  /** Stages in which the weights are randomized, from the last layer to the first; 0 for none. */
  stages?: number;
  /** Pictures with parts removed, for `infidelity` and `mu_fidelity`. */
  perturbations?: number;
  /** Pictures nearby for which `sensitivity_max` makes the map again. */
  neighbours?: number;
  /** One or several image files. */
  image: Picture | Picture[];
  /** Masks of the same sizes, white where the object is. */
  mask?: Picture | Picture[];
  /** Pictures to compare with, for the target `similarity`. */
  other?: Picture | Picture[];
}

export interface CompareMethodsParameters {
  /**
   * What is explained instead of the score of a class: a sum of terms like class:285, probability:285, log_odds:285,
   * output:NAME[0,3], layer:NAME[17], region:15, detection:0, detection:0.left, match:0 or similarity. An index leaves out
   * the axis of images, `:` selects all and takes the mean; terms have weights like `0.5*class:285`. `region` is that of a
   * `box` or of a file in the field `mask`, else where the network sees the class; `match` is how like a detection the box
   * is that is most like it. `similarity` is that to the picture in the field `other`. In JSON a term is an object and a
   * target is one or a list: `{"class": 285}`, `[{"output": "heat", "index": [0, "2:5"], "weight": 2}]`, `{"similarity":
   * [0.1, …]}`.
   */
  target?: string | null;
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Share of each layer that is held back. For `rectgrad` (98.0). */
  percent?: number | null;
  /**
   * Noisy copies of the picture. For `smoothgrad` (25), `smoothgrad_squared` (25), `vargrad` (25), `gradient_shap` (64),
   * `lime` (500), `kernel_shap` (500), `hsic` (500).
   */
  samples?: number | null;
  /**
   * Standard deviation of the noise; 1 is the range from black to white. For `smoothgrad` (0.15), `smoothgrad_squared`
   * (0.15), `vargrad` (0.15), `gradient_shap` (0.0).
   */
  noise?: number | null;
  /**
   * Of the random numbers: the same seed gives the same map. For `smoothgrad` (0), `smoothgrad_squared` (0), `vargrad` (0),
   * `gradient_shap` (0), `rise` (0), `lime` (0), `kernel_shap` (0), `shapley_sampling` (0), `hsic` (0), `sobol` (0).
   */
  seed?: number | null;
  /**
   * Stop once the estimated error of the map, relative to the map, is no larger: 0.1 for a tenth. What is asked for
   * otherwise is then the most that is computed. Default: do not stop before. For `smoothgrad`, `smoothgrad_squared`,
   * `vargrad`, `integrated_gradients`, `gradient_shap`, `occlusion`, `rise`.
   */
  tolerance?: number | null;
  /**
   * Points on the path. For `integrated_gradients` (32), `blur_integrated_gradients` (32), `idgi` (32),
   * `guided_integrated_gradients` (100), `xrai` (20).
   */
  steps?: number | null;
  /**
   * Where the path begins: a colour, the mean colour, or the picture blurred. For `integrated_gradients` (black), `idgi`
   * (black), `guided_integrated_gradients` (black), `deeplift` (black).
   */
  baseline?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Of the Gaussian at the beginning of the path, in pixels. For `blur_integrated_gradients` (50.0). */
  max_sigma?: number | null;
  /** Share of the values that move in each step. For `guided_integrated_gradients` (0.25). */
  fraction?: number | null;
  /** How far a value may be from the straight path, as a share of its way. For `guided_integrated_gradients` (0.02). */
  anchors?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `lrp` (0.25), `lrp_gamma` (0.25). */
  gamma?: number | null;
  /** Absorbs what is contradictory; in units of the activations of the network. For `lrp` (1e-06), `lrp_epsilon` (1e-06). */
  epsilon?: number | null;
  /** Weight of what speaks for the class; β is α − 1. For `lrp_alpha_beta` (2.0), `finer_cam` (1.0). */
  alpha?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.25). */
  gamma_convolutions?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.05). */
  gamma_dense?: number | null;
  /**
   * Name of the layer; see GET /models/{name}/layers. Default: the last features. For `grad_cam`, `grad_cam_plus_plus`,
   * `layer_cam`, `guided_grad_cam`, `hires_cam`, `grad_cam_elementwise`, `xgrad_cam`, `eigen_cam`, `eigen_grad_cam`,
   * `finer_cam`, `score_cam`, `ablation_cam`.
   */
  layer?: string | null;
  /** Classes of the nearest scores to compare with. For `finer_cam` (3). */
  similar?: number | null;
  /** Feature maps that are tried, those with the largest range first. For `score_cam` (64), `ablation_cam` (64). */
  channels?: number | null;
  /** Share of what goes round each attention, as residual connections do. For `attention_rollout` (0.5). */
  residual?: number | null;
  /** Side of the square that is taken away, in pixels of what the network sees. For `occlusion` (32). */
  window?: number | null;
  /** Pixels between two squares; at most the side. For `occlusion` (16). */
  stride?: number | null;
  /**
   * What is put in the place of what is taken away. For `occlusion` (mean), `rise` (mean), `lime` (mean), `kernel_shap`
   * (mean), `shapley_sampling` (mean), `hsic` (mean), `feature_ablation` (mean), `sobol` (mean).
   */
  fill?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Random masks; more are less grainy. For `rise` (1000). */
  masks?: number | null;
  /**
   * Cells of a mask along a side. For `rise` (7), `lime` (7), `kernel_shap` (7), `shapley_sampling` (7), `hsic` (7),
   * `feature_ablation` (7), `sobol` (7).
   */
  cells?: number | null;
  /** Probability that a cell stays. For `rise` (0.5). */
  keep?: number | null;
  /**
   * Square cells, or at most as many superpixels, which follow the edges (SLIC). For `lime` (cells), `kernel_shap` (cells),
   * `shapley_sampling` (cells), `hsic` (cells), `feature_ablation` (cells), `sobol` (cells).
   */
  regions?: "cells" | "superpixels" | null;
  /** Orders in which the regions appear. For `shapley_sampling` (10). */
  permutations?: number | null;
  /** Pairs of points of the design. For `sobol` (16). */
  designs?: number | null;
  /** Class to explain; the predicted one if absent. */
  class_id?: number | null;
  /**
   * What is measured, of deletion, insertion, road_most_relevant, road_least_relevant, infidelity, mu_fidelity,
   * completeness, sensitivity_max, sparseness, complexity, cascading_randomization, independent_randomization, random_logit,
   * pointing_game, relevance_mass_accuracy, relevance_rank_accuracy, iou; see `GET /evaluate/metrics`. Default: deletion,
   * insertion, mu_fidelity, sparseness, random_logit, and with a `box` or a `mask` also pointing_game,
   * relevance_mass_accuracy, relevance_rank_accuracy, iou.
   */
  metrics?: string | string[] | null;
  /**
   * Where the object is: left, upper, right and lower edge in pixels of the upright photograph; so for each photograph. A
   * form may hold a picture of the same size in the field `mask` instead, white where the object is.
   */
  box?: number | number[] | null;
  /** Points of the deletion and insertion curves. */
  points?: number;
  /** Stages in which the weights are randomized, if that is measured. */
  stages?: number;
  /** Pictures with parts removed, for `infidelity` and `mu_fidelity`. */
  perturbations?: number;
  /** Pictures nearby for which `sensitivity_max` makes the map again. */
  neighbours?: number;
  /**
   * The methods, at most 12 of gradient, gradient_x_input, guided_backprop, deconvnet, rectgrad, full_grad, smoothgrad,
   * smoothgrad_squared, vargrad, integrated_gradients, blur_integrated_gradients, gradient_shap, idgi,
   * guided_integrated_gradients, deeplift, deep_shap, lrp, lrp_zero, lrp_epsilon, lrp_gamma, lrp_alpha_beta, lrp_z_plus,
   * excitation_backprop, attn_lrp, grad_cam, grad_cam_plus_plus, layer_cam, guided_grad_cam, hires_cam,
   * grad_cam_elementwise, xgrad_cam, eigen_cam, eigen_grad_cam, finer_cam, score_cam, ablation_cam, attention_rollout,
   * transformer_attribution, occlusion, rise, lime, kernel_shap, shapley_sampling, hsic, feature_ablation, sobol, xrai; see
   * `GET /methods`.
   */
  methods?: string | string[];
  /** One or several image files. */
  image: Picture | Picture[];
  /** Masks of the same sizes, white where the object is. */
  mask?: Picture | Picture[];
  /** Pictures to compare with, for the target `similarity`. */
  other?: Picture | Picture[];
}

/** What the network believes a class looks like. */
export interface ClassParameters {
  kind: "class";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels, in the proportions of the network's own size, which is the default. */
  size?: number | null;
  /**
   * `cs231n`: gradient ascent on pixels with jitter, blur and l2. `lucid`: a spectrum in decorrelated colours, Adam. `maco`:
   * the phases of a spectrum whose magnitudes are those of natural images.
   */
  preset?: "cs231n" | "lucid" | "maco";
  /** Random start of `cs231n`: uniform pixels, or normalized pixels of a standard normal distribution. */
  start?: "uniform" | "normal";
  /** Steps: 200, `lucid` and `maco` 512. */
  iterations?: number | null;
  /**
   * 25, `lucid` and `maco` 0.05; with `cs231n` and other networks than SqueezeNet by default such that the first step is as
   * long as there.
   */
  learning_rate?: number | null;
  /** Weight of the squared norm that is taken off the score: 0.001, `lucid` and `maco` 0. */
  l2_reg?: number | null;
  /** Steps between two blurs of `cs231n`, 0 for none: 10. */
  blur_every?: number | null;
  /** Of that blur, in pixels: 0.5. */
  blur_sigma?: number | null;
  /** Largest random shift at a step, in pixels: 16, `lucid` 8, `maco` 48; less for networks of smaller pictures. */
  max_jitter?: number | null;
  /** The class to draw, or a list of them: one job each, under one batch id. */
  class_id?: number | number[];
}

/** What makes the mean of a channel of a layer grow, or a weighted sum of several. */
export interface NeuronParameters {
  kind: "neuron";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels, in the proportions of the network's own size, which is the default. */
  size?: number | null;
  /**
   * `cs231n`: gradient ascent on pixels with jitter, blur and l2. `lucid`: a spectrum in decorrelated colours, Adam. `maco`:
   * the phases of a spectrum whose magnitudes are those of natural images.
   */
  preset?: "cs231n" | "lucid" | "maco";
  /** Random start of `cs231n`: uniform pixels, or normalized pixels of a standard normal distribution. */
  start?: "uniform" | "normal";
  /** Steps: 200, `lucid` and `maco` 512. */
  iterations?: number | null;
  /**
   * 25, `lucid` and `maco` 0.05; with `cs231n` and other networks than SqueezeNet by default such that the first step is as
   * long as there.
   */
  learning_rate?: number | null;
  /** Weight of the squared norm that is taken off the score: 0.001, `lucid` and `maco` 0. */
  l2_reg?: number | null;
  /** Steps between two blurs of `cs231n`, 0 for none: 10. */
  blur_every?: number | null;
  /** Of that blur, in pixels: 0.5. */
  blur_sigma?: number | null;
  /** Largest random shift at a step, in pixels: 16, `lucid` 8, `maco` 48; less for networks of smaller pictures. */
  max_jitter?: number | null;
  /** Name of a layer; see `GET /models/{name}/layers`. */
  layer?: string;
  /** Number of the channel, from 0, or several that are drawn together, in one direction. */
  channel?: number | number[];
  /**
   * One for each channel, 1 if absent; what has a negative weight is avoided. The channels of a factor of `POST /concepts`,
   * with their weights, draw that factor.
   */
  weights?: number[] | null;
  /** How many are drawn at the same time, on one sheet, each as different as can be. */
  pictures?: number;
  /** How much it counts that several pictures are not alike. */
  diversity?: number;
}

/** What makes a target grow: an element of an output, a single neuron, the odds of a class, a contrast. */
export interface TargetParameters {
  kind: "target";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels, in the proportions of the network's own size, which is the default. */
  size?: number | null;
  /**
   * `cs231n`: gradient ascent on pixels with jitter, blur and l2. `lucid`: a spectrum in decorrelated colours, Adam. `maco`:
   * the phases of a spectrum whose magnitudes are those of natural images.
   */
  preset?: "cs231n" | "lucid" | "maco";
  /** Random start of `cs231n`: uniform pixels, or normalized pixels of a standard normal distribution. */
  start?: "uniform" | "normal";
  /** Steps: 200, `lucid` and `maco` 512. */
  iterations?: number | null;
  /**
   * 25, `lucid` and `maco` 0.05; with `cs231n` and other networks than SqueezeNet by default such that the first step is as
   * long as there.
   */
  learning_rate?: number | null;
  /** Weight of the squared norm that is taken off the score: 0.001, `lucid` and `maco` 0. */
  l2_reg?: number | null;
  /** Steps between two blurs of `cs231n`, 0 for none: 10. */
  blur_every?: number | null;
  /** Of that blur, in pixels: 0.5. */
  blur_sigma?: number | null;
  /** Largest random shift at a step, in pixels: 16, `lucid` 8, `maco` 48; less for networks of smaller pictures. */
  max_jitter?: number | null;
  /**
   * What grows, in the form of `POST /saliency`: a sum of terms like class:285, probability:285, log_odds:285,
   * output:NAME[0,3], layer:NAME[17], region:15, detection:0, detection:0.left, match:0 or similarity, or JSON. `region` is
   * the whole picture, `similarity` needs a vector, and detections there are none.
   */
  target?: string;
}

/** A small picture of what excites each of many channels of a layer. */
export interface SpritemapParameters {
  kind: "spritemap";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of each picture, in pixels; 64 where it can be. */
  size?: number | null;
  /** Name of a layer; see `GET /models/{name}/layers`. */
  layer?: string;
  /** Number of the first channel, from 0. */
  first?: number;
  /** How many channels; 64 if absent, or fewer if there are fewer. */
  count?: number | null;
  /** Steps. */
  iterations?: number;
  /** Of Adam, on the spectra of the pictures. */
  learning_rate?: number;
  /** Largest random shift at a step, in pixels. */
  max_jitter?: number;
}

/** A photograph that the network takes for something else, changed as little as possible. */
export interface FoolingParameters {
  kind: "fooling";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels; by default that of the network. */
  size?: number | null;
  /**
   * `native`: aspect ratio kept. `squash`: the whole picture to the proportions of the network. `crop`: the central part of
   * these proportions. By default `native`, where the network takes one size only `crop`.
   */
  resize?: "squash" | "crop" | "native" | null;
  /** What the network shall take the photograph for. */
  class_id?: number;
  /** Most steps; it ends as soon as the target is the top class. */
  iterations?: number;
  /** Length of a step, in normalized pixels; smaller ones change less and take longer. */
  learning_rate?: number;
  image: Picture;
}

/** What a layer still knows of a photograph. */
export interface InversionParameters {
  kind: "inversion";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels; by default that of the network. */
  size?: number | null;
  /**
   * `native`: aspect ratio kept. `squash`: the whole picture to the proportions of the network. `crop`: the central part of
   * these proportions. By default `native`, where the network takes one size only `crop`.
   */
  resize?: "squash" | "crop" | "native" | null;
  /** Name of a layer; see `GET /models/{name}/layers`. */
  layer?: string;
  /** Steps. */
  iterations?: number;
  /** Of Adam, in normalized pixels. */
  learning_rate?: number;
  /** Weight of the total variation: more is smoother. */
  variation?: number;
  image: Picture;
}

/** What a layer finds remarkable in a photograph, exaggerated. */
export interface CaricatureParameters {
  kind: "caricature";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels; by default that of the network. */
  size?: number | null;
  /**
   * `native`: aspect ratio kept. `squash`: the whole picture to the proportions of the network. `crop`: the central part of
   * these proportions. By default `native`, where the network takes one size only `crop`.
   */
  resize?: "squash" | "crop" | "native" | null;
  /** Name of a layer; see `GET /models/{name}/layers`. */
  layer?: string;
  /** Of the cosine in the score: more is closer to the photograph, less more exaggerated. */
  power?: number;
  /** Steps. */
  iterations?: number;
  /** Of Adam, on the spectrum of the picture. */
  learning_rate?: number;
  /** Largest random shift at a step, in pixels. */
  max_jitter?: number;
  image: Picture;
}

/** More of whatever a layer sees in a photograph. */
export interface DreamParameters {
  kind: "deepdream";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none. */
  preview_every?: number;
  /** Short side of the picture, in pixels; by default 384, if it can be. */
  size?: number | null;
  /**
   * `native`: aspect ratio kept. `squash`: the whole picture to the proportions of the network. `crop`: the central part of
   * these proportions. By default `native`, where the network takes one size only `crop`.
   */
  resize?: "squash" | "crop" | "native" | null;
  /** Name of a layer; see `GET /models/{name}/layers`. */
  layer?: string;
  /** One channel of the layer instead of all. */
  channel?: number | null;
  /** Sizes of the picture, the smallest first. */
  octaves?: number;
  /** From one size to the next. */
  octave_scale?: number;
  /** Steps at each size. */
  steps_per_octave?: number;
  /** Mean change of a pixel at a step, in 255ths. */
  learning_rate?: number;
  /** Largest random shift at a step, in pixels. */
  max_jitter?: number;
  image: Picture;
}

/** A photograph (`image`) in the style of another picture (`style_image`). */
export interface StyleParameters {
  kind: "style";
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /** The same seed gives the same picture; a random one if absent. */
  seed?: number | null;
  /** Steps between two previews, 0 for none; at most 200 previews. */
  preview_every?: number;
  /** Short side of the picture, in pixels; by default that of the network. */
  size?: number | null;
  /**
   * `native`: aspect ratio kept. `squash`: the whole picture to the proportions of the network. `crop`: the central part of
   * these proportions. By default `native`, where the network takes one size only `crop`.
   */
  resize?: "squash" | "crop" | "native" | null;
  /** Name of a layer; see `GET /models/{name}/layers`. */
  content_layer?: string;
  /** Layers whose Gram matrices make the style. */
  style_layers?: string[];
  /** One for each of these layers. */
  style_weights?: number[];
  /** Of the content: more is closer to the photograph. */
  content_weight?: number;
  /** Weight of the total variation per pixel: more is smoother. */
  variation?: number;
  /** Where it begins. */
  start?: "content" | "noise";
  /** Steps. */
  iterations?: number;
  /** Of Adam, in normalized pixels; a thirtieth at the end. */
  learning_rate?: number;
  image: Picture;
  style_image: Picture;
}

export interface ListJobsParameters {
  /** Only jobs in this state. */
  state?: State | null;
  /** Only jobs of this class. */
  class_id?: number | null;
  /** Only jobs of this batch. */
  batch?: string | null;
  /** Only jobs of this kind. */
  kind?: string | null;
  /** Most jobs in the answer. */
  limit?: number;
  /** From the answer before. */
  cursor?: string;
}

export interface ShowBatchParameters {
  batch: string;
}

export interface ShowJobParameters {
  id: string;
  /** Wait up to so many seconds for its end, or with `If-None-Match` for a change. */
  wait?: number;
  if_none_match?: string | null;
}

export interface DeleteParameters {
  id: string;
}

export interface ShowImageParameters {
  id: string;
  /** The newest preview while there is no finished picture. */
  latest?: boolean;
}

export interface ShowArtifactParameters {
  id: string;
  name: string;
}

export interface ShowFrameParameters {
  id: string;
  step: number;
}

export interface ShowAnimationParameters {
  id: string;
  /** `webp` is smaller and has all colours. */
  format?: "gif" | "webp";
  /** Duration of a preview. */
  milliseconds?: number;
}

export interface StreamEventsParameters {
  id: string;
  /** The id of the last event that has arrived. One of the future counts as that of the newest event; what is no id is a 422. */
  last_event_id?: string;
}

export interface CancelParameters {
  id: string;
}

export interface ShowModelParameters {
  name: string;
}

export interface ListLayersParameters {
  name: string;
}

export interface ListClassesParameters {
  name: string;
  /** Part of a name, in any case. */
  query?: string;
}

export interface PredictPhotographsParameters {
  /** Name of the model; the default one if absent. */
  model?: string | null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** One or several image files. */
  image: Picture | Picture[];
  /** Pictures to compare with, for an embedding: one for each image. */
  other?: Picture | Picture[];
}

export interface ShowMetadataParameters {
  name: string;
}

export interface IsModelReadyParameters {
  name: string;
}

/** Parameters of a request. `priority` and `timeout` of Triton's clients are taken and have no effect. */
export interface InferParameters {
  /** The path names the model. */
  model?: null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Whether the data of outputs comes as bytes, unless they say something else. */
  binary_data_output?: boolean;
  priority?: number | null;
  timeout?: number | null;
}

/** Parameters of an input. */
export interface InputParameters {
  /** So many of the bytes behind the JSON are its data. */
  binary_data_size?: number | null;
}

/** The pictures of a request. */
export interface InputTensor {
  name: string;
  shape: number[];
  datatype: string;
  /** Parameters of an input. */
  parameters?: InputParameters;
  /** Numbers, flat or nested; files are in base64. */
  data?: unknown[] | null;
}

/** Parameters of an output. */
export interface OutputParameters {
  /** Whether its data comes as bytes behind the JSON. */
  binary_data?: boolean | null;
  /** So many of its largest values, as `value:index:label`; 0 for none. */
  classification?: number | null;
}

/** An output that is asked for. */
export interface WantedOutput {
  name: string;
  /** Parameters of an output. */
  parameters?: OutputParameters;
}

export interface RunModelParameters {
  name: string;
  /** The answer has the same. */
  id?: string | null;
  /** Parameters of a request. `priority` and `timeout` of Triton's clients are taken and have no effect. */
  parameters?: InferParameters;
  inputs: InputTensor[];
  /** All of them if none is named. */
  outputs?: WantedOutput[];
}

export interface IsModelReadyVParameters {
  name: string;
}

/** How files and pixels become what the network sees. */
export interface PredictParameters {
  /** The path names the model. */
  model?: null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
}

export interface PredictParameters2 {
  name: string;
  /**
   * Pictures: files as `{"b64": "…"}`, pixels (height, width, 3) from 0 to 255, or what the network sees, (3, height, width)
   * from 0 to 1.
   */
  instances: unknown[];
  /** How files and pixels become what the network sees. */
  parameters?: PredictParameters;
}

/** What is explained, and how; parameters of methods as in `POST /saliency`. */
export interface ExplainParameters {
  /**
   * What is explained instead of the score of a class: a sum of terms like class:285, probability:285, log_odds:285,
   * output:NAME[0,3], layer:NAME[17], region:15, detection:0, detection:0.left, match:0 or similarity. An index leaves out
   * the axis of images, `:` selects all and takes the mean; terms have weights like `0.5*class:285`. `region` is that of a
   * `box` or of a file in the field `mask`, else where the network sees the class; `match` is how like a detection the box
   * is that is most like it. `similarity` is that to the picture in the field `other`. In JSON a term is an object and a
   * target is one or a list: `{"class": 285}`, `[{"output": "heat", "index": [0, "2:5"], "weight": 2}]`, `{"similarity":
   * [0.1, …]}`.
   */
  target?: string | null;
  /** The path names the model. */
  model?: null;
  /**
   * `squash`: the whole picture to the network's square. `crop`: short side to 256, the central 224 x 224. `native`: aspect
   * ratio kept, short side 224.
   */
  resize?: "squash" | "crop" | "native";
  /**
   * `exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes half the time for 24
   * megapixels; pixels then differ by a level, and single values of a gradient map by much more.
   */
  decode?: "exact" | "fast";
  /** Share of each layer that is held back. For `rectgrad` (98.0). */
  percent?: number | null;
  /**
   * Noisy copies of the picture. For `smoothgrad` (25), `smoothgrad_squared` (25), `vargrad` (25), `gradient_shap` (64),
   * `lime` (500), `kernel_shap` (500), `hsic` (500).
   */
  samples?: number | null;
  /**
   * Standard deviation of the noise; 1 is the range from black to white. For `smoothgrad` (0.15), `smoothgrad_squared`
   * (0.15), `vargrad` (0.15), `gradient_shap` (0.0).
   */
  noise?: number | null;
  /**
   * Of the random numbers: the same seed gives the same map. For `smoothgrad` (0), `smoothgrad_squared` (0), `vargrad` (0),
   * `gradient_shap` (0), `rise` (0), `lime` (0), `kernel_shap` (0), `shapley_sampling` (0), `hsic` (0), `sobol` (0).
   */
  seed?: number | null;
  /**
   * Stop once the estimated error of the map, relative to the map, is no larger: 0.1 for a tenth. What is asked for
   * otherwise is then the most that is computed. Default: do not stop before. For `smoothgrad`, `smoothgrad_squared`,
   * `vargrad`, `integrated_gradients`, `gradient_shap`, `occlusion`, `rise`.
   */
  tolerance?: number | null;
  /**
   * Points on the path. For `integrated_gradients` (32), `blur_integrated_gradients` (32), `idgi` (32),
   * `guided_integrated_gradients` (100), `xrai` (20).
   */
  steps?: number | null;
  /**
   * Where the path begins: a colour, the mean colour, or the picture blurred. For `integrated_gradients` (black), `idgi`
   * (black), `guided_integrated_gradients` (black), `deeplift` (black).
   */
  baseline?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Of the Gaussian at the beginning of the path, in pixels. For `blur_integrated_gradients` (50.0). */
  max_sigma?: number | null;
  /** Share of the values that move in each step. For `guided_integrated_gradients` (0.25). */
  fraction?: number | null;
  /** How far a value may be from the straight path, as a share of its way. For `guided_integrated_gradients` (0.02). */
  anchors?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `lrp` (0.25), `lrp_gamma` (0.25). */
  gamma?: number | null;
  /** Absorbs what is contradictory; in units of the activations of the network. For `lrp` (1e-06), `lrp_epsilon` (1e-06). */
  epsilon?: number | null;
  /** Weight of what speaks for the class; β is α − 1. For `lrp_alpha_beta` (2.0), `finer_cam` (1.0). */
  alpha?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.25). */
  gamma_convolutions?: number | null;
  /** How much more weights of the sign of the output count; 0 for not at all. For `attn_lrp` (0.05). */
  gamma_dense?: number | null;
  /**
   * Name of the layer; see GET /models/{name}/layers. Default: the last features. For `grad_cam`, `grad_cam_plus_plus`,
   * `layer_cam`, `guided_grad_cam`, `hires_cam`, `grad_cam_elementwise`, `xgrad_cam`, `eigen_cam`, `eigen_grad_cam`,
   * `finer_cam`, `score_cam`, `ablation_cam`.
   */
  layer?: string | null;
  /** Classes of the nearest scores to compare with. For `finer_cam` (3). */
  similar?: number | null;
  /** Feature maps that are tried, those with the largest range first. For `score_cam` (64), `ablation_cam` (64). */
  channels?: number | null;
  /** Share of what goes round each attention, as residual connections do. For `attention_rollout` (0.5). */
  residual?: number | null;
  /** Side of the square that is taken away, in pixels of what the network sees. For `occlusion` (32). */
  window?: number | null;
  /** Pixels between two squares; at most the side. For `occlusion` (16). */
  stride?: number | null;
  /**
   * What is put in the place of what is taken away. For `occlusion` (mean), `rise` (mean), `lime` (mean), `kernel_shap`
   * (mean), `shapley_sampling` (mean), `hsic` (mean), `feature_ablation` (mean), `sobol` (mean).
   */
  fill?: "black" | "white" | "grey" | "mean" | "blur" | null;
  /** Random masks; more are less grainy. For `rise` (1000). */
  masks?: number | null;
  /**
   * Cells of a mask along a side. For `rise` (7), `lime` (7), `kernel_shap` (7), `shapley_sampling` (7), `hsic` (7),
   * `feature_ablation` (7), `sobol` (7).
   */
  cells?: number | null;
  /** Probability that a cell stays. For `rise` (0.5). */
  keep?: number | null;
  /**
   * Square cells, or at most as many superpixels, which follow the edges (SLIC). For `lime` (cells), `kernel_shap` (cells),
   * `shapley_sampling` (cells), `hsic` (cells), `feature_ablation` (cells), `sobol` (cells).
   */
  regions?: "cells" | "superpixels" | null;
  /** Orders in which the regions appear. For `shapley_sampling` (10). */
  permutations?: number | null;
  /** Pairs of points of the design. For `sobol` (16). */
  designs?: number | null;
  /** A class in contrast: what speaks for `class_id` rather than for this one. */
  other_class_id?: number | null;
  /**
   * One of gradient, gradient_x_input, guided_backprop, deconvnet, rectgrad, full_grad, smoothgrad, smoothgrad_squared,
   * vargrad, integrated_gradients, blur_integrated_gradients, gradient_shap, idgi, guided_integrated_gradients, deeplift,
   * deep_shap, lrp, lrp_zero, lrp_epsilon, lrp_gamma, lrp_alpha_beta, lrp_z_plus, excitation_backprop, attn_lrp, grad_cam,
   * grad_cam_plus_plus, layer_cam, guided_grad_cam, hires_cam, grad_cam_elementwise, xgrad_cam, eigen_cam, eigen_grad_cam,
   * finer_cam, score_cam, ablation_cam, attention_rollout, transformer_attribution, occlusion, rise, lime, kernel_shap,
   * shapley_sampling, hsic, feature_ablation, sobol, xrai; see `GET /methods`.
   */
  method?: string;
  /** Class to explain; the predicted one of each instance if absent. */
  class_id?: number | null;
  /** Maps as nested lists, or as NumPy files in base64. */
  maps?: "values" | "npy";
}

export interface ExplainInstancesParameters {
  name: string;
  /**
   * Pictures: files as `{"b64": "…"}`, pixels (height, width, 3) from 0 to 255, or what the network sees, (3, height, width)
   * from 0 to 1.
   */
  instances: unknown[];
  /** What is explained, and how; parameters of methods as in `POST /saliency`. */
  parameters?: ExplainParameters;
}

export interface EnterParameters {
  /** An API key. */
  key: string;
}

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
  explainPhotographs(parameters: ExplainPhotographsParameters, options: Options & { accept: "image/png" | "image/webp" | "image/jpeg" }): Promise<Blob>;
  explainPhotographs(parameters: ExplainPhotographsParameters, options: Options & { accept: "application/x-npy" }): Promise<Numbers>;
  explainPhotographs(parameters: ExplainPhotographsParameters, options?: Options & { accept?: "application/json" }): Promise<SaliencyAnswer>;

  /** The five most probable classes of each photograph. */
  classifyPhotographs(parameters: ClassifyPhotographsParameters, options?: Options & { accept?: "application/json" }): Promise<ClassifyAnswer>;

  /**
   * The feature maps of layers.
   *
   * `Accept: image/png` gives a grid of the strongest maps of one layer, `application/x-npy` all numbers of one layer
   * (float32, channels x height x width), `application/json` a summary and a grid of every layer asked for.
   */
  showActivations(parameters: ShowActivationsParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  showActivations(parameters: ShowActivationsParameters, options: Options & { accept: "application/x-npy" }): Promise<Numbers>;
  showActivations(parameters: ShowActivationsParameters, options?: Options & { accept?: "application/json" }): Promise<ActivationAnswer>;

  /**
   * The factors of a layer: few directions in the space of its channels, of which all activations are made.
   *
   * They are found in all photographs of the request together (non-negative matrix factorization), so that one colour
   * means the same in all of them. `Accept: image/png` shows where each factor is, and how much it adds to the score of
   * the class, `application/json` also which channels it is made of, `application/x-npy` the maps of the factors
   * (float32, photographs x factors x height x width). The same photographs and parameters give the same factors.
   */
  findConceptsInPhotographs(parameters: FindConceptsInPhotographsParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  findConceptsInPhotographs(parameters: FindConceptsInPhotographsParameters, options: Options & { accept: "application/x-npy" }): Promise<Numbers>;
  findConceptsInPhotographs(parameters: FindConceptsInPhotographsParameters, options?: Options & { accept?: "application/json" }): Promise<ConceptsAnswer>;

  /**
   * What each channel of a layer carries of the score of a class for a photograph (Dhamdhere et al. 2018).
   *
   * The conductance of a neuron is what passes through it along the path of integrated gradients, from a baseline to the
   * photograph; that of a channel is the sum over its places, and that of a layer the difference of the scores at both
   * ends. `application/json` gives a ranked table, `image/png` the maps of the channels that carry most, orange where
   * they speak for the class and blue where against it, `application/x-npy` the conductance of every neuron
   * (float32, channels x height x width).
   */
  showConductance(parameters: ShowConductanceParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  showConductance(parameters: ShowConductanceParameters, options: Options & { accept: "application/x-npy" }): Promise<Numbers>;
  showConductance(parameters: ShowConductanceParameters, options?: Options & { accept?: "application/json" }): Promise<ConductanceAnswer>;

  /**
   * Test a class with a concept that you show in pictures (Kim et al. 2018).
   *
   * In the activations of a layer the direction from random pictures to those of the concept is found (logistic
   * regression). The TCAV score is the share of the photographs of the class whose score grows in that direction, and it
   * is compared with the scores of directions between random pictures. `application/json` gives the numbers, `image/png`
   * a plot. Send about twenty pictures of the concept, at least as many random ones and ten photographs of the class.
   */
  runTcav(parameters: RunTcavParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  runTcav(parameters: RunTcavParameters, options?: Options & { accept?: "application/json" }): Promise<TcavAnswer>;

  /** All metrics of `/evaluate` and `/compare`, with what they can and cannot tell. */
  listMetrics(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<MetricAnswer[]>;

  /**
   * Put a method to the test on a photograph.
   *
   * By default deletion and insertion (Petsiuk et al. 2018), completeness, the cascading randomization of the weights
   * (Adebayo et al. 2018), sparseness and complexity; `metrics` names others. Random and edge-detector maps are measured
   * beside, so that the numbers mean something. With a `box`, or a `mask` as a second file, it is measured whether the
   * map is where the object is. `application/json` gives the numbers and curves, `image/png` a plot. It takes some
   * seconds.
   */
  evaluateMethod(parameters: EvaluateMethodParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  evaluateMethod(parameters: EvaluateMethodParameters, options?: Options & { accept?: "application/json" }): Promise<EvaluateAnswer>;

  /**
   * Compare several methods by several metrics on one or several photographs.
   *
   * `application/json` gives a table of methods and metrics (means over the photographs), the rank of each method in
   * each metric, mean ranks, and the time and the number of runs of each method; `image/png` the maps over the
   * photographs with the numbers under them. Random and edge-detector maps are measured beside. Boxes or masks say where
   * the object is, one for each photograph. It takes some seconds for each.
   */
  compareMethods(parameters: CompareMethodsParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  compareMethods(parameters: CompareMethodsParameters, options?: Options & { accept?: "application/json" }): Promise<CompareAnswer>;

  /** All attribution methods of `/saliency`. */
  listMethods(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<MethodAnswer[]>;

  /**
   * Start a job. The answer says where to look for the picture.
   *
   * From noise: a picture of a class (`kind` `class`, the default), of a channel (`neuron`), small ones of many channels
   * (`spritemap`). From a photograph, sent as a form: one that fools the network (`fooling`), what a layer knows of it
   * (`inversion`) or finds remarkable (`caricature`), a dream (`deepdream`), the style of another picture (`style`).
   */
  submit(parameters: (ClassParameters | NeuronParameters | TargetParameters | SpritemapParameters | FoolingParameters | InversionParameters | CaricatureParameters | DreamParameters | StyleParameters) & { idempotency_key?: string | null }, options?: Options & { accept?: "application/json" }): Promise<JobAnswer | BatchAnswer>;

  /** Jobs, newest first. */
  listJobs(parameters?: ListJobsParameters, options?: Options & { accept?: "application/json" }): Promise<JobList>;

  /** A batch and its jobs. */
  showBatch(parameters: ShowBatchParameters, options?: Options & { accept?: "application/json" }): Promise<BatchAnswer>;

  /** A job as it stands. */
  showJob(parameters: ShowJobParameters, options?: Options & { accept?: "application/json" }): Promise<JobAnswer | undefined>;

  /** Forget a job and its pictures, whatever its state. */
  delete(parameters: DeleteParameters, options?: Options & { accept?: "application/json" }): Promise<undefined>;

  /** The finished picture; of a cancelled job the last one it had. */
  showImage(parameters: ShowImageParameters, options?: Options & { accept?: "image/png" }): Promise<Blob>;

  /** An artifact of the job: anything it made other than its picture. */
  showArtifact(parameters: ShowArtifactParameters, options?: Options & { accept?: "application/octet-stream" | "image/png" }): Promise<Blob>;

  /** The preview after a step. */
  showFrame(parameters: ShowFrameParameters, options?: Options & { accept?: "image/png" }): Promise<Blob>;

  /** The previews so far, one after the other. */
  showAnimation(parameters: ShowAnimationParameters, options?: Options & { accept?: "image/gif" | "image/webp" }): Promise<Blob>;

  /**
   * Server-sent events: `state`, `progress`, `preview`, and `end` as the last one, also of a job that is deleted.
   *
   * All that happened is told from the beginning, or from `Last-Event-ID` on. If that was the `end`, the answer is 204.
   * A stream ends early when its key is withdrawn.
   */
  streamEvents(parameters: StreamEventsParameters, options?: Options): AsyncGenerator<ServerEvent, void, void>;

  /** Stop a job at its next step; its latest picture is kept. A job that is over stays as it is. */
  cancel(parameters: CancelParameters, options?: Options & { accept?: "application/json" }): Promise<JobAnswer>;

  /** All models, and for those that cannot be served the reason. */
  listModels(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<ModelSummary[]>;

  /**
   * Read the models folder again. New models are tried out first, in the background, and then served.
   *
   * Where the service asks for keys, for keys with the role `admin`.
   */
  reloadModels(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<ModelSummary[]>;

  /** One model: its layers, preprocessing and hashes. */
  showModel(parameters: ShowModelParameters, options?: Options & { accept?: "application/json" }): Promise<ModelDetails>;

  /** The layers of a model that can be looked at, in the order in which they are computed. */
  listLayers(parameters: ListLayersParameters, options?: Options & { accept?: "application/json" }): Promise<LayerAnswer[]>;

  /** The classes of a model whose names contain ``query``; all without one. */
  listClasses(parameters: ListClassesParameters, options?: Options & { accept?: "application/json" }): Promise<ClassName[]>;

  /**
   * What the network says of photographs: classes, those that apply, numbers, a mask, boxes, or a vector.
   *
   * That depends on its `task`, see `GET /models/{name}`. `Accept: image/png` gives the mask or the boxes over
   * the photograph.
   */
  predictPhotographs(parameters: PredictPhotographsParameters, options: Options & { accept: "image/png" }): Promise<Blob>;
  predictPhotographs(parameters: PredictPhotographsParameters, options?: Options & { accept?: "application/json" }): Promise<PredictAnswer>;

  /** Counters and histograms in the text format of Prometheus. */
  showMetrics(parameters?: Record<string, never>, options?: Options & { accept?: "text/plain" }): Promise<string>;

  /** The server and the extensions of the protocol that it knows. */
  showServer(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<ServerMetadata>;

  /**
   * The input and the outputs of a model. There is one version of each, `/v2/models/{name}/versions/1`.
   *
   * The input is what the service makes of photographs, whatever the file takes: RGB from 0 to 1, the colours first.
   * Beside FP32 it takes FP16 and FP64, UINT8 as (N, height, width, 3), and image files as BYTES (N).
   */
  showMetadata(parameters: ShowMetadataParameters, options?: Options & { accept?: "application/json" }): Promise<ModelMetadata>;

  /** The model answers. */
  isModelReady(parameters: IsModelReadyParameters, options?: Options & { accept?: "application/json" }): Promise<ModelReady>;

  /**
   * The outputs of a model for pictures.
   *
   * Tensors are numbers in JSON, or bytes behind it; then the header `Inference-Header-Content-Length` tells the length
   * of the JSON.
   */
  runModel(parameters: RunModelParameters, options: Options & { accept: "application/octet-stream" }): Promise<Blob>;
  runModel(parameters: RunModelParameters, options?: Options & { accept?: "application/json" }): Promise<InferAnswer>;

  /** The models that answer. */
  listNames(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<ModelNames>;

  /** The model answers. */
  isModelReadyV(parameters: IsModelReadyVParameters, options?: Options & { accept?: "application/json" }): Promise<ModelReady>;

  /** What a network says of pictures. */
  predict(parameters: PredictParameters2, options?: Options & { accept?: "application/json" }): Promise<Predictions>;

  /**
   * A map of the pixels that the score of a class, or another target, depends on, for each picture.
   *
   * `parameters` are those of `POST /saliency`: the `method` with its own, `class_id`, `other_class_id` or `target`.
   */
  explainInstances(parameters: ExplainInstancesParameters, options?: Options & { accept?: "application/json" }): Promise<Explanations>;

  /** The process is alive; which execution provider it uses. */
  health(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<Health>;

  /** The service has warmed up. */
  ready(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<Ready>;

  /** Remember a key for this browser. */
  enter(parameters: EnterParameters, options?: Options & { accept?: "application/json" }): Promise<undefined>;

  /** Forget it. */
  leave(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<undefined>;

  /** The process is alive. */
  isLive(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<Live>;

  /** The service has warmed up. */
  isReady(parameters?: Record<string, never>, options?: Options & { accept?: "application/json" }): Promise<ServerReady>;
}
