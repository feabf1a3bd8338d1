"""`GET /healthz` and `GET /readyz`: health checks."""

from fastapi import APIRouter

from service import __version__
from service.api.catalog_schemas import Health, Ready
from service.api.deps import ServicesDep
from service.api.problems import RESPONSES
from service.errors import Unready

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def health(services: ServicesDep) -> Health:
    """The process is alive; which execution provider it uses."""
    names = [model.name for model in services.networks.library]
    return Health(version=__version__, provider=services.networks.engine.provider, models=names)


@router.get("/readyz", responses={503: RESPONSES["4XX"] | {"description": "The service is not ready yet."}})
async def ready(services: ServicesDep) -> Ready:
    """The service has warmed up."""
    if services.readiness.reason is not None:
        raise Unready(f"not ready: {services.readiness.reason}", retry_after=1)
    return Ready()
