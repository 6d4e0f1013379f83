"""Compression as the rest of the host sees it: variants in, artifacts and failures out.

The work is done in a child process (:mod:`mobilebench.compress.pipeline.worker`); this side
never imports TensorFlow.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from mobilebench.compress.artifact import Artifact, EvaluationSet, Failure, Outcome, Progress
from mobilebench.compress.child import Child, begin
from mobilebench.compress.pace import Pace
from mobilebench.compress.pipeline.cache import prepare
from mobilebench.compress.pipeline.latency import LatencyProbe, NotMeasuredError
from mobilebench.compress.pipeline.pack import USUAL
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.stages import stages_of
from mobilebench.compress.step import MOST_COMPARISONS
from mobilebench.compress.turns import Turns
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.models.spec import ModelSpec
from mobilebench.records.interface import Interface

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

OnProgress = Callable[[Progress], None]

#: How many variants may be made side by side.
MOST_AT_ONCE = 64

#: The messages that a request cannot be served at all.
_REFUSALS: dict[str, type[BadInputError | InvalidRunError]] = {
    "bad_input": BadInputError,
    "invalid": InvalidRunError,
}


def compress_variants(
    variants: Sequence[tuple[ModelSpec, Recipe]],
    *,
    seed: int,
    cache: Path,
    on_progress: OnProgress,
    latency_probe: LatencyProbe | None = None,
    packings: Collection[str] = USUAL,
    at_once: int = 1,
) -> Outcome:
    """Makes every variant, or says why not.

    A variant that fails, or a recipe that does not suit the model or its data, does not stop the
    others. What was made from the same model, data,
    steps, seed and package versions before comes from the cache.

    Args:
        variants: models with the recipes to apply to each; names tell them apart.
        seed: of everything random, 0 to 2³² − 1.
        cache: a folder that may be shared and deleted at any time.
        on_progress: called for each change, in order.
        latency_probe: measures latency for recipes that aim at one; others need none.
        packings: whose sizes are measured, see :mod:`mobilebench.compress.pipeline.pack`.
        at_once: how many variants are made side by side, each in a process of its own; the files
            are the same, and what recipes begin with alike is made once.

    Raises:
        BadInputError: a model or data that are wrong in themselves, or no recipe can be applied.
        InvalidRunError: the cache cannot be written, or the child process does not start.
    """
    with Compressor(
        seed=seed,
        cache=cache,
        on_progress=on_progress,
        latency_probe=latency_probe,
        packings=packings,
        at_once=at_once,
    ) as compressor:
        return compressor.make(variants)


class Compressor:
    """Takes variants to make, again and again, in a child process that stays alive.

    So TensorFlow is started once, and what was loaded or trained for one recipe is there for the
    next. The process begins with the first variants, and a context ends it.

    Args:
        seed: of everything random, 0 to 2³² − 1.
        cache: a folder that may be shared and deleted at any time.
        on_progress: called for each change, in order.
        latency_probe: measures latency for recipes that aim at one; others need none.
        packings: as of ``compress_variants``.
        at_once: as of ``compress_variants``.

    Raises:
        BadInputError: the seed is none, or ``at_once`` is out of range.
    """

    def __init__(
        self,
        *,
        seed: int,
        cache: Path,
        on_progress: OnProgress,
        latency_probe: LatencyProbe | None = None,
        packings: Collection[str] = USUAL,
        at_once: int = 1,
    ) -> None:
        if not 0 <= seed < 2**32:
            raise BadInputError(f"seed must be between 0 and {2**32 - 1}, not {seed}")
        if not 1 <= at_once <= MOST_AT_ONCE:
            raise BadInputError(f"jobs must be between 1 and {MOST_AT_ONCE}, not {at_once}")
        self._seed = seed
        self._at_once = at_once
        self._cache = cache
        self._on_progress = on_progress
        self._latency_probe = latency_probe
        self._packings = packings
        self._child: Child | None = None

    def __enter__(self) -> Compressor:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.close(keep_log=isinstance(error, Exception) and not _is_reported(error))

    def close(self, *, keep_log: bool = False) -> None:
        """Ends the process; the next variants begin another.

        Args:
            keep_log: whether what libraries printed is kept in the cache's folder ``logs``.
        """
        child, self._child = self._child, None
        if child is not None:
            child.end(keep_log=keep_log)

    def make(self, variants: Sequence[tuple[ModelSpec, Recipe]]) -> Outcome:
        """Makes every variant, or says why not; see ``compress_variants``.

        Raises:
            BadInputError: a model, data or recipe that is wrong in itself, or a package is missing.
            InvalidRunError: the cache cannot be written, or the child process does not start.
        """
        jobs = _jobs(variants)
        named = [(job.spec.model_dump_json(), job.recipe) for job in jobs]
        work = _Work(jobs, self._on_progress, Pace(named, self._at_once))
        prepare(self._cache)
        if self._at_once > 1:
            self._make_side_by_side(work)
        # One after the other; what measures latency has the machine for itself. Where a child dies
        # on a variant, the others go on in a new one.
        while work.pending:
            self._serve(work)
        return Outcome(
            artifacts=tuple(job.artifact for job in jobs if job.artifact is not None),
            failures=tuple(job.failure for job in jobs if job.failure is not None),
        )

    def _make_side_by_side(self, work: _Work) -> None:
        """Makes what needs no measurement, in several children.

        The first one says what is in the cache, and what cannot be had.
        """
        self._serve(work, only_look=True)
        chosen = [job for job in work.pending if not job.recipe.needs_device]
        turns = Turns(
            stages_of([(job.spec.model_dump_json(), job.recipe) for job in chosen]),
            lambda position: chosen[position].settled,
        )
        first, self._child = self._child, None
        children: dict[int, Child] = {} if first is None else {0: first}
        under_way: dict[int, int] = {}  # the stage by the process's number
        heard: queue.SimpleQueue[tuple[int, dict[str, Any] | None]] = queue.SimpleQueue()
        try:
            while True:
                for process in range(self._at_once):
                    if process in under_way or (number := turns.next(process)) is None:
                        continue
                    under_way[process] = number
                    if process not in children:
                        children[process] = begin(self._cache)
                    child = children[process]
                    child.under_way = None
                    child.say(self._request(child, _entries(turns, number, chosen)))
                    threading.Thread(
                        target=_hear, args=(process, child, heard.put), daemon=True
                    ).start()
                if not under_way:
                    break
                process, message = _next(heard)
                if message is not None and message["type"] in _REFUSALS:
                    raise _REFUSALS[message["type"]](message["message"])
                if message is not None and message["type"] != "end":
                    work.take(children[process], message)
                    continue
                number = under_way.pop(process)
                if message is None:
                    child = children.pop(process)
                    died_on = [] if child.under_way is None else [work.jobs[child.under_way]]
                    for job in (died_on or [chosen[v] for v in turns.left_of(number)])[:1]:
                        work.fail(job, job.step, child.death())
                    child.end(keep_log=True)
                failed = any(job.failure for job in (chosen[v] for v in turns.passing(number)))
                turns.ended(number, process, failed=failed)
        except BaseException as error:
            for child in children.values():
                child.end(keep_log=not _is_reported(error))
            raise
        self._child = children.pop(0, None)
        for child in children.values():
            child.end()

    def _serve(self, work: _Work, *, only_look: bool = False) -> None:
        """Has the child settle what is pending, until all is or it dies on a variant, which fails.

        With ``only_look``, only what is in the cache or cannot be had.
        """
        if self._child is not None and self._child.process.poll() is not None:
            self.close()  # it died idle, of want of memory perhaps: nothing of ours is lost
        child = self._child = self._child or begin(self._cache)
        entries = [job.entry() for job in work.pending]
        try:
            child.say(self._request(child, entries, only_look=only_look))
            end = _listen(child, work, self._latency_probe)
        except BaseException as error:  # it is in the middle of something
            self.close(keep_log=not _is_reported(error))
            raise
        if end is not None:
            if end.error is not None:
                raise end.error
            return
        under_way, reason = child.under_way, child.death()
        self.close(keep_log=True)
        if under_way is None:
            raise InvalidRunError(reason)
        job = work.jobs[under_way]
        work.fail(job, job.step, reason)

    def _request(
        self, child: Child, entries: list[dict[str, Any]], *, only_look: bool = False
    ) -> dict[str, Any]:
        probe = self._latency_probe
        return {
            "variants": entries,
            "seed": self._seed,
            "packings": list(self._packings),
            "cache": str(self._cache.resolve()),
            "scratch": str(Path(child.scratch.name).resolve()),
            "device": None if probe is None else probe.device,
            "only_look": only_look,
        }


def _entries(turns: Turns, number: int, chosen: Sequence[_Job]) -> list[dict[str, Any]]:
    """What a child is asked for, that it makes a stage."""
    stage = turns.stages[number]
    ending = [chosen[v] for v in stage.variants if not chosen[v].settled]
    if ending:
        return [job.entry() for job in ending]
    return [chosen[turns.left_of(number)[0]].entry() | {"steps": len(stage.steps)}]


def _hear(
    process: int, child: Child, put: Callable[[tuple[int, dict[str, Any] | None]], None]
) -> None:
    """Hands on what a child says until it is done, or has died."""
    message: dict[str, Any] | None = {"type": ""}
    while message is not None and message["type"] != "end":
        try:
            message = child.hear()
        except (OSError, ValueError):  # its pipe was closed: nobody listens any more
            return
        put((process, message))


def _next(
    heard: queue.SimpleQueue[tuple[int, dict[str, Any] | None]],
) -> tuple[int, dict[str, Any] | None]:
    """The next message; Windows lets nobody interrupt a wait that has no end."""
    while True:
        with contextlib.suppress(queue.Empty):
            return heard.get(timeout=1.0)


def _is_reported(error: BaseException) -> bool:
    """Whether an error is reported already, or wanted: nobody needs a log."""
    return isinstance(error, BadInputError | InvalidRunError | KeyboardInterrupt)


@dataclass
class _Job:
    """One variant on its way."""

    number: int
    spec: ModelSpec
    recipe: Recipe
    step: str = ""
    #: How many networks were measured in this step, where it looks for one of a latency.
    compared: int | None = None
    artifact: Artifact | None = None
    failure: Failure | None = None
    #: Why what the user gave does not allow it, in a sentence of its own; empty if it may.
    refused: str = ""

    @property
    def settled(self) -> bool:
        return self.artifact is not None or self.failure is not None

    def entry(self) -> dict[str, Any]:
        """What the child is given of it."""
        return {
            "number": self.number,
            "model": self.spec.model_dump(mode="json"),
            "recipe": _table(self.recipe),
        }


@dataclass(frozen=True)
class _End:
    """The end of a request; with an error, it was refused as a whole."""

    error: BadInputError | InvalidRunError | None


def _jobs(variants: Sequence[tuple[ModelSpec, Recipe]]) -> list[_Job]:
    seen: set[tuple[str, str]] = set()
    for spec, recipe in variants:
        if (spec.name, recipe.name) in seen:
            raise BadInputError(
                f"model {spec.name!r} has recipe {recipe.name!r} twice; leave one out"
            )
        seen.add((spec.name, recipe.name))
    return [_Job(number, spec, recipe) for number, (spec, recipe) in enumerate(variants)]


def _table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as the child reads it; as a table, since its text may be longer than one may."""
    steps = [{"step": step.name, **step.model_dump()} for step in recipe.steps]
    return {"steps": steps} | ({} if recipe.name == recipe.text else {"name": recipe.name})


