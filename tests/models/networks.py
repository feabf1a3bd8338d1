"""Small classifiers in the forms that exporters produce."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 7


def classifier(
    layout: str = "NCHW",
    softmax: bool = False,
    batch: int | str = "N",
    size: int | str = "S",
    opset: int = 18,
    preprocessing: str | None = None,
    flat: bool = True,
    activation: str = "Relu",
) -> onnx.ModelProto:
    """A convolution, an activation, a global average and a matrix.

    Args:
        layout: NCHW or NHWC.
        softmax: Whether the graph ends in a softmax.
        batch: The batch size, or its symbol.
        size: The side of the image, or its symbol.
        opset: The opset.
        preprocessing: ``bytes`` or ``unit`` if the graph subtracts a mean from pixels in [0, 255] or [0, 1].
        flat: Whether the scores are (N, classes) rather than (N, classes, 1, 1).
        activation: The type of the activation.
    """
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(6, 3, 3, 3)).astype(np.float32) * 0.5,
        "m": rng.normal(size=(CLASSES, 6)).astype(np.float32),
        "b": np.zeros(CLASSES, np.float32),
        "mean": np.full(
            (1, 3, 1, 1) if layout == "NCHW" else (1, 1, 1, 3), 110 if preprocessing == "bytes" else 0.5, np.float32
        ),
        "shape": np.array([0, CLASSES, 1, 1] if not flat else [0, CLASSES], np.int64),
    }
    nodes, x = [], "pixels"

    def add(op_type: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op_type, list(inputs), [f"v{len(nodes)}"], name=f"n{len(nodes)}", **attributes))
        return f"v{len(nodes) - 1}"

    if preprocessing:
        x = add("Sub", x, "mean")
    if layout == "NHWC":
        x = add("Transpose", x, perm=[0, 3, 1, 2])
    x = add("Conv", x, "w", pads=[1, 1, 1, 1], strides=[2, 2])
    x = add(activation, x)
    x = add("Flatten", add("GlobalAveragePool", x))
    x = add("Gemm", x, "m", "b", transB=1)
    x = add("Reshape", x, "shape")
    if softmax:
        x = add("Softmax", x, axis=1)
    nodes[-1].output[0] = "scores"
    dims = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    out = [batch, CLASSES] if flat else [batch, CLASSES, 1, 1]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(a, name) for name, a in weights.items() if name != "mean" or preprocessing],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


COLOURS = ("nothing", "red", "green", "blue")


def segmenter(channels_last: bool = False, activation: str = "", size: int = 64) -> onnx.ModelProto:
    """A small U: it tells where a picture is red, green or blue, from pixels and from what is around them.

    The scores are ``maps``, (N, 4, size, size), or (N, size, size, 4) if ``channels_last``. activation: what the graph
    ends in, as ``Softmax<axis = 1>`` or ``ArgMax<axis = 1>``.
    """
    blur = np.zeros((3, 3, 3, 3), np.float32)
    blur[range(3), range(3)] = 1 / 9
    head = np.zeros((4, 6, 1, 1), np.float32)
    for k in range(3):
        head[k + 1, :, 0, 0] = np.tile(np.where(np.arange(3) == k, 4, -4), 2)
    names = "maps" if not channels_last else "first"
    tail = "maps = Transpose<perm = [0, 2, 3, 1]>(first)" if channels_last else ""
    out = "maps"
    if activation:
        tail, out = f"{tail} final = {activation}(maps)", "final"
    kind = f"int64[N, 1, {size}, {size}]" if "ArgMax" in activation else f"float[N, 4, {size}, {size}]"
    kind = f"float[N, {size}, {size}, 4]" if channels_last else kind
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]>
        segmenter (float[N, 3, {size}, {size}] pixels) => ({kind} {out}) {{
          a = Conv<pads = [1, 1, 1, 1]>(pixels, blur)
          b = Relu(a)
          c = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(b)
          d = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(c, , scales)
          e = Concat<axis = 1>(b, d)
          {names} = Conv(e, head, bias)
          {tail}
        }}"""
    )
    arrays = {"blur": blur, "head": head, "bias": np.array([0, -1, -1, -1], np.float32)}
    arrays["scales"] = np.array([1, 1, 2, 2], np.float32)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model


