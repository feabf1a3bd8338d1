"""`GET /models`: the networks that can be asked."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request

from service.api.access import admin
from service.api.catalog_schemas import ClassName, LayerAnswer, ModelDetails, ModelSummary
from service.api.deps import Services, ServicesDep
from service.api.problems import FORBIDDEN, RESPONSES
from service.models.library import Model

router = APIRouter(prefix="/models", tags=["models"], responses=RESPONSES)


def _summary(services: Services, model: Model) -> ModelSummary:
    manifest = model.manifest
    return ModelSummary(
        name=manifest.name,
        title=manifest.title,
        classes=len(manifest.labels),
        default=manifest.name == services.settings.default_model,
        served=services.networks.is_served(manifest.name),
        problem=services.networks.problems.get(manifest.name),
    )


@router.get("")
async def list_models(services: ServicesDep) -> list[ModelSummary]:
    """All models, and for those that cannot be served the reason."""
    networks = services.networks
    broken = [
        ModelSummary(name=name, title=name, classes=0, default=False, served=False, problem=problem)
        for name, problem in networks.library.broken.items()
    ]
    return [_summary(services, model) for model in networks.library] + broken


@router.post("/reload", dependencies=[Depends(admin)], responses=FORBIDDEN)
async def reload_models(services: ServicesDep, background: BackgroundTasks) -> list[ModelSummary]:
    """Read the models folder again. New models are tried out first, in the background, and then served.

    Where the service asks for keys, for keys with the role `admin`.
    """
    await services.work(services.networks.reload)
    background.add_task(services.networks.check_all)
    return await list_models(services)


@router.get("/{name}")
async def show_model(name: str, request: Request, services: ServicesDep) -> ModelDetails:
    """One model: its layers, preprocessing and hashes."""
    network = services.network(name)
    model, manifest = network.model, network.model.manifest
    summary = _summary(services, model)

    def details() -> ModelDetails:
        return ModelDetails(
            **summary.model_dump(),
            source=manifest.source,
            sha256=model.sha256,
            weights_sha256=manifest.weights_sha256,
            size=min(manifest.size),
            height=manifest.size[0],
            width=manifest.size[1],
            task=manifest.task,
            outputs=tuple(network.facts.outputs),
            scores=manifest.scores,
            any_size=network.facts.takes_any_size,
            quantized=network.facts.quantized,
            layers=manifest.layers,
            preprocessing=manifest.preprocessing.model_dump(mode="json"),
        )

    return await services.work(details, request)


@router.get("/{name}/layers")
async def list_layers(name: str, request: Request, services: ServicesDep) -> list[LayerAnswer]:
    """The layers of a model that can be looked at, in the order in which they are computed."""
    network = services.network(name)
    layers = await services.work(lambda: network.layers, request)
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