@dataclass
class _Work:
    """All variants of a call, and who is given the progress."""

    jobs: list[_Job]
    on_progress: OnProgress
    pace: Pace

    @property
    def pending(self) -> list[_Job]:
        """What is neither made nor failed."""
        return [job for job in self.jobs if not job.settled]

    def take(self, child: Child, message: dict[str, Any]) -> None:
        """What a child's message says of a variant."""
        job, kind = self.jobs[message["variant"]], message["type"]
        if kind == "progress":
            child.under_way = job.number
            if message["step"] != job.step:
                job.step, job.compared = message["step"], None
            done, of = message["done"], message["of"]
            if job.compared is not None:
                of = MOST_COMPARISONS
            passes = f" {int(done)}/{of}" if of else ""
            fraction = min(done / of, 1.0) if of else None
            self.pace.at(job.number, job.step, fraction)
            self.notify(job, job.step + passes, fraction=fraction)
            return
        child.under_way = None
        if kind == "artifact":
            job.artifact = _artifact(message["artifact"])
            self.pace.end(job.number, made=True)
            self.notify(job, "done", cached=message["cached"])
        elif kind == "failure":
            self.fail(job, message["step"], message["reason"])
        else:  # what others share with it is made
            self.pace.pause(job.number)
            self.notify(job, "waiting")

    def fail(self, job: _Job, step: str, reason: str) -> None:
        """There will be no file of a variant."""
        job.failure = Failure(job.spec.name, job.recipe.name, step, reason)
        self.pace.end(job.number, made=False)
        self.notify(job, "failed")

    def search_of(self, job: _Job) -> Report:
        """A callback for each process of a comparison: reports how far the search for a latency is.

        The share is of the longest search: it may end sooner, never later.
        """
        before = job.compared or 0
        job.compared = before + 1

        def report(done: int, total: int) -> None:
            fraction = (before + done / total) / MOST_COMPARISONS
            self.notify(job, f"{job.step} {before}/{MOST_COMPARISONS}", fraction=fraction)

        return report

    def notify(
        self, job: _Job, step: str, *, cached: bool = False, fraction: float | None = None
    ) -> None:
        """Reports where compression is."""
        done, names = sum(j.settled for j in self.jobs), (job.spec.name, job.recipe.name)
        left = self.pace.left()
        self.on_progress(Progress(done, len(self.jobs), *names, step, cached, fraction, left))


