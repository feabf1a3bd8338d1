"""What sessions run on: execution providers, and the settings of threads and memory."""

from functools import cache

import numpy as np
import onnxruntime as ort

from service.errors import EngineError
from service.runtime.cores import affinities

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
SHORT = {long: short for short, long in PROVIDERS.items()}


def options_of(threads: int) -> ort.SessionOptions:
    """The options of a session that runs on so many threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if (spread := affinities(threads)) is not None:
        options.add_session_config_entry("session.intra_op_thread_affinities", spread)
    options.enable_mem_pattern = False  # one block per run and session takes a third more memory, and no less time
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")  # they would hold the arena
    # Threads that spin start sooner, but take the cores from runs side by side, and between runs from whatever else
    # computes: another session, or the request.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads != 1 else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def usable(providers: str) -> list[str]:
    """The runtime's names of the providers asked for, the ones that do not start left out of ``auto``."""
    installed = ort.get_available_providers()
    if providers == "auto":
        cuda = PROVIDERS["cuda"]
        return [cuda, PROVIDERS["cpu"]] if cuda in installed and _starts(cuda) else [PROVIDERS["cpu"]]
    names = [name.strip().lower() for name in providers.split(",")]
    for name in names:
        if name not in PROVIDERS:
            raise EngineError(f"unknown execution provider {name!r}; known are auto, {', '.join(PROVIDERS)}")
        if PROVIDERS[name] not in installed or not _starts(PROVIDERS[name]):
            raise EngineError(
                f"the execution provider {name!r} does not start here; install the extra 'gpu' or use 'auto'"
            )
    return [PROVIDERS[name] for name in names]


def _starts(provider: str) -> bool:
    """Whether a session really comes up on the provider: an installed one may lack its libraries or its device."""
    if provider == PROVIDERS["cuda"] and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    try:
        session = tiny(provider)
        session.run(None, {"x": np.ones(1, np.float32)})
    except Exception:  # noqa: BLE001 - whatever it is, the provider is of no use
        return False
    return bool(session.get_providers()[0] == provider)


@cache
def share_memory() -> None:
    """One arena for all sessions of the process, which grows by what is asked for.

    If each has its own they take more memory, and grow for longer.
    """
    same_as_requested = 1
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, same_as_requested, -1, -1))


# <ir_version: 8, opset_import: ["": 18]> t (float[1] x) => (float[1] y) { y = Neg(x) }, as bytes: what parses the text
# takes time and memory to be imported.
_TINY = (
    b'\x08\x08:4\n\r\n\x01x\x12\x01y"\x03Neg:\x00\x12\x01tZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x12"
)


@cache
def tiny(provider: str) -> ort.InferenceSession:
    """A session that does next to nothing, in the memory that all share."""
    share_memory()
    return ort.InferenceSession(_TINY, options_of(1), providers=[provider])
