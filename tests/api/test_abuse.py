"""One client cannot take the service away from the others."""

import io
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from anyio import create_task_group, to_thread
from PIL import Image

from service.api import connections, streams
from service.errors import Abandoned, NotAnImage
from service.networks.network import Network
from service.runtime.demand import Demand, working_for
from service.saliency.intake import Intake, read_and_fit
from service.settings import Settings
from service.telemetry import metrics
from service.telemetry.timing import Stopwatch
from tests.conftest import serving
from tests.waiting import eventually

RISE = {"method": "rise", "masks": 360, "resize": "native"}


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as client:
        yield client


@pytest.fixture(scope="module")
def wide() -> bytes:
    """A picture whose runs take long."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((1200, 224)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def decoded() -> float:
    """How many photographs have been decoded."""
    (stages,) = metrics.STAGE_SECONDS.collect()
    return sum(s.value for s in stages.samples if s.name.endswith("_count") and s.labels["stage"] == "decode")


def runs() -> float:
    return sum(metrics.RUNS.labels(kind)._value.get() for kind in ("interactive", "background"))


def test_work_ends_when_its_client_has_gone(api: httpx.Client, wide: bytes, cat: bytes) -> None:
    before = runs()
    with pytest.raises(httpx.ReadTimeout):
        api.post("/saliency", params=RISE, files={"image": wide}, timeout=1)

    def steady() -> bool:
        then = runs()
        time.sleep(0.5)
        return runs() == then

    eventually(steady, bool)
    assert runs() - before < 200  # of 361
    assert api.post("/saliency", files={"image": cat}).status_code == 200


@pytest.mark.anyio
async def test_others_are_answered_while_one_computes(fresh: Settings, wide: bytes, cat: bytes) -> None:
    """Dear requests leave places for others, even for those of the same address, and each waits for one run at most."""
    answered = []

    with serving(fresh.model_copy(update={"workers": 2})) as api:
        eventually(lambda: api.get("/readyz").status_code, lambda status: status == 200)
        before = runs()

        def others() -> list[int]:
            eventually(lambda: runs() > before + 4)
            return [api.post("/saliency", files={"image": cat}).status_code for _ in range(3)]

        async with httpx.AsyncClient(base_url=api.base_url, timeout=120) as client, create_task_group() as group:

            async def dear() -> None:
                answered.append(await client.post("/saliency", params=RISE, files={"image": wide}))

            for _ in range(6):
                group.start_soon(dear)
            assert await to_thread.run_sync(others) == [200] * 3
            assert not answered
            group.cancel_scope.cancel()  # their connections end, and with them their work


def test_the_budget_of_a_request_counts_pixels(api: httpx.Client, wide: bytes) -> None:
    runs_needed = round(1201 * 1200 / 224)
    for method, masks in (("/saliency", 1200), ("/evaluate", 1000)):
        refused = api.post(method, params=RISE | {"masks": masks}, files={"image": wide})
        assert refused.status_code == 422
        assert "a request may take 2000" in refused.json()["detail"]
        assert (f"as long as {runs_needed} runs" in refused.json()["detail"]) == (method == "/saliency")
    assert api.post("/saliency", params={"resize": "native"}, files={"image": wide}).status_code == 200


def test_work_has_a_deadline_and_says_what_to_do(fresh: Settings, wide: bytes) -> None:
    with serving(fresh.model_copy(update={"request_seconds": 0.5})) as api:
        refused = api.post("/saliency", params=RISE, files={"image": wide})
    assert refused.status_code == 503
    assert "longer than 0.5 seconds; send it with mode=job" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0


def test_waiting_for_a_worker_is_bounded(fresh: Settings, wide: bytes, cat: bytes) -> None:
    limits = {"workers": 1, "worker_seconds": 0.3, "request_seconds": 5.0}
    with serving(fresh.model_copy(update=limits)) as api, ThreadPoolExecutor(1) as pool:
        eventually(lambda: api.get("/readyz").status_code, lambda status: status == 200)
        before = runs()
        slow = pool.submit(lambda: api.post("/saliency", params=RISE, files={"image": wide}))
        eventually(lambda: runs() > before + 2)  # it has the worker
        refused = api.post("/classify", files={"image": cat})
        assert refused.status_code == 503
        assert "all workers are busy" in refused.json()["detail"]
        assert slow.result().status_code == 503
        assert api.post("/classify", files={"image": cat}).status_code == 200


def test_who_leaves_while_waiting_for_a_worker_costs_nothing(fresh: Settings, wide: bytes, cat: bytes) -> None:
    with serving(fresh.model_copy(update={"workers": 1})) as api, ThreadPoolExecutor(1) as pool:
        eventually(lambda: api.get("/readyz").status_code, lambda status: status == 200)
        before = runs()
        slow = pool.submit(api.post, "/saliency", params=RISE | {"masks": 100}, files={"image": wide})
        eventually(lambda: runs() > before + 2)  # it has the worker
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                api.post("/saliency", files={"image": cat}, timeout=0.1)
        assert not slow.done()
        before = decoded()
        assert api.post("/saliency", files={"image": cat}).status_code == 200
        assert slow.result().status_code == 200
        assert decoded() == before + 1  # only the one that stayed


def test_pictures_of_who_has_left_are_not_decoded(network: Network, cat: bytes) -> None:
    broken = cat[: len(cat) // 2]  # which decoding it would find out
    gone, intake = Demand(), Intake("squash", "exact", 10**7, 1024)
    with working_for(gone), pytest.raises(NotAnImage):
        read_and_fit(network, [broken], intake, Stopwatch())
    gone.unattended.set()
    with working_for(gone), pytest.raises(Abandoned):
        read_and_fit(network, [broken], intake, Stopwatch())


def test_what_is_refused_for_now_is_no_error_in_the_log(
    fresh: Settings, cat: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(fresh.model_copy(update={"run_seconds": 1e-9})) as api:
        assert api.post("/saliency", files={"image": cat}).status_code == 503
    assert not [
        record for record in caplog.records if "/saliency" in record.getMessage() and record.levelname == "ERROR"
    ]


def raw(api: httpx.Client, sent: bytes, patience: float = 30) -> bytes:
    """What the server answers to bytes on a socket, up to the end of the connection."""
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=patience) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            while chunk := connection.recv(65536):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def test_heads_are_bounded_in_size(api: httpx.Client) -> None:
    start = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    assert b" 200 " in raw(api, start + b"X: " + b"a" * 30_000 + b"\r\n\r\n")[:20]
    for head in (start + b"X: " + b"a" * 2**20, start + b"X: a\r\n" * 20_000, b"GET /" + b"a" * 2**20):
        assert raw(api, head)[:20] in (b"HTTP/1.1 431 Request", b"")  # nothing where the rest came too fast
    assert api.get("/healthz").status_code == 200


def test_heads_are_bounded_in_time(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with serving(fresh) as api:
        for half in (b"", b"GET /healthz HTTP/1.1\r\nHost:"):
            assert raw(api, half).startswith(b"HTTP/1.1 408 ")
        again = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert raw(api, again + b"GET /hea").count(b"HTTP/1.1 ") == 2  # 200, then 408


def test_bodies_without_pictures_are_small(api: httpx.Client) -> None:
    many = json.dumps({f"unknown{i}": i for i in range(100_000)})
    kind = {"Content-Type": "application/json"}
    assert api.post("/visualize", content=many, headers=kind).status_code == 413
    for deep in ("[" * 60_000, '{"class_id": ' + "[" * 60_000):
        assert api.post("/visualize", content=deep, headers=kind).status_code == 422
    some = api.post("/visualize", json={f"unknown{i}": i for i in range(1000)})
    assert len(some.json()["errors"]) == 10
    assert "more" in some.json()["detail"]
    assert len(some.content) < 10_000


def test_only_what_says_that_it_is_json_is_taken_for_json(api: httpx.Client) -> None:
    refused = api.post("/visualize", content=b'{"class_id": 1}', headers={"Content-Type": "text/plain"})
    assert refused.status_code == 415
    assert "application/json" in refused.json()["detail"]


def test_queries_have_a_bounded_number_of_parameters(api: httpx.Client, cat: bytes) -> None:
    query = "&".join(f"a{i}=1" for i in range(5000))
    for refused in (api.post(f"/saliency?{query}", files={"image": cat}), api.get(f"/visualize?{query}")):
        assert refused.status_code == 422
        assert "more than 100 parameters" in refused.json()["detail"]


def test_progressive_jpegs_have_a_bounded_number_of_scans(api: httpx.Client, cat: bytes) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(cat)).convert("RGB").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    assert api.post("/classify", files={"image": data}).status_code == 200
    last = data[data.rindex(b"\xff\xda") : -2]
    refused = api.post("/classify", files={"image": data[:-2] + last * 240 + data[-2:]})
    assert refused.status_code == 400
    assert "more than 100 scans" in refused.json()["detail"]


def test_event_streams_of_a_caller_are_bounded_and_take_nothing_from_others(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_PER_CALLER", 3)
    with serving(fresh) as api, ExitStack() as open_streams:
        job = api.post("/visualize", json={"class_id": 1, "size": 64}).json()["links"]
        kept: list[Iterator[bytes]] = []

        def listen() -> httpx.Response:
            response = open_streams.enter_context(api.stream("GET", job["events"]))
            if response.status_code == 200:
                kept.append(response.iter_bytes())  # one that is dropped closes the stream
                next(kept[-1])  # it has begun
            return response

        assert [listen().status_code for _ in range(5)] == [200, 200, 200, 503, 503]
        assert api.get("/visualize").status_code == 200
        open_streams.close()
        eventually(lambda: listen().status_code, lambda status: status == 200)
        assert api.post(job["cancel"]).status_code == 200


def test_a_rate_limit_counts_jobs(fresh: Settings) -> None:
    with serving(fresh.model_copy(update={"rate_limit": "10/minute"})) as api:
        assert api.post("/visualize", json={"class_id": list(range(8)), "size": 64}).status_code == 202
        assert api.post("/visualize", json={"class_id": list(range(8)), "size": 64}).status_code == 429
        assert len(api.get("/visualize").json().get("data", range(8))) == 8
