"""Networks that are uploaded: tried out in the background, served by all processes, removed; and what is refused."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.keys import digest
from service.errors import ModelError
from service.models.drafting import Choices
from service.models.importing import add
from service.models.uploaded import Record, Uploaded
from service.networks.trials import Limits
from service.networks.uploads import MOST_ARRIVING, Uploads
from service.settings import Settings
from tests.conftest import serving
from tests.models.networks import classifier, write
from tests.waiting import eventually

MOST = 200_000  # bytes of all uploads


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(classifier(size=32), tmp_path_factory.mktemp("file")).read_bytes()


@pytest.fixture(scope="module")
def open_settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a service with a small network, to which others may be added."""
    folder = tmp_path_factory.mktemp("open")
    add(write(classifier(size=32), folder), folder / "models", Choices(name="first"))
    return settings.model_copy(
        update={
            "models_dir": folder / "models",
            "data_dir": folder / "data",
            "default_model": "first",
            "uploaded_models_bytes": MOST,
        }
    )


@pytest.fixture(scope="module")
def uploads(open_settings: Settings) -> Iterator[httpx.Client]:
    with serving(open_settings) as client:
        yield client


def over(client: httpx.Client, name: str) -> Any:
    """What has come of an upload."""
    return eventually(
        lambda: client.get(f"/uploads/{name}").json(), lambda answer: answer["state"] in ("added", "failed")
    )


def test_nobody_may_upload_by_default(client: httpx.Client, file: bytes) -> None:
    refused = client.post("/models", files={"model": file})
    assert refused.status_code == 403
    assert "CONVLENS_UPLOADED_MODELS_BYTES" in refused.json()["detail"]
    assert client.delete("/models/squeezenet1_1").status_code == 403
    told = client.get("/uploads").json()
    assert (told["allowed"], told["data"]) == (False, [])
    assert "CONVLENS_UPLOADED_MODELS_BYTES" in told["reason"]


