"""A model that is ready to run: class scores, activations of layers, objectives, and their gradients."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from service.attribution import Floats, Ints, ValueAndGrad
from service.attribution.method import EXACT, Rules
from service.errors import InvalidParameter
from service.models.facts import Facts, Layer
from service.models.library import Model
from service.models.manifest import PREPROCESSED
from service.networks.questions import PREDICTED, REFERENCE, Form, Term
from service.networks.scores import activated
from service.runtime.batcher import Batcher
from service.runtime.engine import Array, Engine, Session
from service.runtime.sessions import Sessions

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

    from service.runtime.files import Graph


class Network:
    """One model on one engine.

    Its sessions are created when they are first needed. They count towards the memory that `sessions` allows for all
    networks together.
    """

    def __init__(self, model: Model, batcher: Batcher, sessions: Sessions, engine: Engine) -> None:
        self.model = model
        self._key = object()
        self._background = False
        self._engine = engine
        self._batcher = batcher
        self._sessions = sessions

    @property
    def provider(self) -> str:
        """The name of the execution provider."""
        return self._engine.provider

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.model.manifest.labels)

    @cached_property
    def facts(self) -> Facts:
        """What the graph says, which is remembered by the engine. Raises `ModelError` if the model cannot be used."""
        if (own := self.model.identity) is None:
            return self.model.facts
        told = self._engine.remembered(f"{own} facts", lambda: self.model.facts.model_dump_json())
        try:
            return Facts.model_validate_json(told)
        except ValidationError:  # a file that was cut, for instance
            return self.model.facts

    @property
    def is_kept(self) -> bool:
        """Whether the engine has kept what it made of the network."""
        own = self.model.identity
        return own is not None and self._engine.remembers(f"{own} facts")

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers that can be examined, by name, from the image to the scores."""
        return self.facts.layers

    @cached_property
    def listed_layers(self) -> tuple[str, ...]:
        """The layers of interest: those of the manifest, or else up to about 16 spread over the network."""
        names = list(self.layers)
        return self.model.manifest.layers or tuple(names[:: max(1, len(names) // 16)])

    @property
    def cam_layer(self) -> str | None:
        """The layer that class activation maps use by default: that of the manifest, or else the last one.

        None if the network has no layer with height and width.
        """
        return self.model.manifest.cam_layer or self.facts.last_layer

    @property
    def pixel_layer(self) -> str | None:
        """The layer that holds the pixels as the network was trained on them, None for the images themselves."""
        return PREPROCESSED if PREPROCESSED in self.layers else None

    @property
    def usual_layer(self) -> str:
        """The `cam_layer`. Raises `InvalidParameter` if there is none."""
        if (layer := self.cam_layer) is None:
            raise InvalidParameter(f"{self.model.name} has no layer with height and width")
        return layer

    @property
    def size(self) -> tuple[int, int]:
        """The height and width that the network was trained on."""
        return self.model.manifest.size

    def size_of(self, short_side: int | None) -> tuple[int, int]:
        """Height and width in the proportion of the network's own, which are taken if the short side is None."""
        if short_side is None:
            return self.size
        factor = short_side / min(self.size)
        return round(self.size[0] * factor), round(self.size[1] * factor)

    def probabilities(self, logits: Floats) -> Floats:
        """What logits (N, classes) say of the classes, (N, classes): probabilities, or the scores if they are none."""
        return activated(logits, self.model.manifest.scores)

    def layer(self, name: str) -> Layer:
        """The layer of that name. If there is none, raises `InvalidParameter` with the names of all layers."""
        if name not in self.layers:
            raise InvalidParameter(f"{self.model.name} has no layer {name!r}; it has: {', '.join(self.layers)}")
        return self.layers[name]

    def probability(self, value: float) -> float | None:
        """One of the `probabilities` as answers report it: None where the scores are none."""
        return None if self.model.manifest.scores == "none" else float(value)

    def classify(self, images: Floats) -> Floats:
        """Logits (N, classes) of images (N, 3, H, W) in [0, 1]."""
        session = self._session(("forward",), lambda: self.model.proto)
        (logits,) = self._run(session, [self.model.manifest.logits], {self.model.manifest.input: images})
        return logits

    def activations(self, images: Floats, layers: Sequence[str]) -> list[Floats]:
        """The activations of the layers, each (N, C, h, w), at images (N, 3, H, W) in [0, 1].

        Raises `InvalidParameter` for an unknown layer.
        """
        names = tuple(self.layer(name).name for name in layers)
        # All listed layers share one session; any other combination of layers gets its own.
        listed = self.listed_layers
        outputs = listed if set(names) <= set(listed) else names
        session = self._session(("layers", outputs), lambda: self.layers_model(outputs))
        return self._run(session, names, {self.model.manifest.input: images})

    def value_and_grad(
        self,
        images: Floats,
        class_ids: Ints | None = None,
        rules: Rules = EXACT,
        layer: str | None = None,
        references: Floats | None = None,
    ) -> ValueAndGrad:
        """Scores and gradients of one class per image.

        Args:
            images: The images (N, 3, H, W) in [0, 1].
            class_ids: The classes (N,), `PREDICTED` for the predicted one; all are predicted ones if None.
            rules: The way backwards.
            layer: The layer with respect to which the gradient is taken; the images if None.
            references: What the images differ from, of their shape, for the rules that need it.

        Raises:
            InvalidParameter: There is no such layer.
        """
        manifest = self.model.manifest
        if class_ids is None:
            class_ids = np.full(len(images), PREDICTED, np.int64)
        if layer is not None:
            self.layer(layer)
        wrt, size = layer or manifest.input, self._usual(images)
        question = ("class", rules, wrt, size)
        session = self._session(question, lambda: self.gradient_model(size, rules, wrt), rules.is_usual)
        outputs = [manifest.logits, "chosen", "score", f"d_{wrt}", *([layer] if layer else [])]
        feeds: dict[str, Array] = {
            manifest.input: images,
            "class_id": class_ids,
            "d_score": np.ones(len(images), np.float32),
            **({} if references is None else {REFERENCE: references}),
        }
        logits, chosen, scores, gradients, *inner = self._run(session, outputs, feeds)
        before_relu = (scores <= 0) & (manifest.logits_before_relu is not None)
        return ValueAndGrad(logits, chosen, scores, before_relu, inner[0] if inner else images, gradients)

    def measure(
        self,
        images: Floats,
        terms: tuple[Term, ...],
        weights: Floats,
        feeds: Mapping[str, Array],
    ) -> tuple[Floats, Floats, Floats]:
        """The score (N,), the terms (N, terms) and the gradient (N, 3, H, W) of a weighted sum of terms.

        Args:
            images: The images (N, 3, H, W) in [0, 1].
            terms: The terms.
            weights: The weights of the terms, (N, terms).
            feeds: The inputs of the terms by name; see `networks.objectives.Term`.

        Raises:
            InvalidParameter: A term names a layer that does not exist.
        """
        manifest = self.model.manifest
        for term in terms:
            if term.layer != manifest.input:
                self.layer(term.layer)
        size = self._usual(images)
        session = self._session(("terms", terms, size), lambda: self.objective_model(terms, size))
        all_feeds = {manifest.input: images, "weights": weights, "d_score": np.ones(len(images), np.float32), **feeds}
        score, values, gradients = self._run(session, ["score", "terms", f"d_{manifest.input}"], all_feeds)
        return score, values, gradients

    def gradient_model(
        self, size: tuple[int, int] | None = None, rules: Rules = EXACT, wrt: str | None = None
    ) -> "ir.Model":
        """The graph of `value_and_grad`; see `gradients.class_gradient`."""
        from service.networks import gradients

        return gradients.class_gradient(self.model, self._form(size), rules, wrt)

    def layers_model(self, outputs: Sequence[str]) -> "onnx.ModelProto":
        """The graph of `activations`."""
        from service.networks import gradients

        return gradients.with_layers(self.model, outputs)

    def objective_model(self, terms: Sequence[Term], size: tuple[int, int] | None = None) -> "ir.Model":
        """The graph of `measure`; see `gradients.terms_gradient`."""
        from service.networks import gradients

        return gradients.terms_gradient(self.model, self._form(size), terms)

    def with_weights(self, proto: "onnx.ModelProto") -> "Network":
        """The same network with other weights, on the same engine."""
        model = Model.of(self.model.manifest, replace(self.model.adapted, proto=proto))
        network = Network(model, self._batcher, Sessions(self._engine, max_bytes=0), self._engine)
        network.facts = self.facts
        return network

    def in_background(self) -> "Network":
        """The same network, sharing its sessions, whose runs let those of requests go first."""
        twin = copy(self)
        twin._background = True
        return twin

    def unload(self) -> None:
        """Release all sessions."""
        self._sessions.drop(self._key)

    def warm_up(self) -> None:
        """Create the sessions and run them, so that the first request is not slow and every lane has its memory."""
        blank = np.zeros((1, 3, *self.size), np.float32)
        many = max(2 * self._batcher.lanes, self._batcher.max_batch)
        for images in (blank, blank.repeat(many, axis=0)):  # a single run, and runs in parallel
            self.classify(images)
            self.value_and_grad(images)

    def check_size(self, height: int, width: int) -> None:
        """Raise `InvalidParameter` if the network does not take images of that size."""
        facts = self.facts
        if facts.height in (None, height) and facts.width in (None, width):
            return
        only = f"{facts.width or 'any width'} x {facts.height or 'any height'}"
        raise InvalidParameter(
            f"{self.model.name} takes pictures of {only} only, not {width} x {height}; "
            "use resize=squash or crop, and no other size"
        )

    @property
    def _rows(self) -> int | None:
        """The number of images in each run, if it is fixed."""
        return self.facts.batch or (1 if self._batcher.max_batch == 1 else None)

    def _session(self, question: tuple[Hashable, ...], build: "Callable[[], Graph]", is_usual: bool = True) -> Session:
        """The session of a graph of this network. is_usual: whether the graph is worth keeping on disk."""
        own = self.model.identity
        form = self._form(None)
        name = None if own is None or not is_usual else f"{own} {question} {form}"
        return self._sessions.get((self._key, *question), build, name)

    def _run(self, session: Session, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        images = feeds[self.model.manifest.input]
        self.check_size(*images.shape[2:])
        rows = self.facts.batch or 1
        missing = -len(images) % rows
        if missing:  # fill up the last run with copies of its last row
            feeds = {name: np.concatenate([array, array[-1:].repeat(missing, axis=0)]) for name, array in feeds.items()}
        results = self._batcher.run(session, outputs, feeds, self._background, most=self._rows)
        return [array[: len(images)] for array in results] if missing else results

    def _usual(self, images: Floats) -> tuple[int, int] | None:
        """The size of the images if it is that of the manifest, else None: all other sizes share a session."""
        return self.size if images.shape[2:] == self.size else None

    def _form(self, size: tuple[int, int] | None) -> Form:
        return Form(size, self._rows, self.provider == "cpu", self._engine.precision == "float16")
