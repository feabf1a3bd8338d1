"""`POST /tcav` over HTTP: pieces of a cat's coat as the concept, pieces of other photographs as random pictures."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.attribution.method import Stepwise
from service.attribution.tcav import tcav
from service.client import Client
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.settings import Settings
from tests.conftest import serving
from tests.pieces import others, pieces

CAT, CUP = 285, 967
Sets = dict[str, list[bytes]]


@pytest.fixture(scope="module")
def sets() -> Sets:
    return {
        "concept": pieces("chelsea.png", 12, 120),
        "random": others(4, 120),
        "image": pieces("chelsea.png", 6, 260, seed=1),
    }


def post(client: httpx.Client, query: str, sets: Sets, accept: str = "application/json") -> httpx.Response:
    files = [(name, picture) for name, pictures in sets.items() for picture in pictures]
    return client.post(f"/tcav?{query}", files=files, headers={"Accept": accept})


def seen(pictures: Sequence[bytes]) -> Any:
    return np.stack([fit(decode(each, 10**7), (224, 224), 256 / 224, "squash").pixels for each in pictures])


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_the_numbers_are_those_of_the_network(client: httpx.Client, network: Network, sets: Sets, pool: str) -> None:
    (values,) = network.activations(seen(sets["concept"] + sets["random"]), ["fire8"])
    gradients = network.value_and_grad(seen(sets["image"]), np.full(6, CAT), layer="fire8")
    x, g = values.astype(np.float64), gradients.gradients.astype(np.float64)
    if pool == "mean":
        x, g = x.mean(axis=(2, 3)), g.sum(axis=(2, 3))
    x, g = x.reshape(len(x), -1), g.reshape(len(g), -1)
    expected = Stepwise(tcav(x @ x.T, g @ x.T, 12, 7, 5)).finish()
    data = post(client, f"layer=fire8&class_id={CAT}&splits=7&seed=5&pool={pool}", sets).json()["data"]
    assert data["scores"] == pytest.approx(expected.scores.tolist())
    assert data["random_scores"] == pytest.approx(expected.random_scores.tolist())
    assert data["score"] == pytest.approx(float(expected.scores.mean()))
    assert data["p_value"] == pytest.approx(expected.p_value)
    assert data["accuracy"] == pytest.approx(expected.accuracy)
    found = [one["sensitivity"] for one in data["photographs"]]
    np.testing.assert_allclose(found, expected.sensitivities, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose([one["score"] for one in data["photographs"]], gradients.scores, rtol=1e-4)


def test_a_coat_speaks_for_a_cat_and_not_for_a_cup(client: httpx.Client, sets: Sets) -> None:
    cat = post(client, "layer=fire9", sets).json()["data"]
    assert cat["name"] == "Egyptian cat"  # that of the first photograph
    assert cat["score"] == 1
    assert cat["p_value"] < 0.05
    assert cat["accuracy"] > 0.8
    cup = post(client, f"layer=fire9&class_id={CUP}", sets).json()["data"]
    assert cup["name"] == "espresso"
    assert sum(one["sensitivity"] for one in cup["photographs"]) < sum(one["sensitivity"] for one in cat["photographs"])


def test_the_same_seed_gives_the_same_scores_and_a_plot(client: httpx.Client, sets: Sets) -> None:
    one, other, third = (post(client, f"splits=5&seed={seed}", sets).json()["data"] for seed in (1, 1, 2))
    assert one == other
    assert one["photographs"] != third["photographs"]
    plot = post(client, "splits=5", sets, "image/png")
    assert plot.headers["content-type"] == "image/png"
    assert min(Image.open(io.BytesIO(plot.content)).size) > 300


def test_sizes_may_differ_where_activations_are_pooled(client: httpx.Client, sets: Sets, cat: bytes) -> None:
    mixed = {**sets, "concept": [*sets["concept"][:3], cat]}
    assert post(client, "splits=3&resize=native", mixed).status_code == 200
    for part in (mixed, {**sets, "image": [cat]}):
        response = post(client, "splits=3&resize=native&pool=none", part)
        assert response.status_code == 422
        assert "pool=mean" in response.json()["detail"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("layer=fire99", "no layer 'fire99'; it has"),
        ("class_id=1000", "class_id must be from 0 to 999"),
        ("splits=1", "splits"),
        ("splits=501", "splits"),
        ("pool=max", "pool"),
        ("layer=relu_conv1&pool=none", "use pool=mean"),
    ],
)
def test_bad_parameters_are_refused(client: httpx.Client, sets: Sets, query: str, message: str) -> None:
    response = post(client, query, sets)
    assert response.status_code == 422
    assert message in response.json()["detail"]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"concept": 2}, "at least 3 pictures in the form field 'concept', 2 were sent"),
        ({"random": 5}, "at least 6 pictures in the form field 'random', 5 were sent"),
        ({"concept": 0}, "no file in a field 'concept'"),
        ({"image": 0}, "no file in a field 'image'"),
    ],
)
def test_too_few_pictures_are_refused(client: httpx.Client, sets: Sets, missing: dict[str, int], message: str) -> None:
    few = {name: pictures[: missing.get(name)] for name, pictures in sets.items()}
    response = post(client, "", few)
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_what_is_no_form_or_no_picture_is_refused(client: httpx.Client, sets: Sets, cat: bytes) -> None:
    response = client.post("/tcav", content=cat, headers={"Content-Type": "image/png"})
    assert response.status_code == 415
    assert "-F concept=@" in response.json()["detail"]
    response = post(client, "", {**sets, "random": [*sets["random"], b"no picture"]})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("picture 25 in the form field 'random': ")
    response = post(client, "", {**sets, "negative": [cat]})
    assert response.status_code == 422
    assert "'random'" in response.json()["detail"]


@pytest.fixture
def strict(fresh: Settings) -> Iterator[httpx.Client]:
    with serving(fresh.model_copy(update={"max_images": 3})) as client:
        yield client


def test_too_many_pictures_are_refused(strict: httpx.Client, sets: Sets) -> None:
    response = post(strict, "", sets)
    assert response.status_code == 422
    assert "at most 24 images" in response.json()["detail"]


def test_the_client_tests_a_concept(client: httpx.Client, sets: Sets) -> None:
    with Client(str(client.base_url)) as own:
        data = own.tcav(sets["concept"], sets["random"], sets["image"], layer="fire9", splits=4)["data"]
    assert len(data["scores"]) == 4
    assert len(data["photographs"]) == 6
