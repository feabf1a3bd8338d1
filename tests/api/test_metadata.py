"""Models, health and the OpenAPI document."""

from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.conftest import serving
from tests.waiting import eventually


def test_models(client: httpx.Client) -> None:
    assert client.get("/models").json() == [
        {
            "name": "squeezenet1_1",
            "title": "SqueezeNet 1.1, ImageNet",
            "task": "classification",
            "classes": 1000,
            "default": True,
            "served": True,
            "problem": None,
        }
    ]
    details = client.get("/models/squeezenet1_1").json()
    assert details["layers"][0] == "conv1"
    assert details["size"] == 224
    assert details["preprocessing"]["channels"] == "BGR"


def test_layers(client: httpx.Client) -> None:
    layers = {layer["name"]: layer for layer in client.get("/models/squeezenet1_1/layers").json()}
    assert layers["fire9"] == {
        "leading": None,
        "name": "fire9",
        "operator": "Concat",
        "channels": 512,
        "size": [13, 13],
        "listed": True,
        "default": True,
    }
    assert layers["fire2/squeeze1x1"]["listed"] is False
    assert list(layers).index("conv1") < list(layers).index("fire9") < list(layers).index("relu_conv10")
    assert client.get("/models/nonsense/layers").status_code == 404


def test_methods(client: httpx.Client) -> None:
    methods = {method["name"]: method for method in client.get("/methods").json()}
    assert methods["gradient"]["parameters"] == {}
    assert methods["smoothgrad"]["parameters"]["samples"]["default"] == 25
    assert methods["smoothgrad"]["evaluations"] == 26
    assert "sanity checks" in methods["guided_backprop"]["warning"]
    assert all(method["summary"] and method["paper"] and method["family"] for method in methods.values())
    assert all(m["when"].startswith("Use it ") and ("Not " in m["when"]) for m in methods.values())


def test_classes_are_searched_in_any_case(client: httpx.Client) -> None:
    found = client.get("/models/squeezenet1_1/classes", params={"query": "TARANTULA"}).json()
    assert found == [{"class_id": 76, "name": "tarantula"}]
    assert len(client.get("/models/squeezenet1_1/classes").json()) == 1000


def test_health(client: httpx.Client) -> None:
    health = client.get("/healthz").json()
    assert (health["status"], health["provider"], health["models"]) == ("ok", "cpu", ["squeezenet1_1"])


def test_ready_after_the_warm_up(client: httpx.Client) -> None:
    def ready() -> bool:
        response = client.get("/readyz")
        assert response.json() in ({"status": "ready"}, response.json() | {"detail": "not ready: warming up"})
        return response.status_code == 200

    eventually(ready)
    assert client.get("/readyz").json() == {"status": "ready"}


def test_not_ready_with_a_broken_model(tmp_path: Path, models_dir: Path, fresh: Settings) -> None:
    (tmp_path / "squeezenet1_1.toml").write_bytes((models_dir / "squeezenet1_1.toml").read_bytes())
    (tmp_path / "squeezenet1_1.onnx").write_bytes(b"broken")
    with serving(fresh.model_copy(update={"models_dir": tmp_path})) as client:
        detail = eventually(lambda: client.get("/readyz").json()["detail"], lambda said: "warming up" not in said)
        assert "no valid ONNX file" in detail
        assert int(client.get("/readyz").headers["retry-after"]) > 0
        assert client.get("/healthz").status_code == 200


def test_openapi_describes_bodies_parameters_and_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/saliency"]["post"]
    assert {"multipart/form-data", "image/*"} == set(operation["requestBody"]["content"])
    assert {"image", "class_id"} <= set(
        operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    )
    assert {"application/json", "image/png", "image/webp", "image/jpeg", "application/x-npy"} == set(
        operation["responses"]["200"]["content"]
    )
    assert "application/problem+json" in operation["responses"]["4XX"]["content"]
    assert all(p.get("description") for p in operation["parameters"])
    assert document["components"]["schemas"]["SaliencyAnswer"]["examples"][0]["data"][0]["predictions"]


def test_the_page_and_its_files(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for headers in (page.headers, client.get("/static/app.js").headers):
        assert "script-src 'self'" in headers["content-security-policy"]
    assert client.get("/static/../settings.py").status_code == 404


@pytest.mark.parametrize("path", ["/models", "/healthz", "/openapi.json"])
def test_reading_is_cheap_and_harmless(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200
