"""A picture of a class, made in this process."""

from typing import Any

from tqdm import tqdm

from service.cli.drawing import Drawn, chosen_class
from service.kinds.feature import ClassParameters, check_size
from service.kinds.run import Visualization
from service.main import open_networks
from service.saliency.explain import check_class
from service.settings import Settings


def draw(settings: Settings, class_name: str, given: dict[str, Any]) -> Drawn:
    """Draw the class with the parameters that were given."""
    networks = open_networks(settings)
    network = networks[given.get("model", settings.default_model)]
    labels = network.model.manifest.labels
    class_id = chosen_class(class_name, list(enumerate(labels)))
    check_class(network, class_id)
    parameters = ClassParameters(class_id=class_id, **given)
    check_size(parameters.size, network)
    complete = parameters.completed(network)
    visualization = Visualization(network, complete)
    with tqdm(total=complete.steps, unit="step") as bar:
        for step in visualization.steps():
            bar.update()
            bar.set_postfix(score=f"{step.measured.score:.1f}", rank=step.measured.rank)
    made = visualization.conclude()
    return Drawn(made.image, labels[class_id], visualization.seed, made.result)
