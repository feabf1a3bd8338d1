"""`GET /metrics`: metrics for operators."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from redis.exceptions import RedisError

from service.api.deps import ServicesDep
from service.telemetry import metrics

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def show_metrics(services: ServicesDep) -> Response:
    """Counters and histograms in the text format of Prometheus."""
    try:
        for state, number in (await services.job_service.ledger.counts()).items():
            metrics.JOBS.labels(state).set(number)
    except RedisError:
        metrics.JOBS.clear()  # unknown is not zero
    networks = services.networks
    metrics.SERVED.clear()
    for model in networks.library:
        metrics.SERVED.labels(model.name).set(networks.is_served(model.name))
    metrics.ENGINE.info({"provider": networks.engine.provider})
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
