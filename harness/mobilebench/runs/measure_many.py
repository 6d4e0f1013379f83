"""Several ready files on one device, in turn: what ``mobilebench.measure`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Artifact
from mobilebench.compress.service import compress_variants
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError
from mobilebench.models.hooks import Hooks, read_hooks
from mobilebench.records.answers import Score
from mobilebench.runs.leases import Leases
from mobilebench.runs.measure_files import FileMeasurer, Pace
from mobilebench.suite.schema import Suite


@dataclass(frozen=True)
class Measured:
    """One file, measured beside others.

    Attributes:
        path: of the file.
        latency_ns: the median inference of each process (nanoseconds), one a round; in a round
            all files ran once, so that ratios within a round can be compared.
        memory_bytes: highest resident set over that of the empty runtime; None: not reported.
        task: by which the answers were scored; empty: they were not, and ``reason`` says why.
        scores: quality on the data, the primary metric first.
        reason: why something is missing.
    """

    path: Path
    latency_ns: tuple[float, ...]
    memory_bytes: float | None
    task: str
    scores: tuple[Score, ...]
    reason: str = ""


def measure_many(
    suite: Suite, files: Sequence[Path], rounds: int, seconds: float
) -> list[Measured]:
    """Measures the variants of a suite of ready files.

    Args:
        suite: one model, whose variants are the files in their order, one device, one runtime.
        files: the same, as they were named.
        rounds: fresh processes for each file.
        seconds: timed in each.

    Raises:
        BadInputError: a file, the data or the device is not there or not valid, or the files have
            different inputs or outputs.
        InvalidRunError: the device is unfit.
    """
    if len(suite.models) > 1:
        raise BadInputError(
            "files with different inputs or outputs cannot be measured beside each other"
        )
    with Leases() as leases:
        measurer = FileMeasurer.on(
            suite.devices[0], suite.runtimes[0], suite.seed, leases, Pace(seconds=seconds)
        )
        return _measure(suite, measurer, files, rounds)


def _measure(
    suite: Suite, measurer: FileMeasurer, files: Sequence[Path], rounds: int
) -> list[Measured]:
    variants, hooks = suite.variants(), read_hooks(suite.models[0].data)
    outcome = compress_variants(
        variants, seed=suite.seed, cache=cache_folder(), on_progress=lambda _: None
    )
    if outcome.failures:
        failure = outcome.failures[0]
        raise BadInputError(f"{failure.recipe}: {failure.reason}")
    made = {artifact.recipe: artifact for artifact in outcome.artifacts}
    artifacts = [made[recipe.name] for _, recipe in variants]
    why_slow = ""
    medians: list[list[float]] = [[] for _ in artifacts]
    try:
        medians = measurer.latency([artifact.path for artifact in artifacts], rounds)
    except TrialError as error:
        why_slow = error.reason
    return [
        _row(measurer, file, artifact, hooks, tuple(found), why_slow)
        for file, artifact, found in zip(files, artifacts, medians, strict=True)
    ]


def _row(
    measurer: FileMeasurer,
    file: Path,
    artifact: Artifact,
    hooks: Hooks,
    medians: tuple[float, ...],
    reason: str,
) -> Measured:
    reasons = [reason] if reason else []
    memory = None
    try:
        memory = measurer.memory(artifact.path)
    except TrialError as error:
        reasons.append(error.reason)
    task, scores = "", tuple[Score, ...]()
    if artifact.evaluation is None or artifact.interface is None:
        reasons.append("there are no evaluation data")
    else:
        try:
            found = measurer.answers(
                artifact.path, artifact.interface, artifact.evaluation, hooks
            ).answers
            task, scores = found.task, found.scores
            reasons += [found.reason] if found.reason else []
        except TrialError as error:
            reasons.append(error.reason)
    return Measured(file, medians, memory, task, scores, "; ".join(reasons))
