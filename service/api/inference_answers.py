"""Answers of the inference protocols."""

import base64
from collections.abc import Mapping, Sequence

import numpy as np
from fastapi import Response

from service.api.inference_requests import HEADER, OCTETS
from service.api.inference_schemas import (
    ExplainedInstance,
    File,
    InferAnswer,
    InferRequest,
    ModelMetadata,
    OutputTensor,
    TensorMetadata,
    WantedOutput,
)
from service.api.json_bodies import MAX_VALUES
from service.api.negotiation import JSON
from service.api.responses import classified, explained
from service.api.tensors import BYTES, datatype_of, to_bytes
from service.errors import InvalidParameter
from service.models.facts import Output
from service.networks.network import Network
from service.pictures.npy import encode_npy
from service.runtime.engine import Array
from service.saliency.explain import Explanation
from service.saliency.infer import PROBABILITIES, adds_probabilities

VERSION = "1"  # of every model: there is one of each name
PLATFORM = "onnxruntime_onnx"  # what Triton calls it


def metadata(network: Network) -> ModelMetadata:
    """What the second protocol tells of a model."""
    facts, name = network.facts, network.model.name
    outputs = [
        TensorMetadata(name=output, datatype=datatype_of(np.dtype(one.dtype)), shape=_open(one.shape))
        for output, one in outputs_of(network).items()
    ]
    image = TensorMetadata(
        name=network.model.manifest.input, datatype="FP32", shape=_open((None, 3, facts.height, facts.width))
    )
    return ModelMetadata(name=name, versions=[VERSION], platform=PLATFORM, inputs=[image], outputs=outputs)


def outputs_of(network: Network) -> dict[str, Output]:
    """The outputs of `infer` by name."""
    added = {PROBABILITIES: Output("float32", (None, network.classes))} if adds_probabilities(network) else {}
    return network.facts.outputs | added


def _open(shape: Sequence[int | None]) -> list[int]:
    return [-1 if side is None else side for side in shape]


def outputs_wanted(asked: InferRequest, network: Network) -> list[WantedOutput]:
    """The outputs that are asked for, all if none is named. Raises `InvalidParameter` for unknown or repeated ones."""
    known, names = outputs_of(network), [one.name for one in asked.outputs]
    if unknown := [name for name in names if name not in known]:
        raise InvalidParameter(f"{network.model.name} has no output {unknown[0][:100]!r}; it has: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise InvalidParameter("an output is asked for twice")
    return asked.outputs or [WantedOutput(name=name) for name in known]


def inferred(
    network: Network, asked: InferRequest, wanted: Sequence[WantedOutput], found: Mapping[str, Array]
) -> Response:
    """The outputs in the form that is asked for: numbers in JSON, or bytes behind it."""
    outputs: list[OutputTensor] = []
    behind: list[bytes] = []
    numbers = 0
    for one in wanted:
        tensor = _as_asked(network, one, found[one.name])
        output = OutputTensor(name=one.name, datatype=datatype_of(tensor.dtype), shape=[*tensor.shape])
        is_binary = one.parameters.binary_data
        if asked.parameters.binary_data_output if is_binary is None else is_binary:
            behind.append(to_bytes(tensor))
            output.parameters = {"binary_data_size": len(behind[-1])}
        else:
            numbers += tensor.size
            check_values(numbers, "the outputs have", "ask for bytes (binary_data)")
            output.data = tensor.ravel().tolist()
        outputs.append(output)
    answer = InferAnswer(model_name=network.model.name, model_version=VERSION, id=asked.id, outputs=outputs)
    head = answer.model_dump_json(exclude_none=True).encode()
    if not behind:
        return Response(head, media_type=JSON)
    headers = {HEADER: str(len(head))}
    return Response(b"".join([head, *behind]), media_type=OCTETS, headers=headers)


def _as_asked(network: Network, one: WantedOutput, tensor: Array) -> Array:
    """The tensor, or its largest values as ``value:index:label``."""
    number = one.parameters.classification or 0
    if not number:
        return tensor
    if tensor.ndim != 2 or datatype_of(tensor.dtype) == BYTES:
        raise InvalidParameter(f"{one.name} has no row of numbers for each picture; leave out classification")
    values, labels = tensor.astype(np.float64), network.model.manifest.labels
    names = [f":{label}" for label in labels] if values.shape[1] == len(labels) else [""] * values.shape[1]
    best = np.argsort(-values, axis=1, kind="stable")[:, :number]
    told = [[f"{row[i]:f}:{i}{names[i]}" for i in places] for row, places in zip(values, best, strict=True)]
    return np.array(told, object).reshape(best.shape)


def check_values(number: int, subject: str, advice: str) -> None:
    """Raise `InvalidParameter`, with the advice, for more values than JSON is to hold."""
    if number > MAX_VALUES:
        raise InvalidParameter(
            f"{subject} {number:,} values, JSON may hold {MAX_VALUES:,}; send fewer pictures at a time, or {advice}"
        )


def rows(network: Network, found: Mapping[str, Array]) -> list[object]:
    """What the first protocol tells of each picture: a row of numbers, or several by name."""
    manifest = network.model.manifest
    if manifest.places is None and manifest.detection is None:
        return [*found.get(PROBABILITIES, found[manifest.logits]).tolist()]
    check_values(sum(array.size for array in found.values()), "the outputs have", "ask /v2 for bytes")
    number = len(found[manifest.logits])
    if mixed := [name for name, array in found.items() if len(array) != number]:
        raise InvalidParameter(f"{mixed[0]} of {network.model.name} has no row for each picture; ask /v2 for it")
    lists = {name: array.tolist() for name, array in found.items()}
    return [{name: each[i] for name, each in lists.items()} for i in range(number)]


def explanation(network: Network, one: Explanation, warning: str | None, as_file: bool) -> ExplainedInstance:
    """An instance with its map, as numbers or as a NumPy file."""
    return ExplainedInstance(
        predictions=classified(network, one.probabilities).predictions,
        explained=explained(network, one, warning),
        box=one.fitted.sent_box,
        map=File(b64=base64.b64encode(encode_npy(one.saliency)).decode()) if as_file else one.saliency.tolist(),
    )
