"""Every knob of the service.

Each is read from the environment variable CONVLENS_<NAME>; flags of the command line go before.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _networks(listed: str) -> str:
    """Raises `ValueError` for what is no network, and for a network of everybody."""
    for one in listed.split(","):
        if one.strip() and ip_network(one.strip()).prefixlen == 0:
            raise ValueError(f"{one.strip()!r} is everybody: every client could choose its own address")
    return listed


class Settings(BaseSettings):
    """The settings with their units and defaults."""

    model_config = SettingsConfigDict(env_prefix="CONVLENS_", extra="forbid", frozen=True)

    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 for any free one.")] = 8000
    root_path: Annotated[
        str, Field(pattern=r"^(/[^/?#]+)*/?$", description="Prefix of URLs under which a proxy shows the service.")
    ] = ""
    trust_forwarded_prefix: Annotated[
        bool,
        Field(
            description="Whether the header `X-Forwarded-Prefix` tells that prefix; where there are trusted proxies, "
            "theirs only."
        ),
    ] = False
    trusted_proxies: Annotated[
        str,
        AfterValidator(_networks),
        Field(
            description="Addresses and networks of proxies, with commas between them, whose `X-Forwarded-For` and "
            "`X-Forwarded-Proto` are believed; by default nobody's."
        ),
    ] = ""
    data_dir: Annotated[Path, Field(description="Folder of the embedded queue and of the artifacts of jobs.")] = Path(
        "data"
    )
    models_dir: Annotated[Path, Field(description="Folder of the ONNX files and their manifests.")] = Path(
        "onnx_models"
    )
    default_model: Annotated[str, Field(description="Model of requests that name none.")] = "squeezenet1_1"
    providers: Annotated[
        str, Field(description="Execution providers in order of preference: `auto`, `cpu`, `cuda` or `cuda,cpu`.")
    ] = "auto"
    threads: Annotated[
        int, Field(ge=0, description="CPU threads of a run of a network that is alone; 0 for one per core.")
    ] = 0
    lanes: Annotated[
        int,
        Field(
            ge=0,
            description="Runs side by side, on one core each if there are several; 0 for one per core, on a GPU one.",
        ),
    ] = 0
    max_batch: Annotated[
        int,
        Field(
            ge=0,
            le=1024,
            description="Most images that share a run; 0 for 1 on a CPU, where that is fastest, and 32 on a GPU.",
        ),
    ] = 0
    precision: Annotated[
        Literal["float32", "float16"],
        Field(
            description="Of the gradients of photographs. "
            "`float16` is for GPUs; maps differ a little (see docs/operations.md)."
        ),
    ] = "float32"
    cuda_graphs: Annotated[
        bool, Field(description="Whether runs of fixed shapes are recorded and replayed on CUDA.")
    ] = False
    max_queue: Annotated[
        int, Field(ge=1, description="Most images that wait for a run; more are answered with 503.")
    ] = 1000
    run_seconds: Annotated[
        float, Field(gt=0, description="Time for which an image may wait for a run, in seconds.")
    ] = 30.0
    request_seconds: Annotated[
        float, Field(gt=0, description="Time that a request may compute, in seconds; what takes longer is for jobs.")
    ] = 120.0
    worker_seconds: Annotated[
        float, Field(gt=0, description="Time for which a request may wait for a worker, in seconds; then it is a 503.")
    ] = 30.0
    workers: Annotated[
        int,
        Field(
            ge=0,
            description="Requests that are worked on at the same time, 0 for two per core and four at least; the "
            "others wait. A caller that has none gets a place at once, up to twice as many, and dear requests have one "
            "for each core, half of them at most.",
        ),
    ] = 0
    session_bytes: Annotated[
        int,
        Field(ge=0, description="Memory of loaded networks, roughly, in bytes; the longest unused ones are unloaded."),
    ] = 4 * 2**30
    graph_cache_bytes: Annotated[
        int,
        Field(
            ge=0, description="Optimized graphs that are kept in the data folder, so that a start is fast, in bytes."
        ),
    ] = 4 * 2**30
    check_seconds: Annotated[
        float, Field(gt=0, description="Time in which a model must have been tried out, in seconds.")
    ] = 60.0
    check_bytes: Annotated[int, Field(ge=2**28, description="Memory that trying out a model may take, in bytes.")] = (
        8 * 2**30
    )
    uploaded_models_bytes: Annotated[
        int,
        Field(
            ge=0,
            description="What networks that are uploaded may take together, in bytes; 0 allows no uploads. Where there "
            "are keys, those with the role `admin` may upload and remove them, else everybody.",
        ),
    ] = 0
    model_upload_seconds: Annotated[
        float, Field(gt=0, description="Time in which an uploaded network must arrive, in seconds.")
    ] = 600.0
    max_body_bytes: Annotated[int, Field(ge=1024, description="Largest request body, in bytes.")] = 20 * 2**20
    max_bodies_bytes: Annotated[
        int,
        Field(
            ge=1024,
            description="Bodies of all requests that are being worked on, in bytes; beyond that whoever sends more "
            "than one at a time is answered with 503.",
        ),
    ] = 256 * 2**20
    max_pixels: Annotated[int, Field(ge=1, description="Largest image, in pixels.")] = 50_000_000
    max_images: Annotated[int, Field(ge=1, description="Most images in one request.")] = 16
    max_evaluations: Annotated[
        int,
        Field(
            ge=1,
            description="Most runs of a network for one request, of pictures of its own size; larger ones count by "
            "their pixels. What needs more is told to become a job.",
        ),
    ] = 2000
    max_side: Annotated[
        int, Field(ge=16, description="Longest side of an overlay, in pixels; larger photographs are scaled.")
    ] = 1024
    queue_url: Annotated[
        str | None,
        Field(
            description="Valkey or Redis that holds the jobs (`redis://host:6379/0`); "
            "`None` for one inside the service."
        ),
    ] = None
    store_url: Annotated[
        str | None,
        Field(description="Store of artifacts (`s3://bucket/prefix`, `file:///folder`); `None` for the data folder."),
    ] = None
    worker: Annotated[
        bool, Field(description="Whether `convlens serve` runs jobs too; `--no-worker` turns it off.")
    ] = True
    job_concurrency: Annotated[int, Field(ge=1, le=64, description="Jobs that one worker runs at the same time.")] = 4
    worker_nice: Annotated[
        int,
        Field(
            ge=0,
            le=19,
            description="By how much `convlens worker` steps back behind other processes of its machine, so that "
            "requests go before jobs there too.",
        ),
    ] = 10
    max_jobs: Annotated[int, Field(ge=1, description="Most unfinished jobs; more are answered with 429.")] = 10_000
    max_jobs_per_key: Annotated[
        int,
        Field(
            ge=0,
            description="Most unfinished jobs of one key, where there are keys; 0 for a tenth of `CONVLENS_MAX_JOBS`.",
        ),
    ] = 0
    max_attempts: Annotated[
        int,
        Field(
            ge=1,
            description="How often in a row a worker may die before a job gets further; then the job has failed.",
        ),
    ] = 3
    job_seconds: Annotated[
        float, Field(gt=0, description="Time in which a job must be done once it has begun, in seconds.")
    ] = 1800.0
    checkpoint_seconds: Annotated[
        float, Field(ge=0, description="Time between two checkpoints of a job, in seconds.")
    ] = 2.0
    retention_seconds: Annotated[
        float, Field(gt=0, description="Time for which a finished job and its pictures are kept, in seconds.")
    ] = 604_800.0
    max_archive_bytes: Annotated[
        int, Field(ge=1024, description="Largest archive or part of a batch, unpacked if it is a `.tar.gz`, in bytes.")
    ] = 10 * 2**30
    max_batch_items: Annotated[int, Field(ge=1, description="Most pictures of a batch.")] = 100_000
    max_stored_bytes: Annotated[
        int,
        Field(
            ge=1024,
            description="Archives and results of the batches of one key, or without keys of all, in bytes, from which "
            "on no more archives are taken.",
        ),
    ] = 100 * 2**30
    batch_sources: Annotated[
        str,
        Field(
            description="Stores that manifests of batches may name pictures of (`s3://bucket/prefix`, "
            "`file:///folder`), with commas between them; no other address is ever read."
        ),
    ] = ""
    log_format: Annotated[
        Literal["text", "json"], Field(description="Lines for people, or JSON with ids of requests for machines.")
    ] = "text"
    tracing: Annotated[
        bool, Field(description="Whether spans go to `OTEL_EXPORTER_OTLP_ENDPOINT`; needs the extra `otel`.")
    ] = False
    access_log: Annotated[bool, Field(description="Whether each request is logged.")] = True
    api_keys_file: Annotated[
        Path | None,
        Field(
            description="File with a line `name sha256`, or `name sha256 admin`, for each API key; "
            "`None` for a service without keys."
        ),
    ] = None
    failed_keys_limit: Annotated[
        str,
        Field(description="Requests of an address with a wrong key or none, where there are keys; empty for no limit."),
    ] = "60/minute"
    public_docs: Annotated[
        bool, Field(description="Whether `/docs`, `/redoc` and `/openapi.json` need no key, where there are keys.")
    ] = True
    rate_limit: Annotated[
        str | None,
        Field(
            description="Requests of a key, or without keys of an address (of IPv6 a network of 64 bits), like "
            "`120/minute;5000/day`; `None` for no limit."
        ),
    ] = None
    compute_limit: Annotated[
        str | None,
        Field(
            description="Seconds that requests and jobs of a key, or requests of an address, may compute, like "
            "`600/hour;3600/day`; `None` for no limit."
        ),
    ] = None
    cors_origins: Annotated[
        str, Field(description="Origins of pages that may ask, with commas between them; `*` for all.")
    ] = ""
    allowed_hosts: Annotated[
        str,
        Field(
            description="Names under which the service may be asked, with commas between them; by default any, where "
            "it listens on this machine only those of that."
        ),
    ] = ""
    upload_seconds: Annotated[
        float, Field(gt=0, description="Time in which a request body must arrive, in seconds.")
    ] = 60.0
