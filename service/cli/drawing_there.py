"""A picture of a class, made by a server."""

import json
from typing import Any

from tqdm import tqdm

from service.cli.drawing import Drawn, chosen_class
from service.cli.remote import asking
from service.client import Job
from service.errors import InvalidParameter


def draw(server: str, class_name: str, given: dict[str, Any]) -> Drawn:
    """Have the class drawn with the parameters that were given, and follow the progress. Raises `ConvlensError`."""
    with asking(server) as client:
        model = given.get("model") or next(m["name"] for m in client.models() if m["default"])
        found = [(c["class_id"], c["name"]) for c in client.classes(model, "" if class_name.isdigit() else class_name)]
        job = client.submit(chosen_class(class_name, found), **given)
        assert isinstance(job, Job)
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
