"""How targets are written: as sums of terms, in text or in JSON.

A target is a sum of terms, ``[number *] atom``, with these atoms:

- ``class:285``: the score of a class.
- ``probability:285`` and ``log_odds:285``: its probability, and the logarithm of its odds against all others.
- ``output:NAME[0, 3]``: an element of an output, or with ``:`` or ``2:5`` the mean of several. The axis of images is
  left out.
- ``layer:NAME[17]``: the mean of a channel of a layer, or of what else is selected of it.
- ``region:15``: the score of a class of a segmentation, the mean over the region that is sent along, or over the places
  where the network sees the class.
- ``detection:0``: the score of the most likely box of a detector, or with another number of the next ones, and
  ``detection:0.left`` (``right``, ``upper``, ``lower``) one of its sides.
- ``match:0``: how much the box that is most like that detection is like it, in place and in class.
- ``similarity``: the cosine of the angle between the vector of this picture and another one: that of a picture that is
  sent along, or in JSON the numbers of any other.

All terms of a target are of one value of the network: ``class:285 - class:282`` is a target, and the sum of a class and
a channel is none.

In JSON a term is an object, and a target is one of them or a list: ``{"class": 285}``, ``{"detection": 0, "side":
"left"}``, ``[{"output": "heat", "index": [0, "2:5"], "weight": 0.5}, …]``, ``{"similarity": [0.1, …]}``.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

MOST_TERMS = 100
MOST_WEIGHT = 1e6
MOST_CHARACTERS = 2**16
FORM = (
    "terms like class:285, probability:285, log_odds:285, output:NAME[0,3], layer:NAME[17], region:15, detection:0, "
    "detection:0.left, match:0 or similarity"
)
_TERM = re.compile(
    r"\s*(?P<sign>[+-])?\s*(?:(?P<weight>\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?"
    r"(?:(?P<kind>class|probability|log_odds|region|match):(?P<id>\d{1,9})|(?P<place>output|layer):(?P<name>[^\[\]]+)"
    r"\[(?P<index>[^\[\]]*)\]|detection:(?P<rank>\d{1,5})(?:\.(?P<side>left|right|upper|lower))?|(?P<similar>similarity))\s*"
)
_SELECTOR = re.compile(r"\s*(?:(\d{1,9})|(\d{0,9})\s*:\s*(\d{0,9}))\s*")
_ALONE = {"log_odds", "match", "similarity"}  # are no sums of what the network tells

Selector = int | slice
Number = Annotated[int, Field(ge=0, lt=10**9)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Atom:
    """One thing that a target is made of.

    Attributes:
        kind: What it is.
        name: Of an output, a layer or a side.
        index: What is selected, a class, or the number of a detection.
        vector: What the vector of a picture is compared with; empty for that of another picture.
    """

    kind: str
    name: str = ""
    index: tuple[Selector, ...] = ()
    vector: tuple[float, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A target as it was written: atoms with their weights."""

    text: str
    terms: tuple[tuple[float, Atom], ...]

    @property
    def kinds(self) -> set[str]:
        """The kinds of the atoms."""
        return {atom.kind for _, atom in self.terms}

    @property
    def needs_picture(self) -> bool:
        """Whether it needs another picture to compare with."""
        return any(atom.kind == "similarity" and not atom.vector for _, atom in self.terms)


class Term(BaseModel):
    """A term of a target in JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weight: Finite = 1.0
    class_id: Annotated[Number | None, Field(alias="class")] = None
    probability: Number | None = None
    log_odds: Number | None = None
    region: Number | None = None
    match: Number | None = None
    detection: Number | None = None
    side: Literal["left", "right", "upper", "lower"] | None = None
    output: str | None = None
    layer: str | None = None
    index: Annotated[list[Number | str], Field(max_length=16)] | None = None
    similarity: Literal[True] | Annotated[list[Finite], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_atom(self) -> Self:
        atoms = self.model_dump(exclude={"weight", "side", "index"}, exclude_none=True)
        if len(atoms) != 1:
            raise ValueError(
                'a term says one thing: {"class": 285}, {"probability": 285}, {"log_odds": 285}, {"output": NAME, '
                '"index": [0, 3]}, {"layer": NAME, "index": [17]}, {"region": 15}, {"detection": 0, "side": "left"}, '
                '{"match": 0} or {"similarity": true}'
            )
        if self.side is not None and self.detection is None:
            raise ValueError("side belongs to a detection")
        if self.index is not None and self.output is None and self.layer is None:
            raise ValueError("index belongs to an output or a layer")
        return self

    @property
    def atom(self) -> Atom:
        """What the term weights. Raises `ValueError` for what selects nothing."""
        if self.similarity is not None:
            return Atom("similarity", vector=() if self.similarity is True else tuple(self.similarity))
        if self.detection is not None:
            return Atom("side" if self.side else "detection", self.side or "", (self.detection,))
        if (name := self.output if self.layer is None else self.layer) is not None:
            return Atom("output" if self.layer is None else "layer", name, tuple(_selectors(self.index or [":"])))
        ((name, number),) = self.model_dump(exclude={"weight"}, exclude_none=True).items()
        return Atom("class" if name == "class_id" else name, index=(number,))


_IN_JSON: TypeAdapter[list[Term]] = TypeAdapter(Annotated[list[Term], Field(min_length=1, max_length=MOST_TERMS)])


def as_text(target: Any) -> Any:
    """A target in JSON as the text of it; anything else as it is."""
    return json.dumps(target) if isinstance(target, dict | list) else target


def parse(text: str) -> Wanted:
    """Read a target. Raises `ValueError` with what was expected if it is none."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a target has at most {MOST_CHARACTERS:,} characters")
    start = text.lstrip()[:1]
    if start in ("{", "["):
        terms = _from_json(text if start == "[" else f"[{text}]")
        wanted = Wanted(_written(terms), terms)
    else:
        wanted = Wanted(text, _from_text(text))
    _check(wanted)
    return wanted


