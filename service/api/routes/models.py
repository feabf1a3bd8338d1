"""`GET /models`: what can be asked."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from service.api.deps import ServicesDep
from service.api.problems import RESPONSES
from service.api.schemas import ClassName, LayerAnswer, ModelDetails, ModelSummary
from service.models.library import Model

router = APIRouter(prefix="/models", tags=["models"], responses=RESPONSES)


def _summary(model: Model, default: str) -> ModelSummary:
    manifest = model.manifest
    return ModelSummary(name=manifest.name, title=manifest.title, classes=len(manifest.labels), default=manifest.name == default)


@router.get("")
async def list_models(services: ServicesDep) -> list[ModelSummary]:
    """All models."""
    return [_summary(model, services.settings.default_model) for model in services.networks.library]


@router.get("/{name}")
async def show_model(name: str, services: ServicesDep) -> ModelDetails:
    """One model: its layers, preprocessing and hashes."""
    model = services.network(name).model
    manifest = model.manifest
    return ModelDetails(
        **_summary(model, services.settings.default_model).model_dump(),
        source=manifest.source,
        sha256=model.sha256,
        weights_sha256=manifest.weights_sha256,
        size=manifest.size,
        layers=manifest.layers,
        preprocessing=manifest.preprocessing.model_dump(mode="json"),
    )


@router.get("/{name}/layers")
async def list_layers(name: str, services: ServicesDep) -> list[LayerAnswer]:
    """The layers of a model that can be looked at, in the order in which they are computed."""
    network = services.network(name)
    layers = await services.work(lambda: network.layers)
    return [LayerAnswer(**asdict(layer), default=layer.name == network.cam_layer) for layer in layers.values()]


@router.get("/{name}/classes")
async def list_classes(
    name: str,
    services: ServicesDep,
    query: Annotated[str, Query(max_length=100, description="Part of a name, in any case.", examples=["cat"])] = "",
) -> list[ClassName]:
    """The classes of a model whose names contain ``query``; all without one."""
    labels = services.network(name).model.manifest.labels
    return [ClassName(class_id=i, name=label) for i, label in enumerate(labels) if query.lower() in label.lower()]