def test_a_network_with_weights_beside_it_is_served_by_all_processes_and_removed(
    uploads: httpx.Client, open_settings: Settings, tmp_path: Path, cat: bytes
) -> None:
    path = write(classifier(size=32), tmp_path, external=True)
    (weights,) = (one for one in tmp_path.iterdir() if one != path)
    answers: list[httpx.Response] = []

    def upload() -> None:
        files = [("model", ("my net.onnx", path.read_bytes())), ("weights", (weights.name, weights.read_bytes()))]
        data = {"title": "Mine", "labels": "\n".join(f"thing {i}" for i in range(7)), "preprocessing": "unit"}
        answers.append(uploads.post("/models", files=files, data=data))

    with serving(open_settings.model_copy(update={"data_dir": tmp_path / "other"})) as other:
        both = [threading.Thread(target=upload) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sorted(answer.status_code for answer in answers) == [202, 409]
        accepted = next(answer for answer in answers if answer.status_code == 202)
        assert accepted.headers["location"] == "/uploads/my-net"
        done = over(other, "my-net")
        assert done["state"] == "added", done
        assert done["report"]["classes"] == 7
        assert done["report"]["gradient_error"] < 1e-3
        assert "preprocessing" not in done["report"]["guesses"]
        assert "scores" in done["report"]["guesses"]
        for client in (other, uploads):
            assert over(client, "my-net")["state"] == "added"
            answer = client.post("/classify", params={"model": "my-net"}, files={"image": cat}).json()
            assert answer["data"][0]["predictions"][0]["name"].startswith("thing ")
        again = uploads.post("/models", files={"model": path.read_bytes()}, data={"name": "my-net"})
        assert again.status_code == 409
        assert other.delete("/models/my-net").status_code == 204
        for client in (other, uploads):
            eventually(lambda: client.get("/models/my-net").status_code, lambda status: status == 404)  # noqa: B023
    kept = {one.name for one in open_settings.models_dir.iterdir() if not one.name.startswith(".")}
    assert kept == {"first.onnx", "first.toml"}
    assert uploads.get("/uploads").json()["used_bytes"] == 0


def test_what_is_no_network_is_refused_with_the_reason(uploads: httpx.Client) -> None:
    assert uploads.post("/models", files={"model": b"no network"}, data={"name": "none"}).status_code == 202
    done = over(uploads, "none")
    assert done["state"] == "failed"
    assert "no valid ONNX file" in done["problem"]
    assert [model["name"] for model in uploads.get("/models").json()] == ["first"]
    assert uploads.get("/uploads").json()["used_bytes"] == 0
    assert uploads.delete("/models/none").status_code == 204
    assert uploads.get("/uploads/none").status_code == 404


@pytest.mark.parametrize(
    ("data", "weights", "status", "words"),
    [
        ({"name": "../first"}, [], 422, "a name has letters"),
        ({"name": ".hidden"}, [], 422, "a name has letters"),
        ({"name": "x" * 65}, [], 422, "a name has letters"),
        ({"name": "first"}, [], 409, "there is a model 'first' already"),
        ({}, ["../weights"], 422, "without folders"),
        ({}, ["..\\weights"], 422, "without folders"),
        ({}, ["other.toml"], 422, "neither .onnx nor .toml"),
        ({}, ["first.onnx"], 422, "neither .onnx nor .toml"),
        ({}, [".tried"], 422, "without folders"),
        ({}, ["w", "w"], 422, "the same name"),
        ({"task": "guessing"}, [], 422, "task"),
        ({"file": "first.onnx"}, [], 422, "file"),
        ({"mean": "a,b"}, [], 422, "mean"),
        ({"size": "1"}, [], 422, "size"),
        ({"fixed": "{"}, [], 422, "fixed"),
    ],
)
def test_what_is_wrong_is_told(
    uploads: httpx.Client, file: bytes, data: dict[str, str], weights: list[str], status: int, words: str
) -> None:
    files = [("model", ("net.onnx", file)), *(("weights", (name, b"0")) for name in weights)]
    refused = uploads.post("/models", files=files, data=data)
    assert refused.status_code == status, refused.text
    assert words in refused.json()["detail"]
    assert uploads.get("/uploads").json()["data"] == []


def test_few_are_uploaded_at_the_same_time(uploads: httpx.Client, file: bytes) -> None:
    arrived, go = threading.Semaphore(0), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"--end\r\n"
        arrived.release()
        go.wait(60)

    def upload() -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=end"}
        uploads.post("/models", content=slowly(), headers=headers)

    threads = [threading.Thread(target=upload) for _ in range(MOST_ARRIVING)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert arrived.acquire(timeout=60)
    refused = eventually(
        lambda: uploads.post("/models", files={"model": file}, data={"name": "first"}),
        lambda answer: answer.status_code == 503,
    )
    go.set()
    for thread in threads:
        thread.join()
    assert refused.headers["retry-after"] == "60"
    assert uploads.post("/models", files={"model": file}, data={"name": "first"}).status_code == 409


def test_other_wrong_forms(uploads: httpx.Client, file: bytes) -> None:
    for sent, status, words in (
        ({"content": file, "headers": {"Content-Type": "application/octet-stream"}}, 415, "multipart/form-data"),
        ({"files": {"image": file}}, 422, "files belong in 'model'"),
        ({"files": {"weights": file}}, 422, "send one ONNX file"),
        ({"files": [("model", file), ("model", file)]}, 422, "send one ONNX file"),
        ({"files": {"model": b"0" * (MOST + 1)}}, 413, "more than 200,000 bytes; send less"),
        ({"files": [("model", file), *(("weights", (f"w{i}", b"")) for i in range(17))]}, 400, "Too many files"),
    ):
        refused = uploads.post("/models", **sent)  # type: ignore[arg-type]
        assert refused.status_code == status, refused.text
        assert words in refused.json()["detail"]


def test_models_of_the_operator_stay(uploads: httpx.Client, open_settings: Settings, file: bytes) -> None:
    assert uploads.delete("/models/first").status_code == 409  # the default one
    (open_settings.models_dir / "by_hand.onnx").write_bytes(file)
    try:
        assert uploads.delete("/models/by_hand").status_code == 404
        assert uploads.post("/models", files={"model": file}, data={"name": "by_hand"}).status_code == 409
    finally:
        (open_settings.models_dir / "by_hand.onnx").unlink()


def test_only_keys_with_the_role_may_upload(open_settings: Settings, tmp_path: Path, file: bytes) -> None:
    (tmp_path / "keys").write_text(f"ann {digest('cl_ann')} admin\nbob {digest('cl_bob')}\n")
    update = {"api_keys_file": tmp_path / "keys", "data_dir": tmp_path / "data"}
    with serving(open_settings.model_copy(update=update)) as client:
        bob, ann = ({"Authorization": f"Bearer cl_{name}"} for name in ("bob", "ann"))
        assert client.get("/uploads", headers=ann).json()["allowed"]
        assert "role 'admin'" in client.get("/uploads", headers=bob).json()["reason"]
        assert client.post("/models", files={"model": file}, headers=bob).status_code == 403
        assert client.delete("/models/first", headers=bob).status_code == 403
        assert client.get("/uploads/first", headers=bob).status_code == 403
        assert client.get("/uploads").status_code == 401


def test_the_room_is_bounded_and_what_was_interrupted_gives_it_back(tmp_path: Path) -> None:
    models = tmp_path / "models"
    add(write(classifier(size=32), tmp_path), models, Choices(name="first"))
    records = Uploaded(models, 1000)
    (tmp_path / "file").write_bytes(b"0" * 600)
    with (tmp_path / "file").open("rb") as file:
        with records.reserved("one", {"one.onnx": file}) as record:
            assert (records.used_bytes, records["one"].state) == (600, "waiting")
            with pytest.raises(Exception, match="being tried out"), records.reserved("one", {"one.onnx": file}):
                pass
            with pytest.raises(Exception, match="Remove one"), records.reserved("two", {"two.onnx": file}):
                pass
        assert records["one"].problem == "it was interrupted; upload it again"  # nobody has written what came of it
        with records.reserved("one", {"one.onnx": file}):
            records.write(Record(name="one", bytes=0, begun=0, state="failed"))
        with records.reserved("two", {"two.onnx": file}):
            assert records.files_of("two").joinpath("two.onnx").stat().st_size == 600
    assert not records.files_of("two").exists()
    assert record.bytes == 600


def test_a_trial_has_bounds(tmp_path: Path, file: bytes) -> None:
    models = tmp_path / "models"
    add(write(classifier(size=32), tmp_path), models, Choices(name="first"))
    taken: list[bool] = []
    own = Uploads(Uploaded(models, MOST), Limits(0.001, 2**33), lambda: taken.append(True))
    (tmp_path / "file").write_bytes(file)
    with (tmp_path / "file").open("rb") as opened:
        own.take("slow", {"slow.onnx": opened}, {})
    done = eventually(lambda: own.records["slow"], lambda record: record.is_over)
    own.close()
    assert "takes longer than" in (done.problem or "")
    assert sorted(one.name for one in models.iterdir() if one.name[0] != ".") == ["first.onnx", "first.toml"]
    assert [one.name for one in (models / ".uploads" / "slow").iterdir()] == ["record.json"]
    assert not taken


def test_weights_do_not_pass_for_a_manifest(tmp_path: Path) -> None:
    path = write(classifier(size=32), tmp_path, external=True)
    (weights,) = (one for one in tmp_path.iterdir() if one != path)
    evil = "e" * (len(weights.name) - 5) + ".toml"
    path.write_bytes(path.read_bytes().replace(weights.name.encode(), evil.encode()))
    weights.rename(tmp_path / evil)
    with pytest.raises(ModelError, match="that of a manifest"):
        add(path, tmp_path / "models", Choices(name="net"))
    assert not list((tmp_path / "models").glob("*"))