def known_target(text: str) -> str:
    """The text, if it is a target. Raises what `parse` raises."""
    parse(text)
    return text


def _check(wanted: Wanted) -> None:
    """Raise `ValueError` for weights that are too large, and for terms that are not of one value."""
    if any(abs(weight) > MOST_WEIGHT for weight, _ in wanted.terms):
        raise ValueError(f"a weight is at most {MOST_WEIGHT:g}")
    if len({(atom.kind, "" if atom.kind == "side" else atom.name) for _, atom in wanted.terms}) > 1:
        raise ValueError("the terms of a target must be of one kind, and of one output or layer")
    if wanted.kinds & _ALONE and [weight for weight, _ in wanted.terms] != [1]:
        raise ValueError(f"{', '.join(sorted(_ALONE))} stand alone, without a weight")


def _from_json(text: str) -> tuple[tuple[float, Atom], ...]:
    try:
        return tuple((term.weight, term.atom) for term in _IN_JSON.validate_json(text))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"in the JSON of the target{f', at {place}' if place else ''}: {first['msg']}") from None


def _from_text(text: str) -> tuple[tuple[float, Atom], ...]:
    terms: list[tuple[float, Atom]] = []
    place = 0
    while place < len(text) or not terms:
        found = _TERM.match(text, place)
        if found is None or (terms and not found["sign"]) or len(terms) == MOST_TERMS:
            raise ValueError(f"a target is a sum of at most {MOST_TERMS} {FORM}; this is none: {text[place:][:50]!r}")
        weight = float(found["weight"] or 1)
        terms.append((-weight if found["sign"] == "-" else weight, _atom(found)))
        place = found.end()
    return tuple(terms)


def _atom(found: re.Match[str]) -> Atom:
    if found["kind"]:
        return Atom(found["kind"], index=(int(found["id"]),))
    if found["similar"]:
        return Atom("similarity")
    if found["rank"]:
        return Atom("side" if found["side"] else "detection", found["side"] or "", (int(found["rank"]),))
    return Atom(found["place"], found["name"].strip(), tuple(_selectors(found["index"].split(","))))


def _selectors(parts: Iterable[int | str]) -> list[Selector]:
    selectors: list[Selector] = []
    for part in parts:
        found = _SELECTOR.fullmatch(str(part))
        if found is None:
            raise ValueError(f"{part!r} selects nothing: an index is a number, : for all, or a range like 2:5")
        first, last = found[2], found[3]
        selectors.append(
            int(found[1]) if found[1] else slice(int(first) if first else None, int(last) if last else None)
        )
    return selectors


def _written(terms: Sequence[tuple[float, Atom]]) -> str:
    """Terms as text."""
    signed = [("-" if weight < 0 else "+", abs(weight), _named(atom)) for weight, atom in terms]
    text = " ".join(f"{sign} {'' if size == 1 else f'{size:g}*'}{name}" for sign, size, name in signed)
    return text.removeprefix("+ ")


def _named(atom: Atom) -> str:
    if atom.kind == "similarity":
        return atom.kind
    if atom.kind == "side":
        return f"detection:{atom.index[0]}.{atom.name}"
    if atom.kind not in ("output", "layer"):
        return f"{atom.kind}:{atom.index[0]}"
    return f"{atom.kind}:{atom.name}[{', '.join(map(_selector, atom.index))}]"


def _selector(one: Selector) -> str:
    if not isinstance(one, slice):
        return str(one)
    return ":".join("" if edge is None else str(edge) for edge in (one.start, one.stop))
