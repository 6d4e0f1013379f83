"""One trial: as it is planned, and as it is recorded when it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PlannedTrial:
    """One trial to be run: which variant, where, what is measured, in which block."""

    trial: str
    kind: str
    block: int
    device: str
    model: str
    recipe: str
    runtime: str


#: A trial that the device's state spoilt is repeated twice at most.
ATTEMPTS = 3


@dataclass(frozen=True)
class TrialRecord:
    """One finished attempt at a trial: a line of ``trials.jsonl``.

    ``state`` is ``valid``, ``failed`` (there is no result) or ``invalid`` (the device's state
    spoilt it: repeated, if ``attempt``, from 1, is not the last); the others have ``code`` and
    ``reason``.
    ``metrics`` and ``traces`` are those of :mod:`mobilebench_agent.contract`, as dictionaries.
    ``samples`` counts the timed inferences, which are kept apart.
    ``windows`` and ``power`` are an energy trial's raw readings, as dictionaries likewise.
    ``started`` is the host's UTC time (ISO 8601), ``seconds`` the whole trial's wall time.
    """

    trial: str
    kind: str
    block: int
    device: str
    model: str
    recipe: str
    runtime: str
    artifact: str
    state: str
    started: str
    seconds: float
    code: str = ""
    reason: str = ""
    samples: int = 0
    metrics: tuple[dict[str, Any], ...] = ()
    predictions: tuple[int, ...] = ()
    delegation: dict[str, Any] = field(default_factory=dict)
    windows: tuple[dict[str, Any], ...] = ()
    power: tuple[dict[str, Any], ...] = ()
    conditions: dict[str, Any] = field(default_factory=dict)
    traces: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    attempt: int = 1

    @property
    def is_final(self) -> bool:
        """Whether the trial is finished: it is not repeated after this attempt."""
        return self.state != "invalid" or self.attempt >= ATTEMPTS

    @property
    def attempt_name(self) -> str:
        """What this attempt is called to the device and among the samples."""
        return attempt_name(self.trial, self.attempt)


def attempt_name(trial: str, attempt: int) -> str:
    """A name of each attempt's own: what belongs to one is never taken for another's."""
    return trial if attempt == 1 else f"{trial}~{attempt}"
