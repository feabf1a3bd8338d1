"""What speaks for which preprocessing: arithmetic in the graph, the exporter, the number of classes."""

from dataclasses import dataclass

import onnx_ir as ir

from service.autodiff.shapes import constant_value
from service.errors import ModelError
from service.models.manifest import Preprocessing
from service.models.usual import usual

_ARITHMETIC = frozenset(["Sub", "Div", "Mul", "Add", "BatchNormalization"])
_MOVING = frozenset("Transpose Cast Identity Unsqueeze Squeeze Gather Concat Reshape Resize Pad".split())
_CAFFE = ("caffe", "mxnet-caffe")


@dataclass(frozen=True)
class Guess:
    """A preprocessing. why: the evidence and the alternatives; empty where the graph itself leaves no doubt."""

    preprocessing: Preprocessing
    why: str


def guess_preprocessing(
    image: ir.Value, channels: str, producer: str, classes: int, layout: str, chosen: str | None
) -> Guess:
    """The preprocessing that the evidence speaks for, unless one is chosen by name.

    Raises `ModelError` if there is none of the chosen name for these channels.
    """
    known = usual(channels)
    if chosen is not None:
        if chosen not in known:
            raise ModelError(f"for {channels} there is no preprocessing {chosen!r}; there are: {', '.join(known)}")
        return Guess(known[chosen], "")
    if producer == "convlens" and channels == "RGB":
        return Guess(Preprocessing(in_graph=True), "")
    name, evidence = _evidence(image, channels, producer.lower(), classes, layout)
    if not evidence:
        return Guess(known[name] if name else Preprocessing(in_graph=True), "")
    others = ", ".join(other for other in known if other != name)
    why = f"{name}, since {evidence}; or --preprocessing {others}, or --mean, --std, --scale, --channels.\n"
    return Guess(known[name], why + "`convlens add --try photo.png` shows what the network sees under each.")


def _evidence(image: ir.Value, channels: str, producer: str, classes: int, layout: str) -> tuple[str, str]:
    """The name of a preprocessing, empty for that of the graph, and what it rests on, empty where there is no doubt."""
    if image.dtype not in (None, ir.DataType.FLOAT):
        return "bytes", ""
    largest = _largest_constant(image)
    if largest is not None:
        if 2 < largest < 1000:
            return "bytes", ""
        return ("", "") if channels == "RGB" else ("unit", "")
    if channels == "L":
        if "cntk" in producer:
            return "bytes", f"networks from {producer} take 0 to 255"
        return "unit", "most networks of one channel take 0 to 1"
    if channels == "RGBA":
        return "unit", "most networks take 0 to 1"
    if any(name in producer for name in _CAFFE):
        return "caffe", f"the file comes from {producer}"
    if layout == "NHWC" or "tf2onnx" in producer or "keras" in producer:
        return "symmetric", "most networks from Keras and TensorFlow take -1 to 1"
    if classes in (1000, 1001) or "pytorch" in producer or "paddle" in producer:
        return "imagenet", "most networks of that kind were trained with ImageNet's mean and deviation"
    return "unit", "nothing in the file speaks for anything else"


def _largest_constant(image: ir.Value) -> float | None:
    """The largest constant in the arithmetic right behind the image; None if there is no arithmetic."""
    largest, found, value = 0.0, False, image
    while len(value.uses()) == 1:
        node = next(iter(value.uses())).node
        if node.op_type not in _ARITHMETIC | _MOVING:
            break
        if node.op_type in _ARITHMETIC:
            found = True
            constants = [constant_value(x) for x in node.inputs]
            largest = max([largest, *(float(abs(c).max()) for c in constants if c is not None and c.size)])
        value = node.outputs[0]
    return largest if found else None
