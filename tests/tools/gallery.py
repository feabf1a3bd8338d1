"""Writes docs/gallery.md: every method and kind of job on photographs of scikit-image, through the API.

Run: make gallery.
"""

import io
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from scipy.stats import rankdata

from service.client import Client
from tests.conftest import PHOTOGRAPHS, Server
from tests.pieces import others, pieces

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "images" / "gallery"
NAMES = {
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "astronaut": "astronaut.png",
    "motorcycle": "motorcycle_left.png",
    "stars": "hubble_deep_field.jpg",
    "tissue": "ihc.png",
}
DATA = {name: (PHOTOGRAPHS / file).read_bytes() for name, file in NAMES.items()}

EXPLAINED = {"cat": "Egyptian cat", "coffee": "espresso", "rocket": "missile"}
BOXES = {"cat": [60, 20, 390, 285], "coffee": [165, 15, 420, 240], "rocket": [285, 105, 350, 420]}  # face, cup, rocket
METRICS = {  # with a short name, and whether larger is better
    "insertion": ("insertion", True),
    "mu_fidelity": ("μ-fidelity", True),
    "relevance_mass_accuracy": ("in the box", True),
    "random_logit": ("like another class's", False),
    "sparseness": ("sparseness", True),
}
RANKED = ("insertion", "mu_fidelity", "relevance_mass_accuracy", "random_logit")
CHEAP = 2  # runs
RECOMMENDATION = [
    "Three photographs and one network are few, so take small differences for nothing. What holds in all of them: "
    "start with `grad_cam`, which costs one run and tells classes apart. Check it by an experiment, "
    "`feature_ablation` or `occlusion`, which do best by all of these numbers together. Where contributions are "
    "to add up, `deeplift` foretells what is removed better than integrated gradients and needs two runs. For "
    "outlines look at `guided_grad_cam`, and at relevance propagation only in contrast of two classes: like "
    "guided backpropagation its maps of different classes are nearly the same. A method below *edges* in a column "
    "has nothing to say there that an edge detector has not.",
    "",
    "Insertion: the mean probability of the class while the hottest pixels are put into the blurred picture. "
    "μ-fidelity: the correlation of the map with what random covers take from the score. In the box: the share of "
    "the map that is on the face, the cup and the rocket. Like another class's: how similar the map of another "
    "class is. `GET /evaluate/metrics` says what each can and cannot tell. Vision transformers have two methods "
    "more.",
]

JOBS: list[tuple[str, str, list[str], dict[str, Any]]] = [
    ("class, `cs231n`", "class", [], {"class_id": 76}),
    ("class, `lucid`", "class", [], {"class_id": 76, "preset": "lucid"}),
    ("class, `maco`", "class", [], {"class_id": 76, "preset": "maco"}),
    (
        "neuron: channel 17 of fire4",
        "neuron",
        [],
        {"layer": "fire4", "channel": 17, "preset": "lucid", "iterations": 200},
    ),
    (
        "neuron: channel 100 of fire8",
        "neuron",
        [],
        {"layer": "fire8", "channel": 100, "preset": "lucid", "iterations": 300},
    ),
    (
        "neuron: four sides of channel 100 of fire8",
        "neuron",
        [],
        {"layer": "fire8", "channel": 100, "preset": "lucid", "iterations": 200, "pictures": 4, "size": 192},
    ),
    ("spritemap: the first 64 channels of fire5", "spritemap", [], {"layer": "fire5"}),
    ("fooling: a sports car", "fooling", ["cat"], {"class_id": 817}),
    ("inversion of pool1", "inversion", ["cat"], {"layer": "pool1"}),
    ("inversion of fire5", "inversion", ["cat"], {"layer": "fire5"}),
    ("inversion of fire8, smoother", "inversion", ["cat"], {"layer": "fire8", "variation": 10}),
    ("caricature by fire5", "caricature", ["cat"], {}),
    ("caricature by fire7, closer", "caricature", ["coffee"], {"layer": "fire7", "power": 4}),
    ("deepdream of fire7", "deepdream", ["rocket"], {}),
    ("deepdream of fire4", "deepdream", ["cat"], {"layer": "fire4"}),
    ("style: stars", "style", ["cat", "stars"], {"size": 300}),
    ("style: tissue", "style", ["cat", "tissue"], {"size": 300, "content_weight": 0.1}),
    ("style: coffee", "style", ["rocket", "coffee"], {"size": 300, "content_weight": 0.1}),
]


