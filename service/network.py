"""A model that is ready to run: scores of classes and their gradients."""

from functools import cached_property
from threading import Lock

import numpy as np

from service.attribution import Evaluation, Floats, Ints
from service.autodiff import differentiate
from service.engine import Engine, Session
from service.models.library import Library, Model
from service.objectives import PREDICTED, class_score


class Network:
    """One model on one engine. Its sessions are made when they are first needed."""

    def __init__(self, model: Model, engine: Engine) -> None:
        self.model = model
        self._engine = engine
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
        (logits,) = session.run([self.model.manifest.logits], {self.model.manifest.input: images})
        return logits

    def evaluate(self, images: Floats, class_ids: Ints | None = None) -> Evaluation:
        """Scores and gradients of the classes (N,), of the predicted ones by default, at images (N, 3, H, W) in [0, 1]."""
        manifest = self.model.manifest
        if class_ids is None:
            class_ids = np.full(len(images), PREDICTED, np.int64)
        with self._lock:
            session = self._gradient
        logits, chosen, scores, gradients = session.run(
            [manifest.logits, "chosen", "score", f"d_{manifest.input}"],
            {manifest.input: images, "class_id": class_ids, "d_score": np.ones(len(images), np.float32)},
        )
        at_zero = logits[np.arange(len(images)), chosen] == 0
        return Evaluation(logits, chosen, scores, at_zero & (manifest.logits_before_relu is not None), gradients)

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
        scored = class_score(self.model.proto, self.model.manifest)
        return self._engine.load(differentiate(scored, of="score", wrt=self.model.manifest.input))


class Networks:
    """The networks of a library on one engine, by model name."""

    def __init__(self, library: Library, engine: Engine) -> None:
        self.library = library
        self.engine = engine
        self._networks = {model.name: Network(model, engine) for model in library}

    def __getitem__(self, name: str) -> Network:
        """The network of that name; raises `NotFound` with the names that there are."""
        return self._networks[self.library[name].name]
