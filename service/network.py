"""A model that is ready to run: scores of classes and their gradients."""

from functools import cached_property
from threading import Lock

import numpy as np
import onnx

from service.attribution import Evaluation, Floats, Ints
from service.autodiff import RULES, Rule, differentiate
from service.autodiff.pooling import max_pool_by_indices
from service.batcher import Batcher
from service.engine import Engine, Session
from service.models.library import Library, Model
from service.objectives import PREDICTED, class_score
from service.rewrites import simplify, with_image_size


class Network:
    """One model on one engine. Its sessions are made when they are first needed."""

    def __init__(self, model: Model, engine: Engine, batcher: Batcher) -> None:
        self.model = model
        self._engine = engine
        self._batcher = batcher
        self._lock = Lock()
        self._gradients: dict[tuple[int, ...] | None, Session] = {}

    @property
    def provider(self) -> str:
        """Name of the execution provider."""
        return self._engine.provider

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.model.manifest.labels)

    def classify(self, images: Floats) -> Floats:
        """Logits (N, classes) of images (N, 3, H, W) in [0, 1]."""
        with self._lock:
            session = self._forward
        (logits,) = self._batcher.run(session, [self.model.manifest.logits], {self.model.manifest.input: images})
        return logits

    def evaluate(self, images: Floats, class_ids: Ints | None = None, background: bool = False) -> Evaluation:
        """Scores and gradients of the classes (N,), of the predicted ones by default, at images (N, 3, H, W) in [0, 1].

        background: whether this may wait for requests that somebody waits for.
        """
        manifest = self.model.manifest
        if class_ids is None:
            class_ids = np.full(len(images), PREDICTED, np.int64)
        session = self._gradient_session(images.shape[2:])
        logits, chosen, scores, gradients = self._batcher.run(
            session,
            [manifest.logits, "chosen", "score", f"d_{manifest.input}"],
            {manifest.input: images, "class_id": class_ids, "d_score": np.ones(len(images), np.float32)},
            background,
        )
        before_relu = (scores <= 0) & (manifest.logits_before_relu is not None)
        return Evaluation(logits, chosen, scores, before_relu, gradients)

    def gradient_model(self, size: tuple[int, ...] | None = None) -> onnx.ModelProto:
        """The graph of `evaluate`: the network, the score of one class, and its gradient; for images of one size (H, W) or of any."""
        manifest = self.model.manifest
        proto = simplify(self.model.proto)
        if size is not None:
            proto = with_image_size(proto, manifest.input, *size)
        rules = RULES if self.provider == "cpu" else RULES | {"MaxPool": Rule(max_pool_by_indices)}
        return differentiate(class_score(proto, manifest), of="score", wrt=manifest.input, rules=rules)

    def _gradient_session(self, size: tuple[int, ...]) -> Session:
        """The session for images of that size (H, W): one for the size of the manifest, one for all others."""
        usual = (self.model.manifest.size,) * 2
        key = usual if size == usual else None
        with self._lock:
            if key not in self._gradients:
                self._gradients[key] = self._engine.load(self.gradient_model(key))
            return self._gradients[key]

    def warm_up(self) -> None:
        """Make the sessions and run them once, so that the first request is not the slow one."""
        blank = np.zeros((1, 3, self.model.manifest.size, self.model.manifest.size), np.float32)
        self.classify(blank)
        self.evaluate(blank)

    @cached_property
    def _forward(self) -> Session:
        return self._engine.load(self.model.proto)


class Networks:
    """The networks of a library on one engine, by model name."""

    def __init__(self, library: Library, engine: Engine, batcher: Batcher) -> None:
        self.library = library
        self.engine = engine
        self._batcher = batcher
        self._networks = {model.name: Network(model, engine, batcher) for model in library}

    def __getitem__(self, name: str) -> Network:
        """The network of that name; raises `NotFound` with the names that there are."""
        return self._networks[self.library[name].name]

    def close(self) -> None:
        """Finish what is under way."""
        self._batcher.close()
