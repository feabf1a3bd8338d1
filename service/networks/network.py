"""A model that is ready to run: class scores, activations of layers, objectives, and their gradients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
import onnx

from service.attribution import Floats, Ints, ValueAndGrad
from service.attribution.method import Rules
from service.autodiff import RULES, STRAIGHT_THROUGH, NotDifferentiable, Rule, differentiate
from service.autodiff.nchwc import NCHWC_RULES
from service.autodiff.relu_variants import deconvnet, guided
from service.errors import InvalidParameter, ModelError
from service.graphs.nchwc import for_nchwc
from service.graphs.rewrites import simplify, with_image_shape, with_outputs
from service.models.layers import Layer
from service.models.library import Model
from service.networks.objectives import PREDICTED, Term, class_score, weighted_terms
from service.runtime.batcher import Batcher
from service.runtime.engine import Array, Engine, Session, in_float16
from service.runtime.sessions import Sessions

_VARIANTS: dict[Rules, Callable[[Mapping[str, Rule]], Mapping[str, Rule]]] = {
    "exact": dict,
    "guided": guided,
    "deconvnet": deconvnet,
}


@contextmanager
def refused_as_model_error() -> Iterator[None]:
    """Turn `NotDifferentiable` into a `ModelError` with the same message."""
    try:
        yield
    except NotDifferentiable as error:
        raise ModelError(str(error)) from error


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
    def is_quantized(self) -> bool:
        """Whether the network rounds values; gradients pass such roundings unchanged."""
        return any(node.op_type in STRAIGHT_THROUGH for node in self.model.proto.graph.node)

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers that can be examined, by name, from the image to the scores."""
        return self.model.layers

    @cached_property
    def listed_layers(self) -> tuple[str, ...]:
        """The layers of interest: those of the manifest, or else up to about 16 spread over the network."""
        names = list(self.layers)
        return self.model.manifest.layers or tuple(names[:: max(1, len(names) // 16)])

    @property
    def cam_layer(self) -> str:
        """The layer that class activation maps use by default: that of the manifest, or else the last one."""
        return self.model.manifest.cam_layer or next(reversed(self.layers))

    def layer(self, name: str) -> Layer:
        """The layer of that name. If there is none, raises `InvalidParameter` with the names of all layers."""
        if name not in self.layers:
            raise InvalidParameter(f"{self.model.name} has no layer {name!r}; it has: {', '.join(self.layers)}")
        return self.layers[name]

    def classify(self, images: Floats) -> Floats:
        """Logits (N, classes) of images (N, 3, H, W) in [0, 1]."""
        session = self._sessions.get((self._key, "forward"), lambda: self.model.proto)
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
        session = self._sessions.get((self._key, "layers", outputs), lambda: with_outputs(self.model.proto, outputs))
        return self._run(session, names, {self.model.manifest.input: images})

    def value_and_grad(
        self,
        images: Floats,
        class_ids: Ints | None = None,
        rules: Rules = "exact",
        layer: str | None = None,
    ) -> ValueAndGrad:
        """Scores and gradients of one class per image.

        Args:
            images: The images (N, 3, H, W) in [0, 1].
            class_ids: The classes (N,), `PREDICTED` for the predicted one; all are predicted ones if None.
            rules: How the gradient passes a Relu.
            layer: The layer with respect to which the gradient is taken; the images if None.

        Raises:
            InvalidParameter: There is no such layer.
        """
        manifest = self.model.manifest
        if class_ids is None:
            class_ids = np.full(len(images), PREDICTED, np.int64)
        if layer is not None:
            self.layer(layer)
        wrt, size = layer or manifest.input, self._usual(images)
        session = self._sessions.get(
            (self._key, "class", rules, wrt, size), lambda: self.gradient_model(size, rules, wrt)
        )
        outputs = [manifest.logits, "chosen", "score", f"d_{wrt}", *([layer] if layer else [])]
        feeds: dict[str, Array] = {
            manifest.input: images,
            "class_id": class_ids,
            "d_score": np.ones(len(images), np.float32),
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
        session = self._sessions.get((self._key, "terms", terms, size), lambda: self.objective_model(terms, size))
        all_feeds = {manifest.input: images, "weights": weights, "d_score": np.ones(len(images), np.float32), **feeds}
        score, values, gradients = self._run(session, ["score", "terms", f"d_{manifest.input}"], all_feeds)
        return score, values, gradients

    def gradient_model(
        self, size: tuple[int, int] | None = None, rules: Rules = "exact", wrt: str | None = None
    ) -> onnx.ModelProto:
        """The graph of `value_and_grad`: the network, the score of one class, and its gradient.

        It takes images of one size (H, W), or of any size if None.
        """
        manifest = self.model.manifest
        # Moving a Relu behind a pool does not change the exact derivative, but it does change its variants.
        layers = [] if wrt in (None, manifest.input) else [str(wrt)]
        proto = self._prepared(size, layers, rewrite=rules == "exact")
        scored = class_score(proto, manifest, one_channel=not layers)
        if self._engine.precision == "float16" and not layers:  # objectives may have squares that exceed float16
            scored = in_float16(scored)
        return self._differentiate(scored, wrt or manifest.input, rules)

    def objective_model(self, terms: Sequence[Term], size: tuple[int, int] | None = None) -> onnx.ModelProto:
        """The graph of `measure`: the network, the weighted terms, and the gradient of their sum.

        It takes images of one size (H, W), or of any size if None.
        """
        image = self.model.manifest.input
        proto = self._prepared(size, [term.layer for term in terms if term.layer != image], rewrite=True)
        return self._differentiate(weighted_terms(proto, terms), image, "exact")

    def with_weights(self, proto: onnx.ModelProto) -> "Network":
        """The same network with other weights, on the same engine."""
        model = Model.of(self.model.manifest, replace(self.model.adapted, proto=proto))
        return Network(model, self._batcher, Sessions(self._engine, max_bytes=0), self._engine)

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
        blank = np.zeros((1, 3, self.model.manifest.size, self.model.manifest.size), np.float32)
        for images in (blank, blank.repeat(16, axis=0)):  # a single run, and runs in parallel
            self.classify(images)
            self.value_and_grad(images)

    def check_size(self, height: int, width: int) -> None:
        """Raise `InvalidParameter` if the network does not take images of that size."""
        only = self.model.adapted.image_size
        if only is not None and only != (height, width):
            raise InvalidParameter(
                f"{self.model.name} takes pictures of {only[1]} x {only[0]} only, not {width} x {height}; "
                "use resize=squash or crop, and no other size"
            )

    @property
    def _rows(self) -> int | None:
        """The number of images in each run, if it is fixed."""
        return 1 if self.model.adapted.one_by_one or self._batcher.max_batch == 1 else None

    def _run(self, session: Session, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        self.check_size(*feeds[self.model.manifest.input].shape[2:])
        return self._batcher.run(session, outputs, feeds, self._background, most=self._rows)

    def _usual(self, images: Floats) -> tuple[int, int] | None:
        """The size of the images if it is that of the manifest, else None: all other sizes share a session."""
        side = self.model.manifest.size
        return (side, side) if images.shape[2:] == (side, side) else None

    def _prepared(self, size: tuple[int, int] | None, keep: Sequence[str], rewrite: bool) -> onnx.ModelProto:
        proto = with_outputs(self.model.proto, keep) if keep else self.model.proto
        if rewrite:
            proto = simplify(proto)
        return proto if size is None else with_image_shape(proto, self.model.manifest.input, (self._rows, None, *size))

    def _differentiate(self, model: onnx.ModelProto, wrt: str, variant: Rules) -> onnx.ModelProto:
        rules: Mapping[str, Rule] = RULES
        with refused_as_model_error():
            if self.provider == "cpu":
                model, rules = for_nchwc(model), RULES | NCHWC_RULES
            return differentiate(model, of="score", wrt=wrt, rules=_VARIANTS[variant](rules))
