"""Layers on the page: the strip, the feature maps of a layer, and what a channel looks for."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.conftest import Server
from tests.models.networks import CLASSES, classifier, write
from tests.page.browser import (
    ARTIFACTS,
    awaited,
    caption,
    errors,
    find,
    find_all,
    npy,
    open_details,
    open_page,
    sample,
    text,
    until,
    violations,
)
from tests.waiting import eventually

SAMPLES = Path(__file__).parents[2] / "service/static/samples"
LAYER = "fire8"

pytestmark = pytest.mark.usefixtures("no_jobs")


def activations(server: Server, name: str, layer: str = LAYER) -> Any:
    """The feature maps of a sample, (channels, height, width)."""
    files, headers = {"image": (SAMPLES / f"{name}.jpg").read_bytes()}, {"Accept": "application/x-npy"}
    answer = server.client.post("/activations", params={"layer": layer}, files=files, headers=headers)
    assert answer.status_code == 200
    return npy(answer.content)


def scroll_to_layers(page: Any) -> None:
    page.execute_script("document.getElementById('layers').scrollIntoView()")
    until(page, lambda: find_all(page, "#strip button"))


def open_layer(page: Any, layer: str = LAYER) -> None:
    scroll_to_layers(page)
    find(page, f"#strip [data-layer='{layer}']").click()
    until(page, lambda: find_all(page, "#maps button") and text(page, "layer-title").startswith(f"{layer}:"))


def channels(page: Any) -> list[int]:
    return [int(button.get_attribute("data-channel")) for button in find_all(page, "#maps button")]


def test_the_strip_goes_from_the_image_to_the_scores(page: Any, page_server: Server) -> None:
    scroll_to_layers(page)
    layers = page_server.client.get("/models/squeezenet1_1/layers").json()
    wanted = [layer["name"] for layer in layers if layer["listed"] or layer["default"]]
    assert [button.get_attribute("data-layer") for button in find_all(page, "#strip button")] == wanted
    ends = [end.get_attribute("textContent") for end in find_all(page, "#strip .end")]
    assert ends == ["image", "scores: Egyptian cat"]
    drawn = "return [...document.querySelectorAll('#strip button img')].filter((i) => i.naturalWidth > 0).length"
    until(page, lambda: page.execute_script(drawn) == len(wanted))
    assert errors(page) == []


def test_a_layer_shows_its_strongest_channels(page: Any, page_server: Server) -> None:
    open_layer(page)
    maps = activations(page_server, "cat")
    order = [int(c) for c in np.argsort(-maps.mean(axis=(1, 2), dtype=np.float64), kind="stable")]
    assert channels(page) == order[:36]
    find(page, "#all-channels").click()
    until(page, lambda: len(channels(page)) == len(maps))
    assert sorted(channels(page)) == list(range(len(maps)))
    page.save_screenshot(str(ARTIFACTS / "layers.png"))
    assert errors(page) == []


def test_the_maps_of_a_layer_share_a_scale(page: Any, page_server: Server) -> None:
    open_layer(page)
    maps = activations(page_server, "cat").clip(min=0)
    top = np.percentile(maps, 99.5)
    channel = channels(page)[0]
    found = awaited(
        page,
        """const { palette } = await import('/static/palettes.js');
           const canvas = document.querySelector(`#maps [data-channel='${given[0]}'] canvas`);
           const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
           return [Array.from(palette('inferno')), Array.from(data)]""",
        channel,
    )
    colours, pixels = np.array(found[0]).reshape(256, 3), np.array(found[1]).reshape(*maps.shape[1:], 4)
    level = np.floor((maps[channel] / top).clip(max=1) * 255 + 0.5).astype(int)
    near = [(pixels[..., :3] == colours[(level + step).clip(0, 255)]).all(axis=-1) for step in (-1, 0, 1)]
    assert np.any(near, axis=0).all()


def test_a_channel_shows_its_map_its_patches_and_what_excites_it(page: Any, page_server: Server) -> None:
    open_layer(page)
    channel = channels(page)[2]
    find(page, f"#maps [data-channel='{channel}']").click()
    until(page, lambda: len(find_all(page, "#patches canvas")) == 6)
    peaks = {path.stem: float(activations(page_server, path.stem)[channel].max()) for path in SAMPLES.glob("*.jpg")}
    best = sorted(peaks, key=lambda name: -peaks[name])
    shown = [patch.get_attribute("aria-label") for patch in find_all(page, "#patches canvas")]
    assert [label.split(",")[0] for label in shown] == [f"Part of {name}.jpg" for name in best]
    assert [float(label.split()[-1]) for label in shown] == pytest.approx([peaks[n] for n in best], rel=0.01)
    assert f"Channel {channel} of {LAYER}" in text(page, "channel-title")
    assert find(page, f"#maps [data-channel='{channel}']").get_attribute("aria-pressed") == "true"
    find(page, "#excite").click()
    until(page, lambda: find_all(page, "#excited .picture img"))
    until(page, lambda: "Done." in find(page, "#excited .progress").text)
    (job,) = page_server.client.get("/visualize").json()["data"]
    assert (job["kind"], job["parameters"]["layer"], job["parameters"]["channel"]) == ("neuron", LAYER, channel)
    assert violations(page) == []
    find(page, "#channel-view").screenshot(str(ARTIFACTS / "channel.png"))
    assert errors(page) == []


def test_a_layer_stays_open_on_another_photograph(page: Any, page_server: Server) -> None:
    open_layer(page)
    sample(page, "coffee")
    caption(page, "espresso")
    maps = activations(page_server, "coffee")
    order = [int(c) for c in np.argsort(-maps.mean(axis=(1, 2), dtype=np.float64), kind="stable")]
    until(page, lambda: channels(page) == order[:36])
    assert find(page, "#strip [aria-pressed=true]").get_attribute("data-layer") == LAYER


def test_a_channel_has_an_address_and_is_reached_by_keys(page: Any) -> None:
    scroll_to_layers(page)
    find(page, f"#strip [data-layer='{LAYER}']").send_keys(Keys.ENTER)
    until(page, lambda: channels(page))
    channel = channels(page)[1]
    find_all(page, "#maps button")[1].send_keys(Keys.ENTER)
    until(page, lambda: f"at_layer={LAYER}&at_channel={channel}" in page.current_url)
    title = text(page, "channel-title")
    open_page(page, page.current_url)
    until(page, lambda: text(page, "channel-title") == title)
    assert errors(page) == []


def test_a_network_of_ones_own(page: Any, tmp_path: Path, models_dir: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_dir, models)
    write(classifier(size=32), models, "mine.onnx")
    labels = ", ".join(f'"thing {i}"' for i in range(CLASSES))
    (models / "mine.toml").write_text(
        f'name = "mine"\ntitle = "My network"\nfile = "mine.onnx"\ninput = "pixels"\nsize = 32\n'
        f'logits = "scores"\nlabels = [{labels}]\n'
    )
    server = Server("--models-dir", str(models), "--data-dir", str(tmp_path / "data"), "--no-worker")
    try:
        eventually(lambda: server.client.get("/models").json(), lambda found: all(one["served"] for one in found))
        open_page(page, server.url)
        scroll_to_layers(page)
        open_details(page, "model")
        Select(find(page, "#model")).select_by_visible_text("My network")
        caption(page, "My network says thing")
        names = {layer["name"] for layer in server.client.get("/models/mine/layers").json()}
        until(page, lambda: {b.get_attribute("data-layer") for b in find_all(page, "#strip button")} <= names)
        assert "model=mine" in page.current_url
    finally:
        server.stop()