def detector(form: str = "pair") -> onnx.ModelProto:
    """A detector of red, green and blue things in pictures of 64 x 64: a box of 16 x 16 around each of 8 x 8 cells.

    form: ``pair`` has ``logits`` (N, 64, 4), the last column for nothing, and ``boxes`` (N, 64, 4) as centre and size,
    shares of the picture; ``wide`` and ``tall`` have a table (N, 7, 64) or (N, 64, 8) in pixels, as YOLO.
    """
    head = np.full((4, 3, 1, 1), -12, np.float32)
    head[range(3), range(3)] = 12
    head[3] = 0
    y, x = np.indices((8, 8)).reshape(2, 64)
    centres = np.stack([(x + 0.5) / 8, (y + 0.5) / 8, np.full(64, 0.25), np.full(64, 0.25)], axis=1)
    arrays = {
        "head": head,
        "bias": np.array([-4, -4, -4, 0], np.float32),
        "shape": np.array([0, 4, 64]),
        "logit": np.log(centres / (1 - centres)).astype(np.float32)[None],
        "small": np.full((4, 3, 1, 1), 0.01, np.float32),
        "side": np.array(64, np.float32),
        "from": np.array([0]),
        "to": np.array([3]),
        "last": np.array([2]),
        "one": np.array(1, np.float32),
    }
    ends = {
        "pair": ("float[N, 64, 4] logits, float[N, 64, 4] boxes", ""),
        "wide": (
            "float[N, 7, 64] table",
            """pixels_ = Mul(boxes, side) named = Slice(logits, from, to, last) sure = Sigmoid(named)
               rows = Concat<axis = 2>(pixels_, sure) table = Transpose<perm = [0, 2, 1]>(rows)""",
        ),
        "tall": (
            "float[N, 64, 8] table",
            """pixels_ = Mul(boxes, side) named = Slice(logits, from, to, last) sure = Sigmoid(named)
               nothing = Mul(named, zero) all_ = ReduceMax(nothing, last) any = Add(all_, one)
               table = Concat<axis = 2>(pixels_, any, sure)""",
        ),
    }
    outputs, tail = ends[form]
    arrays["zero"] = np.array(0, np.float32)
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]> detector (float[N, 3, 64, 64] pixels) => ({outputs}) {{
          pooled = AveragePool<kernel_shape = [8, 8], strides = [8, 8]>(pixels)
          scores_ = Conv(pooled, head, bias) flat = Reshape(scores_, shape)
          logits = Transpose<perm = [0, 2, 1]>(flat)
          moved = Conv(pooled, small) moves = Reshape(moved, shape) by = Transpose<perm = [0, 2, 1]>(moves)
          sum = Add(by, logit) boxes = Sigmoid(sum)
          {tail}
        }}"""
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model


def embedder(dimensions: int = 8) -> onnx.ModelProto:
    """A network that makes vectors, and what it normalizes them to, of pictures of 64 x 64."""
    rng = np.random.default_rng(3)
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]>
        embedder (float[N, 3, 64, 64] pixels) => (float[N, {dimensions}] vector, float[N, 6, 31, 31] features) {{
          a = Conv<kernel_shape = [4, 4], strides = [2, 2]>(pixels, kernel, shift)
          features = Relu(a)
          c = GlobalAveragePool(features)
          d = Flatten(c)
          vector = MatMul(d, weights)
        }}"""
    )
    arrays = {"kernel": rng.normal(size=(6, 3, 4, 4)), "shift": rng.normal(size=6), "weights": rng.normal(size=(6, 8))}
    model.graph.initializer.extend(
        numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()
    )
    return model


TOKENS, WIDTH, HEADS = 4 * 6, 8, 2


