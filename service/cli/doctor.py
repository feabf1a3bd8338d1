"""`convlens doctor`: whether everything that the settings name is there and works."""

import argparse
import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np

from service.api.keys import Keys
from service.errors import ConvlensError
from service.jobs.service import open_job_service
from service.main import open_networks
from service.models.library import Library
from service.networks.trials import Limits, check_in_child
from service.runtime.engine import Engine
from service.settings import Settings

FREE_BYTES = 2**30


def tell(settings: Settings, _: argparse.Namespace) -> None:
    """Print the findings. Raises `ConvlensError` if there is something wrong."""
    wrong = 0
    for well, told in examine(settings):
        print(f"{'ok  ' if well else 'FAIL'} {told}")
        wrong += not well
    if wrong:
        raise ConvlensError(f"{wrong} of these are not well")


def examine(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Each finding: whether it is well, and what it is."""
    for name, look in _EXAMINATIONS.items():
        try:
            for told in look(settings):
                yield True, f"{name}: {told}"
        except (ConvlensError, OSError) as error:
            yield False, f"{name}: {error}"


def _providers(settings: Settings) -> Iterator[str]:
    yield f"runs on {Engine(settings.providers, settings.threads).provider}"


def _models(settings: Settings) -> Iterator[str]:
    library = Library(settings.models_dir)
    for broken in library.broken.values():
        raise ConvlensError(broken)
    for model in library:
        if problem := check_in_child(
            settings.models_dir / library.manifests[model.name], Limits(settings.check_seconds, settings.check_bytes)
        ):
            raise ConvlensError(f"{model.name}: {problem}")
        yield f"{model.name} can be served"


def _default_model(settings: Settings) -> Iterator[str]:
    networks = open_networks(settings)
    network = networks[settings.default_model]
    image = np.zeros((1, 3, *network.size), np.float32)
    network.value_and_grad(image)
    started = time.perf_counter()
    network.value_and_grad(image)
    yield f"{settings.default_model}: {(time.perf_counter() - started) * 1e3:.1f} ms for a gradient"
    networks.close()


def _queue_and_store(settings: Settings) -> Iterator[str]:
    async def look() -> AsyncIterator[str]:
        async with open_job_service(settings) as job_service:
            counts = await job_service.ledger.counts()
            yield f"queue {settings.queue_url or 'embedded'}: {sum(counts.values())} jobs"
            await job_service.store.put("doctor/probe", b"probe")
            if await job_service.store.get("doctor/probe") != b"probe":
                raise ConvlensError("the store does not give back what was put into it")
            await job_service.store.delete("doctor/probe")
            yield f"store {settings.store_url or 'in the data folder'}: written, read and deleted"

    async def everything() -> list[str]:
        return [told async for told in look()]

    try:
        yield from asyncio.run(everything())
    except ConvlensError:
        raise
    except Exception as error:  # clients of stores and queues share no base
        raise ConvlensError(f"{type(error).__name__}: {error}") from error


def _disk(settings: Settings) -> Iterator[str]:
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.resolve().parent
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise ConvlensError(f"only {free / 2**20:.0f} MiB are free in {folder}")
    yield f"{free / 2**30:.1f} GiB free in {folder}"


def _keys(settings: Settings) -> Iterator[str]:
    Keys(settings.api_keys_file)
    yield "off" if settings.api_keys_file is None else f"read from {settings.api_keys_file}"


_EXAMINATIONS: dict[str, Callable[[Settings], Iterator[str]]] = {
    "provider": _providers,
    "models": _models,
    "network": _default_model,
    "queue and store": _queue_and_store,
    "disk": _disk,
    "keys": _keys,
}
