"""Compression as the rest of the host sees it: variants in, artifacts and failures out.

The work is done in a child process (:mod:`mobilebench.compress.pipeline.worker`); this side
never imports TensorFlow.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from mobilebench import processes
from mobilebench.compress.artifact import Artifact, EvaluationSet, Failure, Outcome, Progress
from mobilebench.compress.pipeline.cache import MAKING, prepare
from mobilebench.compress.pipeline.latency import LatencyProbe, NotMeasuredError
from mobilebench.compress.pipeline.pack import USUAL
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.step import MOST_COMPARISONS
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.models.spec import ModelSpec
from mobilebench.records.interface import Interface

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

OnProgress = Callable[[Progress], None]


def compress_variants(
    variants: Sequence[tuple[ModelSpec, Recipe]],
    *,
    seed: int,
    cache: Path,
    on_progress: OnProgress,
    latency_probe: LatencyProbe | None = None,
    packings: Collection[str] = USUAL,
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

    Raises:
        BadInputError: the seed is none.
    """

    def __init__(
        self,
        *,
        seed: int,
        cache: Path,
        on_progress: OnProgress,
        latency_probe: LatencyProbe | None = None,
        packings: Collection[str] = USUAL,
    ) -> None:
        if not 0 <= seed < 2**32:
            raise BadInputError(f"seed must be between 0 and {2**32 - 1}, not {seed}")
        self._seed = seed
        self._cache = cache
        self._on_progress = on_progress
        self._latency_probe = latency_probe
        self._packings = packings
        self._child: _Child | None = None

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
            child.end()
            if not keep_log:
                child.log.unlink(missing_ok=True)

    def make(self, variants: Sequence[tuple[ModelSpec, Recipe]]) -> Outcome:
        """Makes every variant, or says why not; see ``compress_variants``.

        Raises:
            BadInputError: a model, data or recipe that is wrong in itself, or a package is missing.
            InvalidRunError: the cache cannot be written, or the child process does not start.
        """
        jobs = _jobs(variants)
        prepare(self._cache)
        while pending := [job for job in jobs if not job.settled]:
            under_way = self._serve(jobs, pending)
            if under_way is not None:  # the child died on it: go on with the others in a new one
                _notify(jobs, under_way, self._on_progress, "failed")
        return Outcome(
            artifacts=tuple(job.artifact for job in jobs if job.artifact is not None),
            failures=tuple(job.failure for job in jobs if job.failure is not None),
        )

    def _serve(self, jobs: list[_Job], pending: list[_Job]) -> _Job | None:
        """Has the child settle the pending jobs.

        Returns:
            the job that it died on, now failed, or None if it came to its end.
        """
        if self._child is not None and self._child.process.poll() is not None:
            self.close()  # it died idle, of want of memory perhaps: nothing of ours is lost
        child = self._child = self._child or _begin(self._cache)
        probe = self._latency_probe
        request = {
            "variants": [
                {
                    "number": job.number,
                    "model": job.spec.model_dump(mode="json"),
                    "recipe": _table(job.recipe),
                }
                for job in pending
            ],
            "seed": self._seed,
            "packings": list(self._packings),
            "cache": str(self._cache.resolve()),
            "scratch": str(Path(child.scratch.name).resolve()),
            "device": None if probe is None else probe.device,
        }
        try:
            child.say(request)
            end = _listen(child, jobs, self._on_progress, probe)
        except BaseException as error:  # it is in the middle of something
            self.close(keep_log=not _is_reported(error))
            raise
        if end is not None:
            if end.error is not None:
                raise end.error
            return None
        code = child.process.wait()
        under_way, log = child.under_way, child.log
        self.close(keep_log=True)
        reason = f"the compression process died ({_death(code)}); see {log}"
        if under_way is None:
            raise InvalidRunError(reason)
        job = jobs[under_way]
        job.failure = Failure(job.spec.name, job.recipe.name, job.step, reason)
        return job


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


@dataclass(frozen=True)
class _End:
    """The end of a request; with an error, it was refused as a whole."""

    error: BadInputError | InvalidRunError | None