def vision_transformer(class_token: bool = True, blocks: int = 2, seed: int = 0) -> onnx.ModelProto:
    """A vision transformer of pictures of 32 x 48 in patches of 8 x 8.

    The blocks' tokens are ``x1``, ``x2`` …; their normalizations before the attention ``n1``, ``n2`` …; the attentions
    ``p1``, ``p2`` … (N, heads, tokens, tokens). The scores come from the class token, or from the mean of all.
    """
    rng = np.random.default_rng(seed)
    tokens = TOKENS + class_token
    weights = {"kernel": rng.normal(size=(WIDTH, 3, 8, 8)) * 0.1, "places": rng.normal(size=(1, tokens, WIDTH))}
    weights |= {"token": rng.normal(size=(1, 1, WIDTH)), "head": rng.normal(size=(WIDTH, CLASSES))}
    ints = {"flat": [0, WIDTH, -1], "heads": [0, 0, HEADS, -1], "joined": [0, 0, WIDTH], "one": [1]}
    text = """
      patches = Conv<kernel_shape = [8, 8], strides = [8, 8]>(pixels, kernel)
      row = Reshape(patches, flat)
      columns = Transpose<perm = [0, 2, 1]>(row)
    """
    text += (
        "all = Concat<axis = 1>(token, columns) x0 = Add(all, places)" if class_token else "x0 = Add(columns, places)"
    )
    for i in range(1, blocks + 1):
        weights |= {f"scale{i}": rng.normal(size=WIDTH), f"shift{i}": rng.normal(size=WIDTH)}
        weights |= {f"{name}{i}": rng.normal(size=(WIDTH, WIDTH)) for name in ("wq", "wk", "wv", "wo", "wm")}
        text += f"""
      n{i} = LayerNormalization(x{i - 1}, scale{i}, shift{i})
      q{i} = MatMul(n{i}, wq{i}) k{i} = MatMul(n{i}, wk{i}) v{i} = MatMul(n{i}, wv{i})
      qs{i} = Reshape(q{i}, heads) ks{i} = Reshape(k{i}, heads) vs{i} = Reshape(v{i}, heads)
      qt{i} = Transpose<perm = [0, 2, 1, 3]>(qs{i})
      kt{i} = Transpose<perm = [0, 2, 3, 1]>(ks{i})
      vt{i} = Transpose<perm = [0, 2, 1, 3]>(vs{i})
      s{i} = MatMul(qt{i}, kt{i})
      h{i} = Mul(s{i}, half)
      p{i} = Softmax(h{i})
      o{i} = MatMul(p{i}, vt{i})
      ot{i} = Transpose<perm = [0, 2, 1, 3]>(o{i})
      oj{i} = Reshape(ot{i}, joined)
      a{i} = MatMul(oj{i}, wo{i})
      y{i} = Add(x{i - 1}, a{i})
      m{i} = MatMul(y{i}, wm{i})
      t{i} = Tanh(m{i})
      x{i} = Add(y{i}, t{i})
        """
    text += (
        f"first = Gather<axis = 1>(x{blocks}, zero) scores = MatMul(first, head)"
        if class_token
        else f"mean = ReduceMean<keepdims = 0>(x{blocks}, one) scores = MatMul(mean, head)"
    )
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]>
        transformer (float[1, 3, 32, 48] pixels) => (float[1, {CLASSES}] scores) {{ {text} }}"""
    )
    arrays = {name: array.astype(np.float32) for name, array in weights.items()}
    arrays |= {name: np.array(values, np.int64) for name, values in ints.items()}
    arrays |= {"zero": np.array(0, np.int64), "half": np.array(0.5, np.float32)}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model


def write(model: onnx.ModelProto, folder: Path, name: str = "toy.onnx", external: bool = False) -> Path:
    """Write the model to a file, with its weights in another one if ``external``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    onnx.save(model, path, save_as_external_data=external, location="toy.weights", size_threshold=0)
    return path
