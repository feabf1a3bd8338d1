"""`convlens serve` and `convlens worker`."""

import argparse
import asyncio
import logging.config
import os
import signal
import sys

import uvicorn

from service.api.connections import BoundedHttp, raise_file_limit
from service.api.starting import Starting
from service.errors import InvalidParameter
from service.jobs.service import open_job_service, worker
from service.main import create_app, open_networks, runner_of
from service.runtime.engine import let_go_of_memory
from service.runtime.memory import give_back_what_is_freed, pass_over_what_stays
from service.settings import Settings
from service.telemetry import logs, tracing

SWITCH_SECONDS = 0.001  # threads that draw pictures let the event loop have its turn five times sooner than by default


def serve(settings: Settings, _: argparse.Namespace) -> None:
    """Answer requests, and run jobs unless the settings say otherwise, until a signal comes."""
    give_back_what_is_freed(let_go_of_memory)
    sys.setswitchinterval(SWITCH_SECONDS)
    raise_file_limit()
    app = Starting(create_app(settings))
    pass_over_what_stays()
    try:
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=logs.configuration(settings.log_format),
            access_log=False,  # `service.api.observation` does it
            timeout_graceful_shutdown=30,
            http=BoundedHttp,
            proxy_headers=False,  # `service.api.addresses` reads them
        )
    except SystemExit:
        if app.failure is not None:
            raise app.failure from None
        raise


def work(settings: Settings, _: argparse.Namespace) -> None:
    """Run the jobs of a queue until a signal comes."""
    if settings.queue_url is None:
        raise InvalidParameter(
            "a worker needs CONVLENS_QUEUE_URL or --queue-url, the Valkey or Redis that it shares with the API"
        )
    give_back_what_is_freed(let_go_of_memory)
    os.nice(settings.worker_nice)
    logging.config.dictConfig(logs.configuration(settings.log_format))
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    if settings.tracing:
        tracing.start()
    networks = open_networks(settings)
    await asyncio.to_thread(networks.check_all)
    async with open_job_service(settings) as job_service:
        running = asyncio.create_task(worker(job_service, settings, runner_of(networks, job_service, settings)).run())
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, running.cancel)
        logging.getLogger(__name__).info("worker ready, running on %s", networks.engine.provider)
        await asyncio.gather(running, return_exceptions=True)
