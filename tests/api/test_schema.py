"""The service against its own OpenAPI document: Schemathesis sends what the document allows and what it does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from schemathesis.transport.serialization import serialize_binary

from service.api.keys import digest
from service.main import document
from tests.conftest import Server

KEY = "cl_for_the_tests"
# What a photograph holds, and which parameters a method or a kind of job takes, no schema can say: such requests may be
# refused.
PHOTOGRAPHS = {
    "/saliency",
    "/classify",
    "/activations",
    "/concepts",
    "/conductance",
    "/predict",
    "/tcav",
    "/evaluate",
    "/compare",
    "/visualize",
    "/batches",
    "/batches/{id}/parts/{name}",
    "/session",
    "/v2/models/{name}/infer",
    "/v1/models/{name}:predict",
    "/v1/models/{name}:explain",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("schema")
    (folder / "keys").write_text(f"tests {digest(KEY)} admin\n")
    server = Server(
        "--models-dir",
        str(models_dir),
        "--data-dir",
        str(folder),
        "--no-worker",
        "--api-keys-file",
        str(folder / "keys"),
        "--failed-keys-limit",
        "",  # each request without a key is to be answered with 401
    )
    server.wait_until_ready()
    yield server
    server.stop()


@schemathesis.serializer("application/zip", "application/x-tar", "application/gzip", "application/x-ndjson")
def as_it_is(_: Any, value: Any) -> bytes:
    return serialize_binary(value)


schema = schemathesis.openapi.from_dict(document())


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_the_service_keeps_to_its_document(case: Any, server: Server) -> None:
    allowed = {"positive_data_acceptance"} if case.operation.path in PHOTOGRAPHS else set()
    checks = [check for check in CHECKS.get_all() if check.__name__ not in allowed]
    case.call_and_validate(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, checks=checks, timeout=60)


def test_no_request_has_harmed_the_service(server: Server) -> None:
    assert server.client.get("/healthz").status_code == 200
