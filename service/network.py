"""A model that is ready to run: scores of classes and their gradients."""

from functools import cached_property
from threading import Lock

import numpy as np
import onnx

from service.attribution import Evaluation, Floats, Ints
from service.autodiff import differentiate
from service.batcher import Batcher
from service.engine import Engine, Session
from service.models.library import Library, Model
from service.objectives import PREDICTED, class_score
from service.rewrites import simplify


class Network:
    """One model on one engine. Its sessions are made when they are first needed."""

    def __init__(self, model: Model, engine: Engine, batcher: Batcher) -> None:
        self.model = model
        self._engine = engine
        self._batcher = batcher
        self._lock = Lock()

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
        with self._lock:
            session = self._gradient
        logits, chosen, scores, gradients = self._batcher.run(
            session,
            [manifest.logits, "chosen", "score", f"d_{manifest.input}"],
            {manifest.input: images, "class_id": class_ids, "d_score": np.ones(len(images), np.float32)},
            background,
        )
        before_relu = (scores <= 0) & (manifest.logits_before_relu is not None)
        return Evaluation(logits, chosen, scores, before_relu, gradients)

    def gradient_model(self) -> onnx.ModelProto:
        """The graph of `evaluate`: the network, the score of one class, and its gradient."""
        scored = class_score(simplify(self.model.proto), self.model.manifest)
        return differentiate(scored, of="score", wrt=self.model.manifest.input)

    def warm_up(self) -> None:
        """Make the sessions and run them once, so that the first request is not the slow one."""
        blank = np.zeros((1, 3, self.model.manifest.size, self.model.manifest.size), np.float32)
        self.classify(blank)
        self.evaluate(blank)

    @cached_property
    def _forward(self) -> Session:
        return self._engine.load(self.model.proto)

    @cached_property
    def _gradient(self) -> Session:
        return self._engine.load(self.gradient_model())


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