@dataclass
class _Child:
    """The process, the log of its output, and its folder for files in the making."""

    process: subprocess.Popen[str]
    log: Path
    scratch: tempfile.TemporaryDirectory[str]
    under_way: int | None = field(default=None)

    def say(self, message: dict[str, Any]) -> None:
        """Sends one line; of its death is heard on its stdout."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """Kills it with all that it started: TensorFlow's own shutdown takes a second."""
        if self.process.poll() is None:
            processes.kill_tree(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process.wait()
        self.scratch.cleanup()


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


def _begin(cache: Path) -> _Child:
    """A child that waits for requests."""
    log = cache / "logs" / f"compress-{time.time_ns()}-{os.getpid()}.log"
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "PYTHONUTF8": "1",
    }
    scratch = tempfile.TemporaryDirectory(prefix=MAKING, dir=cache)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mobilebench.compress.pipeline.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment,
            text=True,
            encoding="utf-8",
            **processes.apart(),  # Ctrl-C is ours to handle
        )
    return _Child(process, log, scratch)


def _listen(
    child: _Child, jobs: list[_Job], on_progress: OnProgress, latency_probe: LatencyProbe | None
) -> _End | None:
    """Takes the child's messages until it said ``end``; None if it died."""
    assert child.process.stdout is not None
    child.under_way = None
    error: BadInputError | InvalidRunError | None = None
    for line in child.process.stdout:
        if not line.endswith("\n"):
            return None  # it died in the middle of a line
        message = json.loads(line)
        kind = message["type"]
        if kind == "end":
            return _End(error)
        if kind in ("bad_input", "invalid"):
            known = BadInputError if kind == "bad_input" else InvalidRunError
            error = known(message["message"])
            continue
        job = jobs[message["variant"]]
        if kind == "measure":
            assert latency_probe is not None
            files = [Path(file) for file in message["files"]]
            _answer(child, latency_probe, files, _report_search(jobs, job, on_progress))
            continue
        if kind == "progress":
            child.under_way = job.number
            if message["step"] != job.step:
                job.step, job.compared = message["step"], None
            done, of = message["done"], message["of"]
            if job.compared is not None:
                of = MOST_COMPARISONS
            passes = f" {int(done)}/{of}" if of else ""
            fraction = min(done / of, 1.0) if of else None
            _notify(jobs, job, on_progress, job.step + passes, fraction=fraction)
            continue
        child.under_way = None
        if kind == "artifact":
            job.artifact = _artifact(message["artifact"])
            _notify(jobs, job, on_progress, "done", cached=message["cached"])
        else:
            job.failure = Failure(
                job.spec.name, job.recipe.name, message["step"], message["reason"]
            )
            job.refused = message.get("refused", "")
            _notify(jobs, job, on_progress, "failed")
    return None


def _report_search(jobs: list[_Job], job: _Job, on_progress: OnProgress) -> Report:
    """A callback for each process of a comparison: reports how far the search for a latency is.

    The share is of the longest search: it may end sooner, never later.
    """
    before = job.compared or 0
    job.compared = before + 1

    def report(done: int, total: int) -> None:
        fraction = (before + done / total) / MOST_COMPARISONS
        step = f"{job.step} {before}/{MOST_COMPARISONS}"
        _notify(jobs, job, on_progress, step, fraction=fraction)

    return report


def _answer(
    child: _Child, latency_probe: LatencyProbe, files: Sequence[Path], report: Report
) -> None:
    answer: dict[str, Any]
    try:
        answer = {"seconds": list(latency_probe.measure(files, report))}
    except NotMeasuredError as error:
        answer = {"reason": str(error)}
    child.say(answer)


def _notify(
    jobs: list[_Job],
    job: _Job,
    on_progress: OnProgress,
    step: str,
    *,
    cached: bool = False,
    fraction: float | None = None,
) -> None:
    done = sum(j.settled for j in jobs)
    on_progress(Progress(done, len(jobs), job.spec.name, job.recipe.name, step, cached, fraction))


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


def _death(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
