"""A chunk of a batch, as a worker runs it: several pictures at a time, each with a result or an error.

Whatever happens to a picture is its own affair. When workers die at a chunk, the next one takes its pictures one by one
and saves what it has after each: the one at which they go on dying is given up, and the others have their results.
"""

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from pydantic import JsonValue

from service.batches.entries import Entry, bytes_of
from service.batches.explaining import Explainer, Problem, ProblemOf, failed
from service.batches.listing import read_items
from service.batches.names import files_name, lines_name
from service.batches.parameters import BatchParameters
from service.batches.results import Line, Results
from service.batches.sources import Sources
from service.errors import Abandoned, ConvlensError, EngineError, InvalidParameter, QueueError, TryLater
from service.jobs.chunks import NO_RESULTS, attempt_name
from service.jobs.record import Chunk, Job
from service.jobs.run import Advance, Conclusion, Run
from service.jobs.store import ArtifactStore, artifact_name
from service.networks.catalog import Networks
from service.runtime.demand import current, working_for
from service.saliency.intake import Intake
from service.settings import Settings

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2  # between two looks at what is done
PAUSE_SECONDS = 1.0  # before a picture is tried again that could not be run or read just now
READS = 3  # tries to read a picture
LEAST_DEATHS = 2  # of workers at a picture before it is given up: at the first one others were being done too
SHARE = 0.9  # of the time of a job, after which a chunk is concluded

Made = tuple[list[Line], dict[str, bytes]]


@dataclass(frozen=True)
class ChunkRunner:
    """Runs chunks. sources: where pictures may be beside the store. problem_of: what an index tells of an error."""

    networks: Networks
    store: ArtifactStore
    sources: Sources
    settings: Settings
    problem_of: ProblemOf

    def __call__(self, job: Job, checkpoint: bytes | None, _: Mapping[str, bytes]) -> Run:
        """The chunk as steps, one for each picture."""
        assert isinstance(job, Chunk)
        entries = {job.first + i: one for i, one in enumerate(read_items(self.store, job.batch_id, job.number))}
        running = _Running(self, job, entries, self._before(job, checkpoint))
        return Run(running.steps(), [], running.conclude, running.demand.unattended.set)

    def _before(self, job: Chunk, checkpoint: bytes | None) -> Results:
        """What is done already: by an attempt that was cut off, or before what had failed was to be done again."""
        if checkpoint:
            try:
                return Results.restore(checkpoint)
            except Exception:
                logger.exception("the checkpoint of a chunk cannot be read; it begins anew")
        if job.before in (None, NO_RESULTS):
            return Results()
        index, files = (
            self.store.read(artifact_name(job.id, name)) for name in (lines_name(job.before), files_name(job.before))
        )
        return Results.load(index, files).without_errors()

    def explainer(self, parameters: BatchParameters) -> Explainer:
        """What explains pictures. Raises for a model that is gone, or no longer has what is asked for."""
        network = self.networks[parameters.model].in_background()
        intake = Intake(parameters.resize, parameters.decode, self.settings.max_pixels, self.settings.max_side)
        return Explainer(network, parameters, parameters.questions(network), intake, self.problem_of)

    def bytes_of(self, entry: Entry) -> bytes:
        """The bytes of a picture. Raises for one that is not there, or that is damaged or too large."""
        if entry.error is not None:
            raise Unlisted(entry.error)
        store = self.store if entry.source is None else self.sources.open(entry.source)
        for _ in range(READS - 1):
            with suppress(QueueError):
                return bytes_of(entry, store.read, self.settings.max_body_bytes)
            time.sleep(PAUSE_SECONDS)
        return bytes_of(entry, store.read, self.settings.max_body_bytes)


