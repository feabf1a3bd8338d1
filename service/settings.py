"""Every knob of the service. Each is read from the environment variable CONVLENS_<NAME>; flags of the command line go before."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings with their units and defaults."""

    model_config = SettingsConfigDict(env_prefix="CONVLENS_", extra="forbid", frozen=True)

    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 for any free one.")] = 8000
    models_dir: Annotated[Path, Field(description="Folder of the ONNX files and their manifests.")] = Path("onnx_models")
    default_model: Annotated[str, Field(description="Model of requests that name none.")] = "squeezenet1_1"
    providers: Annotated[str, Field(description="Execution providers in order of preference: `auto`, `cpu`, `cuda` or `cuda,cpu`.")] = (
        "auto"
    )
    threads: Annotated[int, Field(ge=0, description="CPU threads of one run of a network; 0 for one per core.")] = 0
    workers: Annotated[int, Field(ge=1, description="Requests that are worked on at the same time; the others wait.")] = 4
    max_body_bytes: Annotated[int, Field(ge=1024, description="Largest request body, in bytes.")] = 20 * 2**20
    max_pixels: Annotated[int, Field(ge=1, description="Largest image, in pixels.")] = 50_000_000
    max_images: Annotated[int, Field(ge=1, description="Most images in one request.")] = 16
    max_side: Annotated[int, Field(ge=16, description="Longest side of an overlay, in pixels; larger photographs are scaled.")] = 1024
    upload_seconds: Annotated[float, Field(gt=0, description="Time in which a request body must arrive, in seconds.")] = 60.0