def _listen(child: Child, work: _Work, latency_probe: LatencyProbe | None) -> _End | None:
    """Takes the child's messages until it said ``end``; None if it died."""
    child.under_way = None
    error: BadInputError | InvalidRunError | None = None
    while (message := child.hear()) is not None:
        kind = message["type"]
        if kind == "end":
            return _End(error)
        if kind in _REFUSALS:
            error = _REFUSALS[kind](message["message"])
        elif kind == "measure":
            assert latency_probe is not None
            files = [Path(file) for file in message["files"]]
            report = work.search_of(work.jobs[message["variant"]])
            _answer(child, latency_probe, files, report)
        else:
            work.take(child, message)
    return None


def _answer(
    child: Child, latency_probe: LatencyProbe, files: Sequence[Path], report: Report
) -> None:
    answer: dict[str, Any]
    try:
        answer = {"seconds": list(latency_probe.measure(files, report))}
    except NotMeasuredError as error:
        answer = {"reason": str(error)}
    child.say(answer)


def _artifact(document: dict[str, Any]) -> Artifact:
    evaluation = document["evaluation"]
    if evaluation is not None:
        evaluation = EvaluationSet(**{**evaluation, "path": Path(evaluation["path"])})
    return Artifact(
        **{
            **document,
            "path": Path(document["path"]),
            "interface": TypeAdapter(Interface).validate_python(document["interface"]),
            "evaluation": evaluation,
            # Each step of a chain may say the same.
            "warnings": tuple(dict.fromkeys(document["warnings"])),
        }
    )