def save(png: bytes, name: str, width: int = 420) -> str:
    """Save a small JPEG of the picture and return its path relative to the page."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail((width, width))
    image.save(FOLDER / f"{name}.jpg", quality=85)
    return f"images/gallery/{name}.jpg"


def methods(http: httpx.Client) -> list[str]:
    """Which methods do best, and a table with a row for each: three maps, their time, what the metrics say of them."""
    heads = [f"{title} {'↑' if up else '↓'}" for title, up in METRICS.values()]
    head = f"| method | {' | '.join(EXPLAINED.values())} | seconds | {' | '.join(heads)} |"
    rows = [head, "| --- " * (head.count("|") - 1) + "|"]
    scores: dict[str, dict[str, float | None]] = {}
    cheap = set()
    for method in http.get("/methods").json():
        if method["needs"] is not None:  # attention, which SqueezeNet has not
            continue
        name, places, seconds = method["name"], [], []
        for photograph in EXPLAINED:
            headers, files = {"Accept": "image/png"}, {"image": DATA[photograph]}
            # The first request creates the session and is not measured.
            http.post("/saliency", params={"method": name}, files=files, headers=headers)
            started = time.perf_counter()
            response = http.post("/saliency", params={"method": name}, files=files, headers=headers)
            seconds.append(time.perf_counter() - started)
            places.append(save(response.raise_for_status().content, f"{name}-{photograph}", 300))
        scores |= measured(http, name)
        cells = " | ".join(f"![{name}]({place})" for place in places)
        paper = method["paper"].split(", ")[0]
        rows.append(f"| `{name}`<br>{paper} | {cells} | {min(seconds):.2f} | {numbers(scores[name])} |")
        cheap |= {name} if method["evaluations"] <= CHEAP else set()
        print(name, f"{min(seconds):.2f} s", scores[name])
    rows += [f"| *{name}* | | | | | {numbers(scores[name])} |" for name in ("random", "edges")]
    return [*chosen({name: scores[name] for name in scores if name not in ("random", "edges")}, cheap), *rows]


def measured(http: httpx.Client, name: str) -> dict[str, dict[str, float | None]]:
    """What the metrics say of a method and of the maps that it is compared with, means over the photographs."""
    edges = ",".join(map(str, chain.from_iterable(BOXES.values())))
    response = http.post(
        "/compare",
        params={
            "methods": name,
            "metrics": ",".join(METRICS),
            "box": edges,
        },
        files=[("image", DATA[photograph]) for photograph in EXPLAINED],
        timeout=900,
    )
    found: dict[str, dict[str, float | None]] = {who: {} for who in (name, "random", "edges")}
    for metric in response.raise_for_status().json()["data"]["metrics"]:
        for who, values in found.items():
            values[metric["name"]] = metric["values"].get(who)
    return found


def numbers(values: dict[str, float | None]) -> str:
    """The values of a row."""
    return " | ".join("–" if (value := values[name]) is None else f"{value:.2f}" for name in METRICS)


def chosen(scores: dict[str, dict[str, float | None]], cheap: set[str]) -> list[str]:
    """The methods that do best by each metric, and by the mean of their ranks."""
    ranks = {
        metric: rankdata([_to_be_small(values[metric], up) for values in scores.values()])
        for metric, (_, up) in METRICS.items()
        if metric in RANKED
    }
    mean = dict(zip(scores, np.mean(list(ranks.values()), axis=0), strict=True))
    orders = {"mean rank": mean} | {
        METRICS[metric][0]: dict(zip(scores, of_all, strict=True)) for metric, of_all in ranks.items()
    }
    rows = [f"| best by | within {CHEAP} runs | at any price |", "| --- | --- | --- |"]
    for title, order in orders.items():
        best = sorted(order, key=lambda name: order[name])
        first = ", ".join(f"`{name}`" for name in [name for name in best if name in cheap][:3])
        rows.append(f"| {title} | {first} | {', '.join(f'`{name}`' for name in best[:3])} |")
    return [*rows, "", *RECOMMENDATION, ""]


def _to_be_small(value: float | None, up: bool) -> float:
    """The value with the best as the least, and no value as the worst."""
    return np.inf if value is None else round(-value if up else value, 3)


def jobs(client: Client) -> list[str]:
    """A table with a row for each job."""
    rows = ["| job | picture | seconds |", "| --- | --- | --- |"]
    for i, (title, kind, pictures, parameters) in enumerate(JOBS):
        images = dict(zip(("image", "style_image"), (DATA[name] for name in pictures), strict=False))
        job = client.wait(client.start(kind, images, seed=0, preview_every=0, **parameters).id)
        assert job.state == "succeeded", job.problem
        seconds = job.times["succeeded"] - job.times["running"]  # type: ignore[index]
        shown = {"fooling": "panel.png", "spritemap": "numbered.png"}.get(kind)
        png = client.artifact(job.id, shown) if shown else client.image(job.id)
        place = save(png, f"job-{i:02}-{kind}", 900 if shown else 420)
        rows.append(f"| {title} | ![{title}]({place}) | {seconds:.1f} |")
        print(title, f"{seconds:.1f} s", job.result)
    return rows


def layers(http: httpx.Client) -> list[str]:
    """Factors, conductance and concepts of layers."""

    def drawn(path: str, *names: str) -> bytes:
        files = [("image", DATA[name]) for name in names]
        return http.post(path, files=files, headers={"Accept": "image/png"}).raise_for_status().content

    one = save(drawn("/concepts", "cat"), "concepts-cat")
    several = save(drawn("/concepts?factors=8", "cat", "coffee", "astronaut", "motorcycle"), "concepts-several", 1200)
    sets = {"concept": pieces("chelsea.png", 20, 120), "random": others(5, 120)}
    sets["image"] = pieces("chelsea.png", 10, 260, seed=1)
    files = [(name, picture) for name, pictures in sets.items() for picture in pictures]
    tested = http.post("/tcav?layer=fire7&class_id=285", files=files, headers={"Accept": "image/png"})
    tcav = save(tested.raise_for_status().content, "tcav", 800)
    carried = save(drawn("/conductance?channels=9", "motorcycle"), "conductance", 600)
    return [
        f"`POST /concepts`, five factors of fire9 and what they add to the score:\n\n![factors]({one})",
        f"\nEight factors of four photographs together:\n\n![factors of several photographs]({several})",
        "\n`POST /conductance`, the nine channels of fire9 that carry most of the score of the moped:\n\n"
        f"![conductance]({carried})",
        f"\n`POST /tcav`, pieces of a cat's coat as a concept, put to the Egyptian cat in fire7:\n\n![tcav]({tcav})",
    ]


def factors_drawn(http: httpx.Client, client: Client) -> list[str]:
    """The factors of a photograph and, for each, what excites it most."""
    asked, files = {"layer": "fire8", "factors": 4}, {"image": DATA["cat"]}
    overlay = http.post("/concepts", params=asked, files=files, headers={"Accept": "image/png"}).raise_for_status()
    pictures = []
    for factor in http.post("/concepts", params=asked, files=files).json()["data"]["factors"]:
        channels, weights = zip(*((part["channel"], part["weight"]) for part in factor["channels"]), strict=True)
        fixed = {"preset": "lucid", "iterations": 150, "seed": 0, "preview_every": 0}
        job = client.wait(client.start("neuron", layer="fire8", channel=channels, weights=weights, **fixed).id)
        pictures.append(save(client.image(job.id), f"factor-{len(pictures) + 1}", 220))
    cells = " | ".join(f"![factor {i + 1}]({place})" for i, place in enumerate(pictures))
    return [
        "\nFour factors of fire8, and a job of the kind `neuron` for each, drawn from its channels and weights:\n",
        "| factors | 1 | 2 | 3 | 4 |\n| --- | --- | --- | --- | --- |",
        f"| ![factors of fire8]({save(overlay.content, 'concepts-fire8', 220)}) | {cells} |",
    ]


def activations_and_evaluation(http: httpx.Client) -> list[str]:
    """Activations, an evaluation and a comparison."""
    files, headers = {"image": DATA["cat"]}, {"Accept": "image/png"}
    grid = http.post("/activations?layer=fire3&channels=36", files=files, headers=headers).raise_for_status().content
    plot = http.post("/evaluate?method=grad_cam", files=files, headers=headers).raise_for_status().content
    several = [("image", DATA[name]) for name in ("cat", "coffee", "rocket")]
    table = http.post("/compare", files=several, headers=headers).raise_for_status().content
    return [
        f"`POST /activations`, the 36 strongest of 128 feature maps of fire3:\n\n![fire3]({save(grid, 'activations')})",
        f"\n`POST /evaluate`, Grad-CAM put to the test:\n\n![evaluation]({save(plot, 'evaluation', 1000)})",
        f"\n`POST /compare`, the usual methods and metrics:\n\n![comparison]({save(table, 'comparison', 1200)})",
    ]


def main() -> None:
    """Write the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as data:
        server = Server("--data-dir", data, "--threads", "0", "--max-evaluations", "100000", "--request-seconds", "900")
        server.wait_until_ready()
        with Client(server.url) as client:
            page = [
                "# Gallery",
                "\nMade by `make gallery` through the API, on two CPU cores, "
                "from photographs that scikit-image ships. SqueezeNet 1.1.\n",
                "## Saliency\n",
                *methods(server.client),
                "\n## Jobs\n",
                *jobs(client),
                "\nFooling: the original (Egyptian cat), the fooling image (sports car), "
                "their difference, ten times their difference.\n",
                "## Layers and evaluation\n",
                *activations_and_evaluation(server.client),
                "",
                *layers(server.client),
                *factors_drawn(server.client, client),
            ]
        server.stop()
    (DOCS / "gallery.md").write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
