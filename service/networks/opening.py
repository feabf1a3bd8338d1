"""The networks as the settings want them."""

from service.networks.catalog import Networks
from service.networks.trials import Limits, Tried
from service.runtime.batcher import Batcher
from service.runtime.cores import cores
from service.runtime.engine import Engine
from service.runtime.files import GraphCache
from service.runtime.making import Maker
from service.settings import Settings


def open_networks(settings: Settings) -> Networks:
    """The networks of the settings. Raises `ModelError`, `NotFound` or `EngineError` when nothing could be served."""
    kept = GraphCache(settings.data_dir / "graphs", settings.graph_cache_bytes)
    engine = Engine(settings.providers, settings.threads, settings.precision, settings.cuda_graphs, kept, Maker(kept))
    on_cpu = engine.provider == "cpu"
    lanes = settings.lanes or (cores() if on_cpu else 1)
    batcher = Batcher(
        lanes=lanes,
        max_batch=settings.max_batch or (1 if on_cpu else 32),
        max_queue=settings.max_queue,
        seconds=settings.run_seconds,
    )
    limits, tried = limits_of(settings), Tried(settings.models_dir)
    networks = Networks(
        settings.models_dir,
        engine,
        batcher,
        settings.session_bytes,
        settings.default_model,
        lambda path: tried.check(path, limits),
    )
    networks[settings.default_model]  # tell now that it does not exist
    return networks


def limits_of(settings: Settings) -> Limits:
    """The limits for trying out a model."""
    return Limits(settings.check_seconds, settings.check_bytes)
