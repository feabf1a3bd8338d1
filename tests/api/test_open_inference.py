"""`/v2`, asked by Triton's client and by hand."""

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort
import pytest
import tritonclient.http as triton
from PIL import Image
from tritonclient.utils import InferenceServerException

from service.settings import Settings
from tests.waiting import eventually

NAME = "squeezenet1_1"
INFER = f"/v2/models/{NAME}/infer"
HEADER = "Inference-Header-Content-Length"
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def remote(client: httpx.Client) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"{client.base_url.host}:{client.base_url.port}") as remote:
        eventually(remote.is_server_ready)
        yield remote


@pytest.fixture(scope="module")
def noise() -> Array:
    return np.random.default_rng(0).random((3, 3, 224, 224), np.float32)


def tensor(array: Array, datatype: str = "FP32", binary: bool = True, name: str = "image") -> triton.InferInput:
    return triton.InferInput(name, array.shape, datatype).set_data_from_numpy(array, binary_data=binary)


def files(*data: bytes) -> triton.InferInput:
    return tensor(np.array(data, object), "BYTES")


def squashed(data: bytes) -> Array:
    """A photograph as the network sees it, pixels (224, 224, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))


def test_health_and_metadata(remote: triton.InferenceServerClient) -> None:
    assert remote.is_server_live()
    assert remote.is_model_ready(NAME)
    assert remote.is_model_ready(NAME, "1")
    assert not remote.is_model_ready(NAME, "2")
    assert not remote.is_model_ready("vgg")
    server = remote.get_server_metadata()
    assert server["name"] == "convlens"
    assert {"binary_tensor_data", "classification"} <= {*server["extensions"]}
    found = remote.get_model_metadata(NAME)
    assert found == remote.get_model_metadata(NAME, "1")
    assert (found["name"], found["versions"], found["platform"]) == (NAME, ["1"], "onnxruntime_onnx")
    assert found["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, -1, -1]}]
    outputs = {one.pop("name"): one for one in found["outputs"]}
    assert outputs["logits"] == outputs["probabilities"] == {"datatype": "FP32", "shape": [-1, 1000]}


def test_bytes_and_numbers_give_what_the_file_gives(
    remote: triton.InferenceServerClient, models_dir: Path, noise: Array
) -> None:
    (expected,) = ort.InferenceSession(models_dir / f"{NAME}.onnx").run(["logits"], {"image": noise})
    answers = [remote.infer(NAME, [tensor(noise, binary=binary)]) for binary in (True, False)]
    for answer in answers:
        assert answer.as_numpy("logits") == pytest.approx(expected, rel=1e-4, abs=1e-4)
        odds = np.exp(expected - expected.max(axis=1, keepdims=True))
        assert answer.as_numpy("probabilities") == pytest.approx(odds / odds.sum(axis=1, keepdims=True), abs=1e-5)
    in_json = remote.infer(NAME, [tensor(noise)], outputs=[triton.InferRequestedOutput("logits", binary_data=False)])
    assert "data" in in_json.get_output("logits")
    for other in (answers[1], in_json):
        assert np.array_equal(answers[0].as_numpy("logits"), other.as_numpy("logits"))


def test_all_forms_of_a_picture_are_the_same_picture(
    remote: triton.InferenceServerClient, client: httpx.Client, cat: bytes, coffee: bytes
) -> None:
    original = np.asarray(Image.open(io.BytesIO(cat)).convert("RGB"))
    pixels = squashed(cat)[None]
    floats = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) / np.float32(255)
    forms = (
        files(cat),
        tensor(original[None], "UINT8"),
        tensor(pixels, "UINT8"),
        tensor(pixels, "UINT8", binary=False),
        tensor(floats),
    )
    first, *others = [remote.infer(NAME, [form]).as_numpy("logits") for form in forms]
    assert all(np.array_equal(first, other) for other in others)
    half = remote.infer(NAME, [tensor(floats.astype(np.float16), "FP16")]).as_numpy("logits")
    double = remote.infer(NAME, [tensor(floats.astype(np.float64), "FP64")]).as_numpy("logits")
    assert half == pytest.approx(first, abs=0.1)
    assert np.array_equal(double, first)

    answer = remote.infer(NAME, [files(cat, coffee)], parameters={"resize": "crop"})
    sent = [("image", cat), ("image", coffee)]
    told = client.post("/classify", files=sent, params={"resize": "crop"}).json()["data"]
    for row, one in zip(answer.as_numpy("probabilities"), told, strict=True):
        assert [row[p["class_id"]] for p in one["predictions"]] == [p["probability"] for p in one["predictions"]]


def test_the_largest_values_by_name(remote: triton.InferenceServerClient, cat: bytes, coffee: bytes) -> None:
    for binary in (True, False):
        wanted = [
            triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=2),
            triton.InferRequestedOutput("conv10_average", binary_data=True, class_count=1),
        ]
        answer = remote.infer(NAME, [files(cat, coffee)], outputs=wanted, request_id="nr. 5", priority=1, timeout=10**6)
        assert answer.get_response()["id"] == "nr. 5"
        found = np.char.decode(answer.as_numpy("probabilities").astype(bytes))
        assert found.shape == (2, 2)
        assert found[:, 0].tolist() == ["0.643472:285:Egyptian cat", found[1, 0]]
        assert found[1, 0].endswith(":967:espresso")
        assert answer.as_numpy("conv10_average").shape == (2, 1)
        assert answer.get_output("logits") is None


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed(remote: triton.InferenceServerClient, noise: Array, coding: str) -> None:
    packed = remote.infer(
        NAME,
        [tensor(noise[:1])],
        outputs=[triton.InferRequestedOutput("logits", binary_data=False)],
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )
    assert packed.as_numpy("logits").shape == (1, 1000)


def test_what_triton_s_client_is_told(remote: triton.InferenceServerClient, noise: Array, cat: bytes) -> None:
    one = noise[:1]
    for status, message, model, sent, more in (
        ("404", "there is no model 'vgg'", "vgg", tensor(one), {}),
        ("404", "there is no version '2'", NAME, tensor(one), {"model_version": "2"}),
        ("400", "has the input 'image'; 'pixels' was sent", NAME, tensor(one, name="pixels"), {}),
        ("400", "no output 'scores'; it has: logits", NAME, tensor(one), {"outputs": ["scores"]}),
        ("400", "asked for twice", NAME, tensor(one), {"outputs": ["logits", "logits"]}),
        ("400", "the values are from", NAME, tensor(one * 255), {}),
        ("400", "no side may be shorter than 224", NAME, tensor(one[:, :, :64]), {}),
        ("400", "is INT32 (1, 3, 224, 224); send FP32", NAME, tensor(one.astype(np.int32), "INT32"), {}),
        ("400", "is FP32 (3, 224, 224)", NAME, tensor(one[0]), {}),
        ("400", "at most 16 pictures, 17 were sent", NAME, files(*[cat[:9]] * 17), {}),
        ("400", "not an image that can be decoded", NAME, files(b"cat"), {}),
        ("400", "parameters.sequence_id", NAME, tensor(one), {"sequence_id": 1}),
    ):
        outputs = [triton.InferRequestedOutput(name) for name in more.pop("outputs", [])]
        with pytest.raises(InferenceServerException) as caught:
            remote.infer(model, [sent], outputs=outputs, **more)
        assert (caught.value.status(), message in caught.value.message()) == (status, True), caught.value


def asked(**tensor: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 3, 224, 224], **tensor}]}


def refused(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert [*response.json()] == ["error"]
    said: str = response.json()["error"]
    return said


HUGE = 10**12
PLANES = [[[0.5] * 224] * 224] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "recursion limit"),
        (b"[]", "body: Value error, must be a JSON object"),
        ({"inputs": [1]}, "body.inputs.0: Value error, must be a JSON object"),
        (asked(data=[1]) | {"parameters": {str(i): 1 for i in range(201)}}, "has 201 fields"),
        ({}, "body.inputs: Field required"),
        ({"inputs": []}, "at least 1 item"),
        ({"inputs": asked()["inputs"] * 2}, "at most 1 item"),
        (asked(), "either data, or binary_data_size"),
        (asked(data=[0.5]), "has 1 numbers; the shape (1, 3, 224, 224) needs 150,528"),
        (asked(data=[0.5], shape=[1, 3, HUGE, HUGE]), "has 1 numbers"),
        (asked(data=[], shape=[HUGE, 3, 224, 224]), f"{HUGE:,} were sent"),
        (asked(data=[], shape=[0, 3, 224, 224]), "there are no pictures"),
        (asked(data=[], shape=[1, 3, 0, 224]), "is FP32 (1, 3, 0, 224)"),
        (asked(data=[], shape=[1, 3, 224, -1]), "shape.3: Input should be greater"),
        (asked(data=[], shape=[1, 3, 224, 0.5]), "shape.3: Input should be a valid integer"),
        (asked(data=[], shape=[2**64, 3, 224, 224]), "shape.0: Input should be less"),
        (asked(data=["0.5"] * 150_528), "numbers only"),
        (asked(data=[None] * 150_528), "numbers only"),
        (asked(data=[float("nan")] * 150_528), "from nan to nan"),
        (asked(data=[1e400] * 150_528), "from inf to inf"),
        (asked(data=[10**400]), "numbers only"),
        (asked(data=[PLANES[:2]]), "not nested as (1, 3, 224, 224): see axis 1"),
        (asked(data=[[*PLANES[:2], [[0.5] * 224]]]), "see axis 2"),
        (asked(data=[[*PLANES[:2], [*PLANES[2][:223], [0.5]]]]), "see axis 3"),
        (asked(datatype="UINT8", shape=[1, 1, 2, 3], data=[0, 0, 0, 0, 0, 256]), "whole numbers from 0 to 255"),
        (asked(datatype="UINT8", shape=[1, 1, 2, 3], data=[0, 0, 0, 0, 0, 0.5]), "whole numbers from 0 to 255"),
        (asked(datatype="FP8", data=[0]), "is FP8"),
        (asked(datatype="BYTES", shape=[1], data=["?"]), "element 0 of the input 'image' must be a file in base64"),
        (asked(datatype="BYTES", shape=[1], data=[1]), "must be a file in base64"),
        (asked(datatype="BYTES", shape=[2], data=["AAAA"]), "has 1 elements; the shape needs 2"),
        (asked(data=[1]) | {"parameters": {"reszie": "crop"}}, "parameters.reszie: Extra inputs"),
        (asked(data=[1]) | {"id": "x" * 1001}, "body.id"),
        (asked(data=[1]) | {"outputs": [{"name": "logits", "parameters": {"shared_memory_region": "x"}}]}, "shared"),
    ],
)  # fmt: skip
def test_json_that_is_no_request(client: httpx.Client, body: Any, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).replace("Infinity", "1e400").encode()
    assert message in refused(client.post(INFER, content=content))


GREY = np.full((1, 3, 224, 224), 0.5, np.float32).tobytes()


@pytest.mark.parametrize(
    ("sent", "data", "length", "message"),
    [
        ({"binary_data_size": len(GREY)}, GREY[:-1], None, "602,111 bytes are behind the JSON"),
        ({"binary_data_size": len(GREY)}, GREY + b"x", None, "602,113 bytes are behind the JSON"),
        ({"binary_data_size": 4}, GREY[:4], None, "has 4 bytes; the shape (1, 3, 224, 224) needs 602,112"),
        ({"binary_data_size": 2**62}, GREY, None, "binary_data_size says 4,611"),
        ({"binary_data_size": -1}, GREY, None, "binary_data_size: Input should be greater"),
        ({}, GREY, None, "either data, or binary_data_size"),
        ({"binary_data_size": len(GREY)}, GREY, "0", "not JSON"),
        ({"binary_data_size": len(GREY)}, GREY, "20", "not JSON"),
        ({"binary_data_size": len(GREY)}, GREY, str(10**6), "must be the length of the JSON"),
        ({"binary_data_size": len(GREY)}, GREY, "9" * 400, "must be the length of the JSON"),
        ({"binary_data_size": len(GREY)}, GREY, "-1", "must be the length of the JSON"),
        ({"binary_data_size": len(GREY)}, GREY, "1e2", "must be the length of the JSON"),
        ({"binary_data_size": len(GREY)}, GREY[:-4] + struct.pack("<f", np.nan), None, "from nan to nan"),
    ],
)
def test_bytes_that_are_no_tensor(
    client: httpx.Client, sent: dict[str, int], data: bytes, length: str | None, message: str
) -> None:
    assert message in refused(with_bytes(client, asked(parameters=sent), data, length))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has 0 elements"),
        (b"\x01", "ends within its element 0"),
        (b"\xff\xff\xff\xffcat", "ends within its element 0"),
        (b"\x03\0\0\0cat\0", "ends within its element 1"),
        (b"\0\0\0\0" * 2, "more than the 1 elements"),
        (b"\0\0\0\0", "the file is empty"),
    ],
)
def test_elements_that_are_no_files(client: httpx.Client, data: bytes, message: str) -> None:
    body = asked(datatype="BYTES", shape=[1], parameters={"binary_data_size": len(data)})
    assert message in refused(with_bytes(client, body, data))


def with_bytes(client: httpx.Client, body: Any, data: bytes, length: str | None = None) -> httpx.Response:
    head = json.dumps(body).encode()
    return client.post(INFER, content=head + data, headers={HEADER: length or str(len(head))})


def test_nulls_and_what_others_add_do_not_matter(client: httpx.Client) -> None:
    body = asked(data=[PLANES], parameters=None) | {"id": None, "outputs": None, "model_name": NAME}
    assert client.post(INFER, json=body).json().keys() == {"model_name", "model_version", "outputs"}


def test_json_of_very_many_values_is_not_read(client: httpx.Client) -> None:
    """Each of them would take dozens of bytes."""
    for value, number in ((b"0,", 2**20), (b"[],", 2**20 // 3), (b'{"":0},', 2**20 // 9)):
        body = b"[" + value * (number + 1) + b"0]"
        assert "more than 1,048,576 values" in refused(client.post(INFER, content=body))


def test_answers_of_very_many_values_are_bytes(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    body = asked(data=[PLANES])
    monkeypatch.setattr("service.api.inference_answers.MAX_VALUES", 2500)
    assert "the outputs have 3,000 values" in refused(client.post(INFER, json=body))
    assert client.post(INFER, json=body | {"outputs": [{"name": "logits"}]}).status_code == 200
    assert client.post(INFER, json=body | {"parameters": {"binary_data_output": True}}).status_code == 200


def test_paths_methods_and_types_that_are_not_there(client: httpx.Client, settings: Settings) -> None:
    refused(client.get("/v2/nowhere"), 404)
    refused(client.get(INFER), 405)
    assert client.put(f"/v1/models/{NAME}:predict").headers["allow"] == "POST"
    refused(client.post(INFER, content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    refused(client.post(INFER, content=bytes(settings.max_body_bytes + 1)), 413)
    refused(client.post(INFER, json={}, headers={"Origin": "https://evil.example"}), 403)
    assert client.get("/v20").headers["content-type"] == "application/problem+json"


def test_requests_are_counted_by_route(client: httpx.Client) -> None:
    for path in (INFER, INFER.replace("/infer", "/versions/1/infer")):
        client.post(path, json=asked(data=[PLANES]))
    told = client.get("/metrics").text
    for route in ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"):
        assert f'route="{route}",status="200"' in told
