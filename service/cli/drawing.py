"""Drawing a class from the command line: in this process or on a server."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from tqdm import tqdm

from service.api.job_schemas import JobAnswer
from service.client import Client
from service.errors import InvalidParameter
from service.kinds.feature import ClassParameters, FromNoise, check_size
from service.kinds.run import Visualization
from service.main import open_networks
from service.saliency.explain import check_class
from service.settings import Settings


@dataclass(frozen=True)
class Drawn:
    """A finished picture."""

    png: bytes
    class_name: str
    seed: int
    result: dict[str, JsonValue]


def visualize(settings: Settings, options: argparse.Namespace) -> None:
    """Draw a class and write the picture."""
    names = ("preset", "iterations", "learning_rate", "size", "seed", "model")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    parameters = FromNoise(kind="class", **given)
    draw = partial(remote, options.server) if options.server else partial(local, settings)
    drawn = draw(options.class_name, parameters)
    output = options.output or Path(f"{drawn.class_name.partition(',')[0].replace(' ', '_')}.png")
    output.write_bytes(drawn.png)
    seen = drawn.result
    probability = seen["predicted_probability"]
    sure = "" if probability is None else f" ({probability:.1%})"
    print(f"{output}: {drawn.class_name}, seed {drawn.seed}; the network sees {seen['predicted_name']}{sure}")


def local(settings: Settings, class_name: str, parameters: FromNoise) -> Drawn:
    """Make the picture in this process."""
    networks = open_networks(settings)
    network = networks[parameters.model or settings.default_model]
    labels = network.model.manifest.labels
    class_id = chosen_class(class_name, list(enumerate(labels)))
    check_class(network, class_id)
    check_size(parameters.size, network)
    complete = ClassParameters(class_id=class_id, **_given(parameters)).completed(network)
    visualization = Visualization(network, complete)
    with tqdm(total=complete.steps, unit="step") as bar:
        for step in visualization.steps():
            bar.update()
            bar.set_postfix(score=f"{step.measured.score:.1f}", rank=step.measured.rank)
    made = visualization.conclude()
    return Drawn(made.image, labels[class_id], visualization.seed, made.result)


def remote(server: str, class_name: str, parameters: FromNoise) -> Drawn:
    """Have the picture made by a server, and follow its progress."""
    with Client(server) as client:
        model = parameters.model or next(m["name"] for m in client.models() if m["default"])
        found = [(c["class_id"], c["name"]) for c in client.classes(model, "" if class_name.isdigit() else class_name)]
        job = client.submit(chosen_class(class_name, found), **_given(parameters))
        assert isinstance(job, JobAnswer)
        with tqdm(total=job.steps, unit="step") as bar:
            for event in client.events(job.id):
                if event.event == "progress":
                    progress = json.loads(event.data)
                    bar.update(progress["step"] - bar.n)
                    bar.set_postfix(score=f"{progress['score']:.1f}", rank=progress["rank"])
        job = client.wait(job.id)
        if job.result is None:
            raise InvalidParameter(
                f"the job has {job.state}: {(job.problem or {}).get('detail', 'no picture was made')}"
            )
        return Drawn(client.image(job.id), job.class_name or "", job.parameters["seed"], job.result)


def _given(parameters: FromNoise) -> dict[str, Any]:
    """The parameters that were given, without the defaults."""
    return parameters.model_dump(exclude_unset=True, exclude={"kind"})


def chosen_class(query: str, classes: Sequence[tuple[int, str]]) -> int:
    """The class with that id, or the only one whose name contains the query; a whole synonym comes first.

    Raises `InvalidParameter`.
    """
    if query.isdigit():
        return int(query)
    matching = [(i, name) for i, name in classes if query.lower() in name.lower()]
    exact = [(i, name) for i, name in matching if query.lower() in (part.strip().lower() for part in name.split(","))]
    candidates = exact or matching
    if len(candidates) == 1:
        return candidates[0][0]
    if not candidates:
        raise InvalidParameter(f"no class has {query!r} in its name")
    some = "; ".join(f"{i} {name}" for i, name in candidates[:10])
    raise InvalidParameter(f"{len(candidates)} classes have {query!r} in their names, say which by its id: {some}")
