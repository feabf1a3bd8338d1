"""A client of the API, for programs: `Client`, and `AsyncClient` with the same methods to be awaited.

Installed, this folder is the package `convlens`. It knows nothing of the service but its answers.
"""

from .answers import Batch, Job, JobList, Links
from .client import AsyncClient, Client
from .retries import ServiceError

__all__ = ["AsyncClient", "Batch", "Client", "Job", "JobList", "Links", "ServiceError"]
