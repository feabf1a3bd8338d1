"""A client of the API, for programs: `Client`, and `AsyncClient` with the same methods to be awaited.

Installed, this folder is the package `convlens`. It knows nothing of the service but its answers.
"""

from .answers import Batch, Job, JobList, Links
from .async_client import AsyncClient
from .client import Client
from .explanations import Explanations, Predictions
from .made import Map, Picture
from .retries import ServiceError

__all__ = [
    "AsyncClient",
    "Batch",
    "Client",
    "Explanations",
    "Job",
    "JobList",
    "Links",
    "Map",
    "Picture",
    "Predictions",
    "ServiceError",
]
