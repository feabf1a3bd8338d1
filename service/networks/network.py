"""A model that is ready to run: class scores, activations of layers, objectives, and their gradients."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from service.attribution import Floats, Ints, ValueAndGrad
from service.attribution.method import EXACT, Part, Rules
from service.errors import InvalidParameter
from service.models.library import Model
from service.networks.described import Described
from service.networks.questions import (
    CHOSEN,
    CLASS_ID,
    D_SCORE,
    PREDICTED,
    REFERENCE,
    SCORE,
    TERMS,
    WEIGHTS,
    Form,
    Quantity,
    Target,
    Term,
)
from service.networks.recipes import Recipe
from service.runtime.batcher import Batcher
from service.runtime.engine import Array, Engine, Session
from service.runtime.sessions import Sessions

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir


class Network(Described):
    """One model on one engine.

    Its sessions are created when they are first needed. They count towards the memory that `sessions` allows for all
    networks together.
    """

    def __init__(self, model: Model, batcher: Batcher, sessions: Sessions, engine: Engine) -> None:
        super().__init__(model, engine)
        self._key = object()
        self._background = False
        self._batcher = batcher
        self._sessions = sessions

    @property
    def provider(self) -> str:
        """The name of the execution provider."""
        return self._engine.provider

    @property
    def lanes(self) -> int:
        """The number of runs side by side."""
        return self._batcher.lanes

    def classify(self, images: Floats, layer: str | None = None, values: Floats | None = None) -> Floats:
        """Logits (N, classes) of images (N, 3, H, W) in [0, 1], with other values (N, C, h, w) of a layer if wanted.

        Raises `InvalidParameter` for an unknown layer.
        """
        feeds: dict[str, Array] = {self.model.manifest.input: images}
        if layer is None or values is None:
            session = self._session(Recipe("only_scores"))
        else:
            feeds[self.layer(layer).name] = values
            session = self._session(Recipe("behind", (layer, None)))
        (logits,) = self._run(session, [self.model.manifest.logits], feeds)
        return logits

    def activations(self, images: Floats, layers: Sequence[str]) -> list[Floats]:
        """The activations of the layers, each (N, C, h, w), at images (N, 3, H, W) in [0, 1].

        Raises `InvalidParameter` for an unknown layer.
        """
        names = tuple(self.layer(name).name for name in layers)
        # All listed layers share one session; any other combination of layers gets its own.
        listed = self.listed_layers
        outputs = listed if set(names) <= set(listed) else names
        session = self._session(Recipe("with_layers", (outputs,)))
        return self._run(session, names, {self.model.manifest.input: images})

    def value_and_grad(
        self,
        images: Floats,
        class_ids: Ints | None = None,
        rules: Rules = EXACT,
        layer: str | None = None,
        references: Floats | None = None,
        target: Target | None = None,
    ) -> ValueAndGrad:
        """Scores and gradients of one class per image, or of a target.

        Args:
            images: The images (N, 3, H, W) in [0, 1].
            class_ids: The classes (N,), `PREDICTED` for the predicted one; all are predicted ones if None.
            rules: The way backwards.
            layer: The layer with respect to which the gradient is taken; the images if None.
            references: What the images differ from, of their shape, for the rules that need it.
            target: What is differentiated instead of a class. The answer then names 0 as the class of all images.

        Raises:
            InvalidParameter: There is no such layer.
        """
        manifest = self.model.manifest
        if layer is not None:
            self.layer(layer)
        wrt, size = layer or manifest.input, self._usual(images)
        quantity = None if target is None else target.quantity
        recipe = Recipe("score_gradient", (self._form(size), rules, wrt, quantity))
        session = self._session(recipe, rules.is_usual)
        feeds = self._asked(images, class_ids, target)
        if references is not None:
            feeds[REFERENCE] = references
        at, (gradients, *inner) = self._scored(
            session, images, feeds, target, [f"d_{wrt}", *([layer] if layer else [])]
        )
        return replace(at, at=inner[0] if inner else images, gradients=gradients)

    def score(self, images: Floats, target: Target, layer: str | None = None, values: Floats | None = None) -> Floats:
        """The scores (N,) of a target, with other values (N, C, h, w) of a layer if one is named."""
        feeds: dict[str, Array] = {self.model.manifest.input: images, WEIGHTS: target.rows(len(images))}
        quantity = target.quantity
        if layer is None or values is None:
            session = self._session(Recipe("weighted", (quantity,)))
        else:
            feeds[self.layer(layer).name] = values
            session = self._session(Recipe("behind", (layer, quantity)))
        (scores,) = self._run(session, [SCORE], feeds)
        return scores

    def outputs(self, images: Floats) -> dict[str, Floats]:
        """All outputs of the graph by name, each (N, …), the scores (N, classes) first."""
        names, manifest = list(self.facts.outputs), self.model.manifest
        has_others = bool({*names} - {manifest.logits, manifest.logits_before_relu})
        session = self._session(Recipe("everything" if has_others else "only_scores"))
        return dict(zip(names, self._run(session, names, {self.model.manifest.input: images}), strict=True))

    def _asked(self, images: Floats, class_ids: Ints | None, target: Target | None) -> dict[str, Array]:
        """The inputs of a graph of scores and gradients."""
        feeds: dict[str, Array] = {self.model.manifest.input: images, D_SCORE: np.ones(len(images), np.float32)}
        if target is not None:
            return feeds | {WEIGHTS: target.rows(len(images))}
        return feeds | {CLASS_ID: np.full(len(images), PREDICTED, np.int64) if class_ids is None else class_ids}

    def _scored(
        self,
        session: Session,
        images: Floats,
        feeds: Mapping[str, Array],
        target: Target | None,
        further: Sequence[str],
    ) -> tuple[ValueAndGrad, list[Array]]:
        """What a run tells of the score, without the gradients, and further outputs of it."""
        if target is not None:
            scores, *found = self._run(session, [SCORE, *further], feeds)
            ids = np.zeros(len(images), np.int64)
            return ValueAndGrad(scores[:, None], ids, scores, np.zeros(len(images), bool), images, images), found
        names = [self.model.manifest.logits, CHOSEN, SCORE, *further]
        logits, chosen, scores, *found = self._run(session, names, feeds)
        return ValueAndGrad(logits, chosen, scores, self._is_before_relu(scores), images, images), found

    def parts(
        self, images: Floats, class_ids: Ints, part: Part, target: Target | None = None
    ) -> tuple[ValueAndGrad, list[Floats], list[Floats]]:
        """Scores and gradients like `value_and_grad`, and values and gradients of inner parts of the network.

        See `service.attribution.method.Subject.parts`. Raises `InvalidParameter` if the network has no such parts.
        """
        manifest, size = self.model.manifest, self._usual(images)
        quantity = None if target is None else target.quantity
        session = self._session(Recipe("parts_gradient", (self._form(size), part, quantity)))
        names = session.outputs
        values, gradients = ([name for name in names if name.startswith(f"{k}{part}/")] for k in ("", "d_"))
        if part == "attention" and not values:
            raise InvalidParameter(f"{self.model.name} has no attention (N, heads, tokens, tokens)")
        feeds = self._asked(images, class_ids, target)
        further = [f"d_{manifest.input}", *values, *gradients]
        at, (d_images, *found) = self._scored(session, images, feeds, target, further)
        return replace(at, gradients=d_images), found[: len(values)], found[len(values) :]

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
        session = self._session(Recipe("terms_gradient", (self._form(self._usual(images)), terms)))
        all_feeds = {manifest.input: images, WEIGHTS: weights, D_SCORE: np.ones(len(images), np.float32), **feeds}
        score, values, gradients = self._run(session, [SCORE, TERMS, f"d_{manifest.input}"], all_feeds)
        return score, values, gradients

    def gradient_model(
        self,
        size: tuple[int, int] | None = None,
        rules: Rules = EXACT,
        wrt: str | None = None,
        quantity: Quantity | None = None,
    ) -> "ir.Model":
        """The graph of `value_and_grad`; see `gradients.score_gradient`."""
        made: ir.Model = Recipe("score_gradient", (self._form(size), rules, wrt, quantity)).make(self.model)
        return made

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

    @property
    def _rows(self) -> int | None:
        """The number of images in each run, if it is fixed."""
        return self.facts.batch or (1 if self._batcher.max_batch == 1 else None)

    def _session(self, recipe: Recipe, is_usual: bool = True) -> Session:
        """The session of a graph of this network. is_usual: whether the graph is worth keeping on disk."""
        own = self.model.identity
        name = None if own is None or not is_usual else f"{own} {recipe}"
        return self._sessions.get((self._key, recipe), partial(recipe.make, self.model), name)

    def _run(self, session: Session, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        images = feeds[self.model.manifest.input]
        self.check_size(*images.shape[2:])
        rows = self.facts.batch or 1
        missing = -len(images) % rows
        if missing:  # fill up the last run with copies of its last row
            feeds = {name: np.concatenate([array, array[-1:].repeat(missing, axis=0)]) for name, array in feeds.items()}
        results = self._batcher.run(session, outputs, feeds, self._background, most=self._rows)
        return [array[: len(images)] for array in results] if missing else results

    def _is_before_relu(self, scores: Floats) -> npt.NDArray[np.bool_]:
        return (scores <= 0) & (self.model.manifest.logits_before_relu is not None)

    def _usual(self, images: Floats) -> tuple[int, int] | None:
        """The size of the images if it is that of the manifest, else None: all other sizes share a session."""
        return self.size if images.shape[2:] == self.size else None

    def _form(self, size: tuple[int, int] | None) -> Form:
        return Form(size, self._rows, self.provider == "cpu", self._engine.precision == "float16")
