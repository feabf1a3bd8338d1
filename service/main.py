"""The application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from service import __version__
from service.api import documents, page, problems
from service.api.access import caller
from service.api.addresses import Forwarded
from service.api.admission import Admission
from service.api.body_limit import BodyLimit, Streamed
from service.api.deps import Services
from service.api.head import HeadAsGet
from service.api.keys import Keys, Limiter
from service.api.negotiation import NPY
from service.api.observation import Observation
from service.api.places import Places, Workers
from service.api.prefix import Prefixed
from service.api.problems import PROTOCOL_REFUSALS, REFUSALS
from service.api.query_limit import QueryLimit
from service.api.routes import (
    activations,
    batches,
    classify,
    compare,
    concepts,
    conductance,
    evaluate,
    health,
    kserve,
    methods,
    metrics,
    models,
    open_inference,
    predict,
    saliency,
    session,
    tcav,
    uploads,
    visualize,
)
from service.api.same_site import LOOPBACK, SameSite
from service.batches.chunk import ChunkRunner
from service.batches.sources import Sources
from service.errors import ModelError
from service.jobs.run import Runner
from service.jobs.service import JobService, open_job_service, worker
from service.kinds.run import runner
from service.models.uploaded import Uploaded
from service.networks.catalog import Networks
from service.networks.opening import limits_of
from service.networks.opening import open_networks as open_networks  # also for those who import it from here
from service.networks.uploads import Uploads
from service.runtime.cores import cores
from service.settings import Settings
from service.telemetry import tracing

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0  # between two looks whether an uploaded model has come or gone
ARCHIVES = 8  # archives that are taken in at the same time, with some megabytes of memory each
SLOWEST = 64 * 2**10  # bytes a second of archives, beyond the seconds that every body has

DESCRIPTION = """\
Makes convolutional networks understandable: saliency maps of photographs, from gradients of ONNX graphs.

Errors are problem documents (RFC 9457, `application/problem+json`); `detail` says what to do."""


def create_app(settings: Settings) -> FastAPI:
    """The application. Raises `ModelError` or `EngineError` when it could not serve anything."""
    networks = open_networks(settings)
    keys = Keys(settings.api_keys_file)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warm = asyncio.create_task(asyncio.to_thread(networks[settings.default_model].warm_up))
        async with open_job_service(settings) as job_service:
            app.state.services = services = _services(settings, networks, job_service, keys)
            tasks = [asyncio.create_task(_tell_when_ready(services, warm)), asyncio.create_task(_refresh(networks))]
            if settings.worker:
                tasks.append(
                    asyncio.create_task(worker(job_service, settings, runner_of(networks, job_service, settings)).run())
                )
            yield
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(services.uploads.close)
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(networks.close)

    return _application(settings, lifespan, keys)


def _services(settings: Settings, networks: Networks, job_service: JobService, keys: Keys) -> Services:
    """What routes need."""
    places = settings.workers or max(4, 2 * cores())
    dear = max(1, min(places // 2, cores()))  # so many keep all cores busy
    records = Uploaded(settings.models_dir, settings.uploaded_models_bytes)
    return Services(
        settings,
        networks,
        job_service,
        keys,
        limiter=Limiter(settings.rate_limit, job_service.counters),
        failures=Limiter(settings.failed_keys_limit, job_service.counters),
        workers=Workers(places, dear, settings.worker_seconds),
        uploads=Uploads(records, limits_of(settings), networks.refresh),
        archives=Places(ARCHIVES, settings.worker_seconds),
    )


def document() -> dict[str, Any]:
    """The OpenAPI document, without a service behind it."""
    return _application(Settings(), None, Keys(None)).openapi()


def _application(
    settings: Settings, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None, keys: Keys
) -> FastAPI:
    """Routes, middleware and problems."""
    app = FastAPIOffline(title="convlens", version=__version__, description=DESCRIPTION, lifespan=lifespan)
    _add_middleware(app, settings, keys)
    problems.install(app)
    for module in (
        saliency,
        classify,
        activations,
        concepts,
        conductance,
        tcav,
        evaluate,
        compare,
        methods,
        visualize,
        batches,
        models,
        uploads,
        predict,
        metrics,
    ):
        app.include_router(module.router, dependencies=[Depends(caller)], responses=REFUSALS)
    for module in (open_inference, kserve):
        app.include_router(module.router, dependencies=[Depends(caller)], responses=PROTOCOL_REFUSALS)
    for router in (health.router, session.router, open_inference.health):
        app.include_router(router)
    if not settings.public_docs:
        documents.ask_for_key(app)
    page.install(app)
    return app


def _add_middleware(app: FastAPI, settings: Settings, keys: Keys) -> None:
    """What every request goes through, the innermost first."""
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        max_together=settings.max_bodies_bytes,
        seconds=settings.upload_seconds,
        streamed=_streamed(settings),
    )
    app.add_middleware(
        GZipMiddleware,
        minimum_size=1000,
        compresslevel=1,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, NPY, "application/octet-stream"),
    )
    app.add_middleware(QueryLimit)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Prefixed, root_path=settings.root_path, trusted=settings.trust_forwarded_prefix)
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    app.add_middleware(SameSite, origins=origins, hosts=_hosts(settings))
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=["*"]
        )
    app.add_middleware(Admission, keys=keys, seconds=settings.worker_seconds)
    app.add_middleware(Observation, log=settings.access_log)
    if settings.tracing:
        tracing.install(app)
    if settings.trusted_proxies:
        app.add_middleware(Forwarded, proxies=settings.trusted_proxies)  # before all that looks at the client


def _streamed(settings: Settings) -> list[Streamed]:
    """The bounds of bodies that are written to disk as they arrive: of models, and of the archives of batches."""
    return [
        Streamed(settings.uploaded_models_bytes, settings.model_upload_seconds, path="/models"),
        Streamed(
            settings.max_archive_bytes,
            settings.upload_seconds,
            SLOWEST,
            methods=("POST", "PUT"),
            path="/batches(/[^/]+/parts/[^/]+)?/?",
            unpacked=False,
        ),
    ]


def _hosts(settings: Settings) -> Collection[str] | None:
    """The names of the service: those of the settings, or, where it listens to this machine only, those of that."""
    if settings.allowed_hosts:
        return [host.strip().lower() for host in settings.allowed_hosts.split(",")]
    return LOOPBACK if settings.host in LOOPBACK else None


async def _refresh(networks: Networks) -> None:
    """See models that other processes have taken in or removed."""
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        if networks.is_outdated:
            try:
                await asyncio.to_thread(networks.refresh)
            except ModelError:
                logger.exception("the models folder cannot be read again")


def runner_of(networks: Networks, job_service: JobService, settings: Settings) -> Runner:
    """The function with which a worker runs jobs and chunks of batches."""
    sources = Sources(settings.batch_sources)
    return runner(networks, ChunkRunner(networks, job_service.store, sources, settings, problems.brief))


async def _tell_when_ready(services: Services, warm: asyncio.Task[None]) -> None:
    """The service counts as ready once its default network is warm; then the other networks are looked at."""
    try:
        await warm
    except Exception as error:
        logger.exception("the default network cannot be used")
        services.readiness.reason = str(error)
    else:
        services.readiness.reason = None
        logger.info("ready, running on %s", services.networks.engine.provider)
    await asyncio.to_thread(services.networks.check_all)
    for name, problem in services.networks.problems.items():
        logger.error("the model %s is not served: %s", name, problem)
