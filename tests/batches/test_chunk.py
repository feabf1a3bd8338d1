"""A chunk of a batch as a worker runs it: each picture has its result or its error, whatever the others do."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.api.problems import brief
from service.batches.chunk import ChunkRunner
from service.batches.entries import Entry
from service.batches.listing import write_items, write_list
from service.batches.names import part_name
from service.batches.parameters import BatchParameters
from service.batches.results import Results
from service.batches.sources import Sources
from service.errors import Abandoned, NotFound, Unready
from service.jobs.record import Chunk, State
from service.jobs.run import Advance, Conclusion, Run
from service.jobs.store import ArtifactStore, artifact_name
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import encode_png
from service.runtime.demand import Demand, working_for
from service.saliency.explain import explain, question_of
from service.saliency.intake import fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

PARAMETERS = BatchParameters(
    model="squeezenet1_1",
    methods={"gradient": {}},
    class_id=None,
    other_class_id=None,
    target=None,
    resize="squash",
    decode="exact",
    dtype="float32",
    style=None,
    metrics=(),
)


class Bench:
    """A batch of pictures in a store of its own, of which chunks are run."""

    def __init__(self, network: Network, folder: Path, pictures: dict[str, bytes]) -> None:
        self.store = ArtifactStore.open(None, folder)
        found = []
        for i, (name, data) in enumerate(pictures.items()):
            self.store.put_now(part_name("b", f"{i}"), data)
            found.append((name, Entry(item=name, object=part_name("b", f"{i}"), size=len(data))))
        write_list(self.store, "b", "list", found, 1000, brief)
        self.items = write_items(self.store, "b", ["list"], 10, brief)
        self._runner = ChunkRunner({"squeezenet1_1": network}, self.store, Sources(""), Settings(), brief)  # type: ignore[arg-type]

    def chunk(self, checkpoint: bytes | None = None, parameters: BatchParameters = PARAMETERS, **more: Any) -> Run:
        record: dict[str, Any] = {"vain": 1, "handed": 1, "size": 10, "steps": self.items, **more}
        job = Chunk(
            id="b/0",
            seq=1,
            kind="chunk",
            parameters=parameters.model_dump(mode="json"),
            state=State.RUNNING,
            times={},
            **record,
        )
        with working_for(Demand()):
            return self._runner(job, checkpoint, {})

    def keep(self, made: Conclusion) -> None:
        for name, data in made.artifacts.items():
            self.store.put_now(artifact_name("b/0", name), data)


def concluded(run: Run) -> list[Advance]:
    return list(run.steps)


def lines_of(made: Conclusion) -> list[dict[str, Any]]:
    index = next(data for name, data in made.artifacts.items() if name.endswith(".jsonl"))
    return [json.loads(line) for line in index.splitlines()]


def files_of(made: Conclusion) -> dict[str, bytes]:
    archive = next(data for name, data in made.artifacts.items() if name.endswith(".zip"))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def small(cat: bytes) -> bytes:
    return encode_png(decode(cat, 10**7).pixels[::4, ::4])


@pytest.fixture
def bench(network: Network, tmp_path: Path, cat: bytes, coffee: bytes, small: bytes) -> Bench:
    return Bench(network, tmp_path, {"cat.png": cat, "a/text.txt": b"text", "coffee.png": coffee, "small.png": small})


def test_results_are_those_of_the_engine(bench: Bench, network: Network, coffee: bytes) -> None:
    style = {"output": "overlay", "colormap": "inferno", "opacity": 0.9, "smoothing": 0, "max_side": 64}
    methods: dict[str, Any] = {"gradient": {}, "grad_cam": {"layer": "fire8"}}
    asked = PARAMETERS.model_copy(update={"methods": methods, "metrics": ("sparseness",)})
    asked = BatchParameters.model_validate({**asked.model_dump(), "style": style})
    run = bench.chunk(parameters=asked)
    assert concluded(run)[-1].index == 4
    made = run.conclude()
    lines, files = lines_of(made), files_of(made)
    assert [(line["number"], line["item"], line["method"]) for line in lines] == [
        (i, item, method)
        for i, item in enumerate(["cat.png", "a/text.txt", "coffee.png", "small.png"])
        for method in methods
    ]
    assert [line["error"]["status"] for line in lines[2:4]] == [400, 400]
    assert made.result["errors"] == 1
    photograph = decode(coffee, 10**7)
    question = question_of(network, "grad_cam", {"layer": "fire8"}, None, None)
    one = explain(network, photograph, fit(network, photograph, "squash"), question, Stopwatch())
    line = lines[5]
    np.testing.assert_array_equal(np.load(io.BytesIO(files[line["map"]])), one.saliency)
    assert files[line["overlay"]].startswith(b"\x89PNG")
    assert (line["class_id"], line["class_name"], line["target"]) == (967, "espresso", None)
    assert line["score"] == pytest.approx(one.score)
    assert 0 < line["metrics"]["sparseness"] < 1
    assert len(files) == 2 * 2 * 3


def test_maps_are_as_small_as_is_asked_for(bench: Bench) -> None:
    run = bench.chunk(parameters=PARAMETERS.model_copy(update={"dtype": "float16", "target": "probability:285"}))
    concluded(run)
    made = run.conclude()
    assert np.load(io.BytesIO(files_of(made)["maps/gradient/cat.png.npy"])).dtype == np.float16
    line = lines_of(made)[0]
    assert (line["target"], line["class_id"], line["probability"]) == ("probability:285", None, None)


def test_a_chunk_goes_on_after_a_death_and_ends_in_the_same(bench: Bench) -> None:
    whole = bench.chunk()
    concluded(whole)
    dying = bench.chunk(vain=2)
    advance = next(step for step in dying.steps if step.precious)
    checkpoint = advance.checkpoint()
    dying.abandon()
    resumed = bench.chunk(checkpoint, vain=1)
    steps = concluded(resumed)
    assert [step.index for step in steps if step.precious] == [2, 3, 4]  # one by one from now on, and each is saved
    assert files_of(resumed.conclude()) == files_of(whole.conclude())
    times = ({**line, "seconds": 0} for line in lines_of(resumed.conclude()))
    assert list(times) == [{**line, "seconds": 0} for line in lines_of(whole.conclude())]


def test_a_picture_at_which_workers_die_is_given_up(bench: Bench) -> None:
    dying = bench.chunk(vain=2)
    checkpoint = next(step for step in dying.steps if step.precious).checkpoint()
    run = bench.chunk(checkpoint, vain=1 + Settings().max_attempts)
    concluded(run)
    errors = [(line["item"], line["error"]) for line in lines_of(run.conclude()) if "error" in line]
    assert [item for item, _ in errors] == ["a/text.txt"]
    assert errors[0][1]["status"] == 500
    assert "workers died 3 times in a row at this picture" in errors[0][1]["detail"]


def test_a_garbled_checkpoint_costs_time_only(bench: Bench) -> None:
    run = bench.chunk(b"garbled")
    assert concluded(run)[-1].index == 4


def test_what_has_failed_is_tried_again_and_the_rest_is_kept(bench: Bench, cat: bytes) -> None:
    first = bench.chunk()
    concluded(first)
    bench.keep(first.conclude())
    bench.store.put_now(part_name("b", "1"), cat[:4])  # what was stored is damaged otherwise by now
    again = bench.chunk(handed=2, before="000001")
    assert [step.index for step in again.steps if step.index] == [4]
    before, after = lines_of(first.conclude()), lines_of(again.conclude())
    assert [line for line in after if "error" not in line] == [line for line in before if "error" not in line]
    assert set(again.conclude().artifacts) == {"000002.jsonl", "000002.zip"}


def test_pictures_that_take_too_long_are_told_so(bench: Bench) -> None:
    slow = PARAMETERS.model_copy(update={"methods": {"rise": {"masks": 8000}}})
    bench._runner = replace(bench._runner, settings=Settings(job_seconds=0.1))
    run = bench.chunk(parameters=slow)
    assert concluded(run)[-1].index == 4
    details = [line["error"]["detail"] for line in lines_of(run.conclude())]
    assert [detail for detail in details if "were not done within 0.1 seconds" in detail]
    assert len(details) == 4


def test_a_worker_that_stops_concludes_nothing(bench: Bench) -> None:
    """What it has abandoned is no error of the pictures."""
    run = bench.chunk(parameters=PARAMETERS.model_copy(update={"methods": {"rise": {"masks": 4000}}}))
    next(iter(run.steps))
    run.abandon()
    last = [step.checkpoint() for step in run.steps][-1:]
    with pytest.raises(Abandoned):
        run.conclude()
    assert all("error" not in line for data in last for lines in Results.restore(data).lines.values() for line in lines)


def test_a_model_that_is_being_tried_out_is_waited_for(bench: Bench) -> None:
    class Trying(dict[str, Network]):
        looks = 0

        def __getitem__(self, name: str) -> Network:
            self.looks += 1
            if self.looks < 3:
                raise Unready("it is being tried out", retry_after=1)
            return networks[name]

    networks = bench._runner.networks
    bench._runner = replace(bench._runner, networks=Trying())  # type: ignore[arg-type]
    run = bench.chunk()
    concluded(run)
    assert run.conclude().result["errors"] == 1


def test_a_model_that_is_gone_is_an_error_of_each_picture(bench: Bench) -> None:
    class Gone(dict[str, Network]):
        def __missing__(self, name: str) -> Network:
            raise NotFound(f"there is no model {name!r}")

    bench._runner = replace(bench._runner, networks=Gone())  # type: ignore[arg-type]
    run = bench.chunk()
    assert concluded(run) == []
    assert {line["error"]["status"] for line in lines_of(run.conclude())} == {404}


def test_only_listed_sources_are_read(tmp_path: Path, bench: Bench, cat: bytes) -> None:
    for folder in ("pictures", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cat.png").write_bytes(cat)
    (tmp_path / "pictures" / "empty.png").touch()
    listed, other = (f"file://{tmp_path / folder}" for folder in ("pictures", "other"))
    found = [
        ("cat.png", Entry(item="cat.png", object="cat.png", source=listed)),
        ("other", Entry(item="other", object="cat.png", source=other)),
        ("empty.png", Entry(item="empty.png", object="empty.png", source=listed)),
        ("metadata", Entry(item="metadata", object="latest", source="http://169.254.169.254")),
    ]
    write_list(bench.store, "b", "list", found, 1000, brief)
    write_items(bench.store, "b", ["list"], 10, brief)
    bench._runner = replace(bench._runner, sources=Sources(listed))
    run = bench.chunk()
    concluded(run)
    statuses = [line.get("error", {}).get("status") for line in lines_of(run.conclude())]
    assert statuses == [None, 422, 400, 422]
