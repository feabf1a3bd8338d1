"""The kinds of jobs beside class visualization, end to end."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.client import Client, ServiceError
from service.networks.network import Network
from service.settings import Settings
from tests.conftest import serving

FAST: dict[str, Any] = {"seed": 1, "preview_every": 0}


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings.model_copy(update={"worker": True, "job_concurrency": 2})) as client:
        yield client


@pytest.fixture(scope="module")
def jobs(api: httpx.Client) -> Client:
    client = Client(str(api.base_url))
    client._http = api
    return client


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def done(jobs: Client, kind: str, images: dict[str, bytes] | None = None, **parameters: Any) -> Any:
    job = jobs.wait(jobs.start(kind, images or {}, **{**FAST, **parameters}).id)
    assert job.state == "succeeded", job.problem
    assert job.kind == kind
    return job


def as_network_input(picture: Any) -> Any:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def test_a_fooling_image_fools_and_looks_the_same(jobs: Client, network: Network, cat: bytes) -> None:
    job = done(jobs, "fooling", {"image": cat}, class_id=817)
    result = job.result
    assert (result["fooled"], result["predicted_class_id"], result["original_class_id"]) == (True, 817, 285)
    assert 0 < result["steps_needed"] == job.step < 100
    assert result["target_probability_before"] < 0.01 < result["probability"]
    fooled, original = pixels(jobs.image(job.id)), pixels(jobs.artifact(job.id, "original.png"))
    assert network.classify(as_network_input(fooled))[0].argmax() == 817
    change = fooled.astype(int) - original
    assert np.abs(change).max() == result["largest_change"] < 40
    np.testing.assert_array_equal(pixels(jobs.artifact(job.id, "difference.png")), (change + 128).clip(0, 255))
    np.testing.assert_array_equal(pixels(jobs.artifact(job.id, "difference_x10.png")), (change * 10 + 128).clip(0, 255))
    assert pixels(jobs.artifact(job.id, "panel.png")).shape[1] == 4 * fooled.shape[1]


def test_fooling_stops_at_once_when_there_is_nothing_to_do(jobs: Client, cat: bytes) -> None:
    job = done(jobs, "fooling", {"image": cat}, class_id=285)
    assert (job.step, job.result["steps_needed"], job.result["largest_change"]) == (0, 0, 0)


def test_an_inversion_has_the_activations_of_the_photograph(jobs: Client, network: Network, cat: bytes) -> None:
    errors = []
    for iterations in (2, 40):
        job = done(jobs, "inversion", {"image": cat}, layer="pool1", iterations=iterations, size=96)
        errors.append(job.result["relative_error"])
    assert errors[1] < errors[0] / 5
    assert errors[1] < 0.3
    original, inverted = (
        network.activations(as_network_input(pixels(png)), ["pool1"])[0]
        for png in (jobs.artifact(job.id, "original.png"), jobs.image(job.id))
    )
    assert ((original - inverted) ** 2).sum() / (original**2).sum() == pytest.approx(errors[1], rel=1e-3)


def test_a_caricature_goes_further_in_the_direction_of_the_photograph(
    jobs: Client, network: Network, cat: bytes
) -> None:
    job = done(jobs, "caricature", {"image": cat}, size=96, iterations=40, layer="fire4")
    assert job.trace[-1] > 2 * max(job.trace[0], 0)
    original, drawn = (
        network.activations(as_network_input(pixels(png)), ["fire4"])[0].astype(np.float64)
        for png in (jobs.artifact(job.id, "original.png"), jobs.image(job.id))
    )
    assert original.shape == drawn.shape
    cosine = (original * drawn).sum() / np.sqrt((original**2).sum() * (drawn**2).sum())
    assert job.result["cosine"] == pytest.approx(cosine, rel=1e-5)
    assert job.result["exaggeration"] == pytest.approx((original * drawn).sum() / (original**2).sum(), rel=1e-5)
    assert job.result["exaggeration"] > 1


def test_more_power_stays_closer_to_the_photograph(jobs: Client, cat: bytes) -> None:
    results = [
        done(jobs, "caricature", {"image": cat}, size=96, iterations=40, layer="fire4", power=power).result
        for power in (0, 4)
    ]
    assert results[0]["cosine"] < results[1]["cosine"]
    assert results[0]["exaggeration"] > results[1]["exaggeration"]


def test_a_dream_holds_more_of_what_the_layer_sees(jobs: Client, network: Network, cat: bytes) -> None:
    job = done(jobs, "deepdream", {"image": cat}, size=96, octaves=3, steps_per_octave=5, layer="fire4")
    assert (job.steps, job.step) == (15, 15)
    dream, original = pixels(jobs.image(job.id)), pixels(jobs.artifact(job.id, "original.png"))
    assert dream.shape == original.shape == (96, 144, 3)
    before, after = ((network.activations(as_network_input(p), ["fire4"])[0] ** 2).mean() for p in (original, dream))
    assert after > 2 * before


def test_a_style_is_taken_over(jobs: Client, cat: bytes, coffee: bytes) -> None:
    job = done(jobs, "style", {"image": cat, "style_image": coffee}, size=96, iterations=30)
    losses = job.result["losses"]
    assert list(losses) == ["content", "style relu_conv1", "style fire3", "style fire4", "style fire5", "variation"]
    assert sum(losses.values()) < 0.7 * job.result["loss_at_start"]
    assert pixels(jobs.image(job.id)).shape == (96, 144, 3)
    assert set(job.links.artifacts) == {"original.png", "style.png"}


@pytest.mark.parametrize("preset", ["cs231n", "lucid", "maco"])
def test_a_channel_is_excited(jobs: Client, network: Network, preset: str) -> None:
    job = done(jobs, "neuron", layer="fire4", channel=17, preset=preset, iterations=30, size=64)
    assert job.trace[-1] > max(2 * job.trace[0], 1)
    drawn = network.activations(as_network_input(pixels(jobs.image(job.id))), ["fire4"])[0][0, 17].mean()
    grey = network.activations(np.full((1, 3, 64, 64), 0.5, np.float32), ["fire4"])[0][0, 17].mean()
    assert drawn > 2 * grey


def test_a_direction_excites_some_channels_and_avoids_another(jobs: Client, network: Network) -> None:
    def means(**parameters: Any) -> Any:
        job = done(jobs, "neuron", layer="fire4", preset="lucid", iterations=40, size=64, **parameters)
        values = network.activations(as_network_input(pixels(jobs.image(job.id))), ["fire4"])[0][0].mean(axis=(1, 2))
        return float(values[17]), float(values[40])

    alone, together = means(channel=17), means(channel=[17, 40], weights=[1, 3])
    assert together[0] + 3 * together[1] > 2 * (alone[0] + 3 * alone[1])
    assert together[1] > 2 * alone[1]
    assert means(channel=[17, 40], weights=[1, -3])[1] < 0.5 * alone[1]
    assert means(channel="17, 40", weights="1,3") == together
    assert means(channel=[17]) == alone


def test_several_pictures_of_a_channel_differ_as_much_as_is_asked_for(jobs: Client, network: Network) -> None:
    asked: dict[str, Any] = {"layer": "fire4", "channel": 17, "preset": "lucid", "iterations": 40, "size": 64}
    alike, diverse = (done(jobs, "neuron", pictures=3, diversity=d, **asked) for d in (0, 2))
    assert diverse.result["similarity"] < alike.result["similarity"]
    sheet = pixels(jobs.image(diverse.id))
    assert sheet.shape == (128, 128, 3)
    grey = network.activations(np.full((1, 3, 64, 64), 0.5, np.float32), ["fire4"])[0][0, 17].mean()
    assert list(diverse.links.artifacts) == ["picture-1.png", "picture-2.png", "picture-3.png"]
    for i, name in enumerate(diverse.links.artifacts):
        one = pixels(jobs.artifact(diverse.id, name))
        np.testing.assert_array_equal(one, sheet[i // 2 * 64 :][:64, i % 2 * 64 :][:, :64])
        (values,) = network.activations(as_network_input(one), ["fire4"])
        assert values[0, 17].mean() > 2 * grey
        seen = int(network.classify(as_network_input(one)).argmax())
        assert diverse.result["pictures"][i]["predicted_class_id"] == seen


def test_a_spritemap_shows_what_excites_each_channel(jobs: Client, network: Network) -> None:
    job = done(jobs, "spritemap", layer="fire4", first=250, iterations=30)
    sheet = pixels(jobs.image(job.id))
    assert sheet.shape == (2 * 64, 3 * 64, 3)  # 250 to 255
    grey = network.activations(np.full((1, 3, 64, 64), 0.5, np.float32), ["fire4"])[0][0].mean(axis=(1, 2))
    numbered = pixels(jobs.artifact(job.id, "numbered.png"))
    awake = 0
    for i in range(6):
        one = sheet[i // 3 * 64 :][:64, i % 3 * 64 :][:, :64]
        means = network.activations(as_network_input(one), ["fire4"])[0][0].mean(axis=(1, 2))
        assert job.result["means"][i] == pytest.approx(float(means[250 + i]), rel=1e-4)
        if means[250 + i] > 0:
            awake += 1
            assert means[250 + i] > 2 * grey[250 + i]
        height = (numbered.shape[0] - 2) // 2
        np.testing.assert_array_equal(numbered[i // 3 * (height + 2) :][:64, i % 3 * 66 :][:, :64], one)
    assert awake == 6 - job.result["asleep"] > 3


def test_a_channel_that_is_dead_on_grey_is_woken(jobs: Client) -> None:
    job = done(jobs, "neuron", layer="fire7", channel=12, preset="lucid", iterations=60, size=64)
    assert job.trace[0] < 0 < job.trace[-1]
    assert 0 < job.steps_before_relu < job.steps


def test_a_saliency_map_as_a_job_is_that_of_the_request(jobs: Client, api: httpx.Client, cat: bytes) -> None:
    query = {"method": "rise", "masks": 40, "class_id": 281, "other_class_id": 282, "colormap": "viridis"}
    response = api.post(
        "/saliency", params={**query, "mode": "job"}, files={"image": cat}, headers={"Accept": "image/png"}
    )
    assert response.status_code == 202
    job = jobs.wait(response.json()["id"])
    assert (job.state, job.kind, job.class_id, job.step) == ("succeeded", "saliency", 281, job.steps)
    assert response.headers["location"] == job.links.self
    now = api.post("/saliency", params=query, files={"image": cat}, headers={"Accept": "application/x-npy"})
    np.testing.assert_allclose(
        np.load(io.BytesIO(jobs.artifact(job.id, "map.npy"))), np.load(io.BytesIO(now.content)), atol=1e-6
    )
    picture = api.post("/saliency", params=query, files={"image": cat}, headers={"Accept": "image/png"})
    assert np.abs(pixels(jobs.image(job.id)).astype(int) - pixels(picture.content)).max() <= 1


@pytest.mark.parametrize("resize", ["squash", "crop", "native"])
@pytest.mark.parametrize(("kind", "decode"), [("PNG", "exact"), ("JPEG", "exact"), ("JPEG", "fast")])
def test_a_large_photograph_has_one_map_however_it_is_asked_for(
    api: httpx.Client, jobs: Client, cat: bytes, resize: str, kind: str, decode: str
) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(cat)).convert("RGB").resize((3000, 2000)).save(buffer, kind)
    query = {"class_id": 281, "resize": resize, "decode": decode}
    files = {"image": buffer.getvalue()}
    maps = [
        api.post("/saliency", params=query, files=files, headers={"Accept": "application/x-npy"}).content
        for _ in range(2)
    ]
    job = jobs.wait(api.post("/saliency", params={**query, "mode": "job"}, files=files).json()["id"])
    maps.append(jobs.artifact(job.id, "map.npy"))
    shown = api.post("/saliency", params={**query, "output": "overlay"}, files=files).json()["data"][0]["heatmap"]
    first = np.load(io.BytesIO(maps[0]))
    for other in maps[1:]:
        np.testing.assert_array_equal(np.load(io.BytesIO(other)), first)
    assert (shown["minimum"], shown["maximum"]) == (float(first.min()), float(first.max()))


@pytest.mark.parametrize(
    "target", ['{"layer": "fire5", "index": [17, "3:9"]}', "0.5*class:281 - class:282", "similarity"]
)
def test_the_map_of_a_target_as_a_job_is_that_of_the_request(
    jobs: Client, api: httpx.Client, cat: bytes, coffee: bytes, target: str
) -> None:
    query = {"method": "smoothgrad", "samples": 4, "target": target}
    files = {"image": cat, **({"other": coffee} if target == "similarity" else {})}
    response = api.post("/saliency", params={**query, "mode": "job"}, files=files)
    assert response.status_code == 202, response.text
    job = jobs.wait(response.json()["id"])
    assert (job.state, job.class_id) == ("succeeded", None)
    now = api.post("/saliency", params=query, files=files).json()["data"][0]["explained"]
    assert job.result is not None
    assert [job.result[name] for name in ("target", "value")] == [now["target"], now["value"]]
    assert job.result["score"] == pytest.approx(now["score"], rel=1e-4)
    raw = api.post("/saliency", params=query, files=files, headers={"Accept": "application/x-npy"})
    made = np.load(io.BytesIO(jobs.artifact(job.id, "map.npy")))
    np.testing.assert_allclose(made, np.load(io.BytesIO(raw.content)), atol=1e-5 * np.abs(made).max())


def test_a_target_that_nothing_fulfils_is_no_job(api: httpx.Client, cat: bytes) -> None:
    for target, words in (("output:logits[1000]", "beyond the end"), ("similarity", "second picture")):
        response = api.post("/saliency", params={"target": target, "mode": "job"}, files={"image": cat})
        assert response.status_code == 422
        assert words in response.json()["detail"]


@pytest.mark.parametrize(
    ("target", "value_of"),
    [
        (
            {"layer": "fire4", "index": [17, 3, 3]},
            lambda network, image: network.activations(image, ["fire4"])[0][0, 17, 3, 3],
        ),
        (
            "output:logits[76] - output:logits[79]",
            lambda network, image: network.classify(image)[0, [76, 79]] @ [1, -1],
        ),
        ("log_odds:76", lambda network, image: log_odds(network.classify(image)[0], 76)),
    ],
)
def test_a_target_grows(jobs: Client, network: Network, target: Any, value_of: Any) -> None:
    job = done(jobs, "target", target=target, size=96, iterations=30, preset="lucid")
    assert job.trace[-1] > job.trace[0]
    before, after = (
        float(value_of(network, as_network_input(pixels(picture))))
        for picture in (png_of(np.full((96, 96, 3), 128, np.uint8)), jobs.image(job.id))
    )
    assert after > before + 1
    assert job.result["target"] == ("layer:fire4[17, 3, 3]" if isinstance(target, dict) else target)
    assert job.result["value"] == ("fire4" if isinstance(target, dict) else "logits")


def log_odds(logits: Any, class_id: int) -> float:
    return float(logits[class_id] - np.logaddexp.reduce(np.delete(logits.astype(np.float64), class_id)))


def png_of(picture: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def test_saliency_of_several_classes_as_a_batch(jobs: Client, api: httpx.Client, cat: bytes, coffee: bytes) -> None:
    response = api.post("/saliency?mode=job&class_id=281&class_id=285", files=[("image", cat), ("image", coffee)])
    assert (response.status_code, response.json()["total"]) == (202, 4)
    for job in response.json()["data"]:
        assert jobs.wait(job["id"]).result["class_id"] in (281, 285)  # type: ignore[index]


def test_the_same_seed_gives_the_same_picture(jobs: Client, cat: bytes) -> None:
    made = [
        jobs.image(done(jobs, "deepdream", {"image": cat}, size=64, octaves=2, steps_per_octave=3).id) for _ in range(2)
    ]
    assert made[0] == made[1]


def test_idempotency_covers_the_pictures(jobs: Client, api: httpx.Client, cat: bytes, coffee: bytes) -> None:
    parameters: dict[str, Any] = {"idempotency_key": "once", "size": 64, "octaves": 1, "steps_per_octave": 1, **FAST}
    first, again = (jobs.start("deepdream", {"image": cat}, **parameters) for _ in range(2))
    assert first.id == again.id
    with pytest.raises(ServiceError, match="was used for another request"):
        jobs.start("deepdream", {"image": coffee}, **parameters)
    assert [job.id for job in jobs.search(kind="deepdream").data].count(first.id) == 1


WRONG: list[tuple[str, dict[str, Any], set[str], str]] = [
    ("fooling", {"class_id": 1000}, {"image"}, "from 0 to 999"),
    ("fooling", {"class_id": 1}, set(), "needs a picture in the form field 'image'"),
    ("fooling", {}, {"image"}, "class_id: Field required"),
    ("neuron", {"layer": "fire9", "channel": 512}, set(), "channel must be from 0 to 511 for fire9; it is 512"),
    ("neuron", {"layer": "fire9", "channel": [1, 512]}, set(), "channel must be from 0 to 511 for fire9; it is 512"),
    ("neuron", {"layer": "fire9", "channel": []}, set(), "channel"),
    ("neuron", {"layer": "fire9", "channel": [1, 2], "weights": [1]}, set(), "2 numbers and weights 1"),
    ("neuron", {"layer": "fire9", "channel": 3, "weights": [0]}, set(), "weights must not all be 0"),
    ("neuron", {"layer": "fire9", "channel": 3, "weights": ["nan"]}, set(), "weights"),
    ("neuron", {"layer": "fire9", "channel": 3, "pictures": 9, "size": 512}, set(), "fewer pictures or a smaller size"),
    ("neuron", {"layer": "fire9", "channel": 3, "pictures": 10}, set(), "pictures: Input should be less than"),
    ("neuron", {"layer": "fire9", "channel": 3, "diversity": -1}, set(), "diversity"),
    ("spritemap", {"layer": "fire9", "first": 512}, set(), "channel must be from 0 to 511 for fire9; it is 512"),
    ("spritemap", {"layer": "fire9", "first": 500, "count": 13}, set(), "it is 512"),
    ("spritemap", {"layer": "fire9", "size": 512, "count": 3}, set(), "count must be at most 2"),
    ("spritemap", {"layer": "fire9", "size": 63}, set(), "size must be at least 64"),
    ("spritemap", {"layer": "fire9", "count": 129}, set(), "count"),
    ("neuron", {"layer": "nowhere", "channel": 0}, set(), "no layer 'nowhere'; it has: preprocessed, conv1"),
    ("neuron", {"layer": "fire9", "channel": 0}, {"image"}, "takes no picture in the form field 'image'"),
    ("caricature", {"layer": "x"}, {"image"}, "no layer 'x'"),
    ("caricature", {"power": -1}, {"image"}, "power: Input should be greater than or equal to 0"),
    ("caricature", {}, set(), "needs a picture in the form field 'image'"),
    ("deepdream", {"layer": "x"}, {"image"}, "no layer 'x'"),
    ("deepdream", {"size": 9999}, {"image"}, "size: Input should be less than or equal to 1024"),
    ("style", {}, {"image"}, "needs a picture in the form field 'style_image'"),
    (
        "style",
        {"style_layers": "fire2,fire3", "style_weights": "1"},
        {"image", "style_image"},
        "2 names and style_weights 1 numbers",
    ),
    ("style", {"style_layers": "fire2,x", "style_weights": "1,2"}, {"image", "style_image"}, "no layer 'x'"),
    ("target", {"target": "rubbish"}, set(), "a target is a sum of"),
    ("target", {"target": {"class": 1000}}, set(), "must be from 0 to 999"),
    ("target", {"target": "layer:fire9[0, 99, 0]"}, set(), "beyond the end of fire9"),
    ("target", {"target": "similarity"}, set(), "in JSON a vector"),
    ("target", {"target": "match:0"}, set(), "is no detector"),
    ("target", {"target": "class:1", "size": 63}, set(), "size must be at least 64"),
    (
        "poem",
        {},
        set(),
        "'class', 'neuron', 'target', 'spritemap', 'fooling', 'inversion', 'caricature', 'deepdream', 'style'",
    ),
    ("class", {"class_id": 1}, {"image"}, "takes no picture"),
]


@pytest.mark.parametrize(("kind", "parameters", "files", "message"), WRONG)
def test_what_is_wrong_is_told_at_once(
    api: httpx.Client, cat: bytes, kind: str, parameters: dict[str, Any], files: set[str], message: str
) -> None:
    body = {"kind": kind, **parameters}
    response = (
        api.post("/visualize", data=body, files=dict.fromkeys(files, cat))
        if files
        else api.post("/visualize", json=body)
    )
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_no_picture_at_all(api: httpx.Client) -> None:
    response = api.post("/visualize", data={"kind": "deepdream"}, files={"image": b"no picture"})
    assert response.status_code == 400
    assert "not an image" in response.json()["detail"]
    assert api.post("/visualize", content=b"[1]", headers={"Content-Type": "application/json"}).status_code == 422
    assert api.post("/visualize", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


def test_deleting_a_job_deletes_what_was_sent_with_it(jobs: Client, settings: Settings, cat: bytes) -> None:
    job = done(jobs, "deepdream", {"image": cat}, size=64, octaves=1, steps_per_octave=1)
    folder = next(settings.data_dir.glob(f"**/artifacts/{job.id}"))
    assert (folder / "inputs" / "image.png").exists()
    jobs.delete(job.id)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_store_that_is_full_or_away_is_a_503_and_nothing_is_accepted(fresh: Settings, cat: bytes) -> None:
    with serving(fresh) as client:
        folder = fresh.data_dir / "artifacts"
        folder.rename(fresh.data_dir / "elsewhere")
        folder.write_text("a file where the folder was")
        response = client.post("/visualize", data={"kind": "deepdream"}, files={"image": cat})
        assert response.status_code == 503
        assert "store cannot be written to" in response.json()["detail"]
        assert client.get("/visualize").json()["data"] == []
        assert client.post("/saliency", files={"image": cat}).status_code == 200