class Unlisted(Exception):
    """An item that could not be read when the batch was closed. problem: why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class _Running:
    """One chunk under way."""

    def __init__(self, runner: ChunkRunner, job: Chunk, entries: Mapping[int, Entry], results: Results) -> None:
        self.demand = current()
        self._runner = runner
        self._job = job
        self._entries = entries
        self._results = results
        self._parameters = BatchParameters.model_validate(job.parameters)
        self._deaths = job.vain - 1  # of workers in a row, since a picture was done
        results.is_careful |= self._deaths > 0

    def steps(self) -> Iterator[Advance]:
        """Explain what is left, and yield after each picture, and now and then while none is done."""
        left = [number for number in self._entries if number not in self._results.lines]
        end = time.monotonic() + SHARE * self._runner.settings.job_seconds
        if left and self._deaths >= max(self._runner.settings.max_attempts, LEAST_DEATHS):
            reason = f"workers died {self._deaths} times in a row at this picture; it is not tried again"
            self._take(left[0], self._failed(left.pop(0), EngineError(reason)))
            yield self._advance()
        try:
            explainer = yield from self._ready(end)
        except ConvlensError as error:
            for number in left:
                self._take(number, self._failed(number, error))
            return
        threads = 1 if self._results.is_careful else explainer.network.lanes + 1
        with ThreadPoolExecutor(threads, "chunk") as pool:
            try:
                yield from self._explain(explainer, pool, threads, left, end)
            finally:
                self.demand.unattended.set()  # the threads end with their next run

    def _ready(self, end: float) -> Generator[Advance, None, Explainer]:
        """What explains pictures, once the model has been tried out."""
        while True:
            try:
                return self._runner.explainer(self._parameters)
            except TryLater:
                if time.monotonic() > end:
                    raise
            yield self._advance(precious=False)
            time.sleep(LOOK_SECONDS)

    def _explain(
        self, explainer: Explainer, pool: ThreadPoolExecutor, threads: int, left: list[int], end: float
    ) -> Iterator[Advance]:
        coming, waiting = iter(left), dict[Future[Made | None], int]()
        while True:
            for number in islice(coming, threads - len(waiting)):
                waiting[pool.submit(self._one, explainer, number)] = number
            if not waiting:
                return
            done, _ = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
            is_overdue = time.monotonic() > end
            if is_overdue:
                self.demand.unattended.set()
            for future in done:
                number, made = waiting.pop(future), future.result()
                if made is not None:
                    self._take(number, made)
                elif is_overdue:
                    self._take(number, self._failed(number, self._overdue()))
                else:  # nobody wants the rest from this worker
                    return
            yield self._advance(precious=bool(done) and self._results.is_careful)

    def _one(self, explainer: Explainer, number: int) -> Made | None:
        """What comes of a picture, None if it was abandoned; it is tried again while there are too many runs."""
        entry = self._entries[number]
        while True:
            try:
                with working_for(self.demand):
                    return explainer.explain(number, entry.item, self._runner.bytes_of(entry))
            except TryLater:
                if self.demand.unattended.wait(PAUSE_SECONDS):
                    return None
            except Abandoned:
                return None
            except Exception as error:  # noqa: BLE001 - the others go on, and the problem tells
                return self._failed(number, error)

    def _overdue(self) -> ConvlensError:
        seconds = self._runner.settings.job_seconds
        return InvalidParameter(f"{len(self._entries)} pictures were not done within {seconds:g} seconds; ask for less")

    def _failed(self, number: int, error: Exception) -> Made:
        problem = error.problem if isinstance(error, Unlisted) else self._runner.problem_of(error)
        return failed(number, self._entries[number].item, list(self._parameters.methods), problem), {}

    def _take(self, number: int, made: Made) -> None:
        self._results.add(number, *made)

    def _advance(self, precious: bool = True) -> Advance:
        done = len(self._results.lines)
        return Advance(done, {"step": done}, False, lambda: b"", self._results.checkpoint, precious)

    def conclude(self) -> Conclusion:
        """The index and the files, under the number of this attempt."""
        if len(self._results.lines) < len(self._entries):
            raise Abandoned("the chunk was left before its end")
        index, files = self._results.index(), self._results.archive()
        attempt = attempt_name(self._job.handed)
        result: dict[str, JsonValue] = {"errors": self._results.errors, "bytes": len(index) + len(files)}
        return Conclusion(b"", result, {files_name(attempt): files, lines_name(attempt): index})
