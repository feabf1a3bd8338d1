// All that the page says. `t` finds a text, `fill` puts texts into elements that ask for them.
const ENGLISH = {
  title: "convlens: see what a network looks at",
  tagline: "Which pixels made the network say that? Computed live, on your picture.",
  skip: "Skip to content", sections: "Sections", navExplain: "Explain", navCompare: "Compare", navMake: "Make", navApi: "API",
  keyLabel: "This service asks for a key", keySend: "Enter",
  broken: "Something went wrong in this page: {message}",
  unreachable: "The service cannot be reached. Is it still running?",
  status: "The service answered {status}.",

  explainTitle: "What does it look at?",
  stageLabel: "Photograph and map. Drop or paste a picture anywhere.",
  photoAlt: "The photograph: {name}", divide: "Divide: photograph on its left, map on its right",
  dropHere: "Let go, and it is explained",
  samples: "Samples", own: "Your picture …", camera: "Camera", hint: "or drop or paste one anywhere",
  "sample.cat": "cat", "sample.coffee": "coffee", "sample.rocket": "rocket", "sample.photographer": "photographer", "sample.motorcycle": "motorcycle",
  "sample.astronaut": "astronaut",
  cannotShow: "This browser cannot show this format; the map is shown alone.",
  looking: "Looking …", lookingLong: "Computing: about {runs} runs of the network …", noMap: "No map.",
  caption: "{model} says {name}: {share}. Bright is what speaks for it.",
  captionContrast: "What speaks for {name} rather than for {other}. Bright is what tells them apart.",
  empty: "The map is zero everywhere: it says nothing.",
  readout: "x {x}, y {y}: {value}, {percent} % of the scale", readoutIdle: "Point at the picture to read values.",
  "caption.multilabel": "{model} says {name}: {share}. Bright is what speaks for it.",
  "caption.regression": "{model} says {name}: {share}. Bright is what raises it.",
  "caption.segmentation": "{model} sees {name} on {share} of the picture. Bright is what speaks for it there.",
  "caption.detection": "{model} finds {name}: {share}. Bright is what speaks for it.",
  "caption.embedding": "{model} finds it similar to {name}: {share}. Bright is what makes them similar.",
  captionTarget: "Bright is what speaks for {name}.",
  scale: "Colours from {low} to {high}", locked: "One scale for all classes",

  topTitle: "Top five", "topTitle.multilabel": "What applies, from 50 % on", "topTitle.regression": "Numbers", "topTitle.segmentation": "Regions",
  "topTitle.detection": "Objects", "topTitle.embedding": "How similar the samples are",
  nothing: "The network finds nothing here.", "nothing.detection": "The network finds no object here. Try another picture.",
  "topHint.segmentation": "Press a region, here or in the picture, for what the network looks at there. Shares are of the picture.",
  "topHint.detection": "Press a box, here or in the picture, for what the network looks at. Press “vs” for what tells it from the chosen one.",
  "topHint.embedding": "1 is the same, 0 has nothing in common. Press a sample for what makes the two pictures similar.",
  "topHint.regression": "Press a number for the pixels that it depends on.",
  explainBox: "Explain {name}, {share}", sides: "What moves its edges?", "side.left": "left", "side.right": "right", "side.upper": "upper", "side.lower": "lower",
  sideOf: "{name}, {side} edge", asJob: "Run it as a job",
  topHint: "Point at a class for its map. Press “vs” for what tells it from the chosen one.",
  versus: "vs", versusLabel: "What speaks for {name} rather than for {other}", versusSelf: "{name} is chosen",
  anyClass: "Another class", anyClassHint: "tarantula", noClass: "No class has “{text}” in its name.",
  method: "Method", allMethods: "Which method when?", when: "When", parameters: "Parameters of {method}", cost: "{runs} runs of the network",
  costOne: "one run of the network", use: "Use {name}", needsAttention: "needs a vision transformer",
  more: "Network, colours and more", model: "Network", colormap: "Colours", output: "Shown", overlay: "over the photograph",
  heatmap: "map alone", opacity: "Opacity", smoothing: "Smoothing", download: "Download PNG", downloadRaw: "Raw map (.npy)",
  meaningTitle: "How to read this",
  meaning: "A map shows which pixels the score of one class depends on, by one method. It does not show that the network is right, nor where the object is. Methods differ in what they ask, so compare several, and other classes. A bright spot beside the object is worth knowing: the network may have learned the background.",
  "family.gradients": "Gradients", "family.gradients.line": "What would a small change of a pixel do? Quick and grainy.",
  "family.noise": "Averages over noise", "family.noise.line": "The same at noisy copies of the picture: less grainy.",
  "family.paths": "Paths", "family.paths.line": "What does each pixel add on the way from an empty picture? Parts sum up to the score.",
  "family.differences": "Differences", "family.differences.line": "The same from two runs, sent back layer by layer.",
  "family.relevance": "Relevance", "family.relevance.line": "The score is shared out from layer to layer. Sharp, with signs.",
  "family.cam": "Activation maps", "family.cam.line": "Where in a layer is what the class needs? Coarse, and easy to read.",
  "family.attention": "Attention", "family.attention.line": "Followed through the blocks of a vision transformer.",
  "family.perturbation": "Covering", "family.perturbation.line": "What happens when parts are covered? Needs no gradients, takes long.",
  "family.coalitions": "Coalitions", "family.coalitions.line": "What does each region contribute among others? Takes long.",
  "family.regions": "Regions", "family.regions.line": "Which segments matter most?",

  compareTitle: "Compare methods", compareLine: "Rows are methods, columns the top classes. Below it is measured how each map fits the network.",
  compareChoose: "Methods", compareStart: "Compare", comparing: "Drawing {method} …", measuring: "Measuring {count} methods, some seconds …",
  mapAlt: "Map by {method} for {name}", table: "Metrics of the methods", metric: "Metric", better: { smaller: "smaller is better", larger: "larger is better" },
  meanRank: "mean rank", random: "random map", edges: "edges", tell: "What each metric can tell", ready: "Done.",
  makeTitle: "Let it draw", kinds: "Kinds of pictures", makeMore: "All parameters", makeStart: "Draw", navHistory: "History",
  makeFromPhotograph: "It begins with the photograph above.", noPhotograph: "This kind begins with a photograph: choose one above.",
  severalClasses: "A name, a part of one, or an id. Several with ; between them.", styleSample: "style of", styleOwn: "or of a picture of your own",
  "kind.class": "class", "kind.class.line": "What does the network believe a class looks like? Several classes, with ; between them, make a sheet.",
  "kind.neuron": "channel", "kind.neuron.line": "What excites a channel of a layer most?",
  "kind.fooling": "fooling", "kind.fooling.line": "A photograph, changed so little that no eye sees it, that is taken for something else.",
  "kind.inversion": "inversion", "kind.inversion.line": "What does a layer still know of a photograph? Found from noise.",
  "kind.caricature": "caricature", "kind.caricature.line": "What does a layer find remarkable in a photograph? Exaggerated.",
  "kind.deepdream": "deep dream", "kind.deepdream.line": "More of whatever a layer sees in a photograph.",
  "kind.style": "style", "kind.style.line": "A photograph in the manner of another picture.",
  "kind.spritemap": "spritemap", "kind.spritemap.line": "What excites each of many channels of a layer, small and side by side?",
  "kind.saliency": "map",
  "field.class_id": "class", "field.l2_reg": "weight of the norm", "field.preset": "recipe",
  drawProgress: "Progress of the drawing", cancel: "Cancel", again: "Again with another seed", animate: "Play its animation", delete: "Delete",
  deleteJob: "Delete {name}", queued: "Waiting for its turn … {position}", progress: "step {step} of {steps}, score {score}",
  progressSteps: "step {step} of {steps}",
  progressRank: "step {step} of {steps}, score {score}, rank {rank}", pictureAlt: "{name}", sees: "The network sees {name}.", scored: "Score {score}.",
  "state.queued": "Waiting.", "state.running": "Running.", "state.succeeded": "Done.", "state.failed": "Failed.", "state.cancelled": "Cancelled.",
  chart: "Score at each step; at step {step} it is {score}, and the rank of the class {rank}", axisScore: "score by step", axisRank: "score, rank (dashed) by step",
  historyTitle: "History", historyKind: "Kind", allKinds: "all", historyMore: "Older ones", noJobs: "Nothing has been drawn yet.",

  navLayers: "Layers", layersTitle: "Layer by layer", layersLine: "From the image to the scores. Open a layer for its feature maps on this photograph, and a channel for what it looks for.",
  strip: "Layers of the network", stripImage: "image", stripScores: "scores: {name}", layerSize: "{channels} × {height} × {width}",
  layerActive: "{percent} % of its values are above 0", layerTitle: "{name}: {channels} channels of {height} × {width}, strongest first",
  channelMean: "Channel {channel}, mean {mean}", channelTitle: "Channel {channel} of {layer}: at most {value} here", allChannels: "All channels",
  channelMapTitle: "On this photograph", patchesTitle: "Where it is most active in the samples", patchAlt: "Part of {name}, activation {value}", ownPicture: "yours",
  exciteTitle: "What excites it", excite: "Draw what excites it", recipe: "Recipe",
  navNetworks: "Networks", networksTitle: "Networks", networksLine: "Those that this service can look into. Yours can be one of them, if it is in ONNX.",
  useNetwork: "Use it", seeLayers: "See its layers", removeNetwork: "Remove", forget: "Forget", "state.tried": "It is being tried out.",
  "fact.state": "State", "fact.task": "Tells", "fact.input": "Takes", "fact.layers": "Layers", "fact.speed": "Speed", "fact.source": "From", "fact.pixels": "Pixels",
  "fact.scores": "Scores", "fact.weights": "Weights", "fact.gradient": "Gradient", "fact.operators": "Operators",
  "task.classification": "the class of a picture", "task.multilabel": "which labels apply", "task.regression": "numbers", "task.segmentation": "the class of each place",
  "task.detection": "boxes around objects", "task.embedding": "how similar pictures are", classes: "{count} names", inputFixed: "{width} × {height}, {channels}",
  inputAny: "any size, trained on {width} × {height}, {channels}", open: "any", speed: "{milliseconds} ms for the last picture, on {provider}",
  speedUnknown: "known once it is used", speedOnCore: "{forward} ms, with the gradient {gradient} ms, on one core",
  gradientError: "differs from central differences by {error} % of its size", gradientUnknown: "too small at the trial picture to be checked",
  gradientRounded: "passes roundings as if they were not there, so differences do not tell how good it is",
  uploadTitle: "Add a network", uploadFile: "ONNX file", uploadWeights: "Files with its weights, if they are apart", uploadMore: "What is known of it",
  uploadMoreLine: "What you leave out is read from the file or guessed, and the guesses are shown. Labels are one a line.", uploadStart: "Upload and try out",
  uploadSent: "How much is sent", uploadRoom: "{free} of {most} are free.", megabytes: "{count} MB", uploadsTitle: "Uploaded",
  "upload.waiting": "It waits for its trial.", "upload.trying": "It is being tried out, in a process of its own …", "upload.added": "It is there: tried out in {seconds} s.",
  "upload.failed": "It cannot be used.", trialReport: "What the trial has shown", guessed: "Only guessed, so look these over", "field.labels": "labels",
  linkModel: "The link asks for the network {name}, which is not served here.", linkMethod: "The link asks for the method {name}, which there is not.",
  linkPhoto: "The link asks for the sample {name}, which there is not.", copyLink: "Copy link", copied: "Copied.",
  ownNotLinked: "Your own picture stays with you: it is not part of the link.",
  report: "Save a report", reportTitle: "What speaks for {name}", reportPanel: "The photograph, the map, and the map over the photograph",
  reportMade: "Made by convlens {version} with the network {model} (SHA-256 {hash}) at {time}.", codeSample: "The picture: {name}",
  code: "The same from a program", codeCurl: "curl, what you see", codePython: "Python, what you see", codeRaw: "curl, the raw map",

  usual: "usual",
};

let language = ENGLISH;

/** The text of that name, with values in its braces. */
export function t(name, values = {}) {
  const text = language[name] ?? ENGLISH[name] ?? name;
  return typeof text === "string" ? text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "") : text;
}

export const has = (name) => name in language || name in ENGLISH;

/** Texts for elements with `data-t="name"`, and attributes for those with `data-t-for="attribute:name;…"`. */
export function fill(root = document) {
  root.querySelectorAll("[data-t]").forEach((found) => { found.textContent = t(found.dataset.t); });
  root.querySelectorAll("[data-t-for]").forEach((found) => {
    for (const pair of found.dataset.tFor.split(";")) {
      const [attribute, name] = pair.split(":");
      found.setAttribute(attribute, t(name));
    }
  });
  document.title = t("title");
}
