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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from mobilebench.compress.artifact import Artifact, EvaluationSet, Failure, Outcome, Progress
from mobilebench.compress.pipeline.cache import MAKING, prepare
from mobilebench.compress.pipeline.latency import LatencyProbe, NotMeasuredError
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

    Raises:
        BadInputError: a model or data that are wrong in themselves, or no recipe can be applied.
        InvalidRunError: the cache cannot be written, or the child process does not start.
    """
    if not 0 <= seed < 2**32:
        raise BadInputError(f"seed must be between 0 and {2**32 - 1}, not {seed}")
    jobs = _jobs(variants)
    prepare(cache)
    while pending := [job for job in jobs if not job.settled]:
        under_way = _run_child(jobs, pending, seed, cache, on_progress, latency_probe)
        if under_way is not None:  # the child died on it: go on with the others in a new one
            _notify(jobs, under_way, on_progress, "failed")
    if jobs and all(job.refused for job in jobs):
        raise BadInputError(jobs[0].refused)
    return Outcome(
        artifacts=tuple(job.artifact for job in jobs if job.artifact is not None),
        failures=tuple(job.failure for job in jobs if job.failure is not None),
    )


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


@dataclass
class _Child:
    """The process, and the log of its output."""

    process: subprocess.Popen[str]
    log: Path
    under_way: int | None = field(default=None)


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


def _run_child(
    jobs: list[_Job],
    pending: list[_Job],
    seed: int,
    cache: Path,
    on_progress: OnProgress,
    latency_probe: LatencyProbe | None,
) -> _Job | None:
    """Runs one child until it has settled the pending jobs, or died.

    Returns:
        the job that it died on, now failed, or None if it came to its end.
    """
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=cache) as scratch:
        request = {
            "variants": [
                {
                    "number": job.number,
                    "model": job.spec.model_dump(mode="json"),
                    "recipe": _table(job.recipe),
                }
                for job in pending
            ],
            "seed": seed,
            "cache": str(cache.resolve()),
            "scratch": str(Path(scratch).resolve()),
            "device": None if latency_probe is None else latency_probe.device,
        }
        with _child(request, cache) as child:
            ended = _listen(child, jobs, on_progress, latency_probe)
            code = child.process.wait() if not ended else 0
        if ended:
            child.log.unlink(missing_ok=True)
            return None
    reason = f"the compression process died ({_death(code)}); see {child.log}"
    if child.under_way is None:
        raise InvalidRunError(reason)
    job = jobs[child.under_way]
    job.failure = Failure(job.spec.name, job.recipe.name, job.step, reason)
    return job


@contextlib.contextmanager
def _child(request: dict[str, Any], cache: Path) -> Iterator[_Child]:
    """A child at work; killed with all it started when the context ends early."""
    log = cache / "logs" / f"compress-{time.time_ns()}-{os.getpid()}.log"
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "PYTHONUTF8": "1",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mobilebench.compress.pipeline.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is ours to handle
        )
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its death is seen on its stdout
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        yield _Child(process, log)
    except (BadInputError, InvalidRunError, KeyboardInterrupt):  # reported already, or wanted
        log.unlink(missing_ok=True)
        raise
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        process.wait()


def _listen(
    child: _Child, jobs: list[_Job], on_progress: OnProgress, latency_probe: LatencyProbe | None
) -> bool:
    """Takes the child's messages; True if it said ``end``."""
    assert child.process.stdout is not None
    for line in child.process.stdout:
        if not line.endswith("\n"):
            return False  # it died in the middle of a line
        message = json.loads(line)
        kind = message["type"]
        if kind == "end":
            return True
        if kind == "bad_input":
            raise BadInputError(message["message"])
        if kind == "invalid":
            raise InvalidRunError(message["message"])
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
    return False


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
    assert child.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # its death is seen on its stdout
        child.process.stdin.write(json.dumps(answer) + "\n")
        child.process.stdin.flush()


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
