"""One trial: as it is planned, and as it is recorded when it has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from mobilebench_agent.contract import KINDS, Metric, PowerSeries, Trace, Window
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from mobilebench.explain import explain_document
from mobilebench.records import reported
from mobilebench.records.answers import Answers

#: What older runs have in place of ``outputs``: it is read, and no longer run.
OLDER_KIND = "accuracy"

#: What a trial measures. ``warmup`` is a latency trial that shows how many warm-up runs a gate's
#: trials of the model need.
TRIAL_KINDS = (*KINDS, "warmup", OLDER_KIND)


def _known(kind: str) -> str:
    if kind not in TRIAL_KINDS:
        raise ValueError(f"should be one of {', '.join(TRIAL_KINDS)}")
    return kind


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[^\x00-\x1f/\\:*?\"<>|]{1,200}", name) or name.startswith("."):
        raise ValueError("should be a name that a file can have")
    return name


Kind = Annotated[str, AfterValidator(_known)]
#: Its raw times are kept in a file of that name while the run is under way.
TrialName = Annotated[str, AfterValidator(_file_name)]


@dataclass(frozen=True)
class PlannedTrial:
    """One trial to be run: which variant, where, what is measured, in which block."""

    trial: TrialName
    kind: Kind
    block: Annotated[int, Field(ge=0)]
    device: str
    model: str
    recipe: str
    runtime: str


#: A trial that the device's state disturbed is repeated twice at most.
ATTEMPTS = 3

#: The code of a trial whose line in ``trials.jsonl`` cannot be read.
DAMAGED = "damaged_record"


@dataclass(frozen=True)
class Delegation:
    """Which nodes a delegate took: of ``nodes`` so many, in ``partitions``.

    ``left`` counts the operators that stayed with the built-in kernels, by name.
    """

    nodes: Annotated[int, Field(ge=1)]
    delegated: Annotated[int, Field(ge=0)] = 0
    partitions: Annotated[int, Field(ge=0)] = 0
    left: dict[str, Annotated[int, Field(ge=0)]] = field(default_factory=dict)

    @classmethod
    def reported(cls, document: Mapping[str, Any]) -> Delegation | None:
        """What an agent reported; None where it is nothing.

        Raises:
            ValueError: it is of another form; the message says what is wrong.
        """
        try:
            return _DELEGATION.validate_python(document) if document.get("nodes") else None
        except ValidationError as error:
            raise ValueError(explain_document(error, BaseModel)) from error


@dataclass(frozen=True)
class TrialConditions:
    """What held during a trial and is no number.

    ``cpus``: where the process could run; empty: not reported. ``governors``: of the CPU clusters,
    by their first CPU.
    """

    cpus: tuple[int, ...] = ()
    governors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def reported(cls, document: Mapping[str, Any]) -> TrialConditions:
        """What an agent reported of it, as far as it is of the known form."""
        cpus, governors = document.get("cpus"), document.get("governors")
        return cls(
            tuple(c for c in cpus if isinstance(c, int)) if isinstance(cpus, list | tuple) else (),
            {str(k): str(v) for k, v in governors.items()} if isinstance(governors, dict) else {},
        )


@dataclass(frozen=True)
class Trial:
    """One finished attempt at a trial: a line of ``trials.jsonl``.

    ``state`` is ``valid``, ``failed`` (there is no result) or ``invalid`` (the device's state
    disturbed it: repeated, if ``attempt``, from 1, is not the last); the others have ``code`` and
    ``reason``.
    ``samples`` counts the timed inferences, which are kept apart.
    ``answers`` is what came of an ``outputs`` trial; its arrays are kept apart. ``predictions`` are
    the classes that an older run's ``accuracy`` trial chose, one a sample.
    ``windows`` and ``power`` are an energy trial's raw readings, ``traces`` a sustained one's.
    ``started`` is the host's UTC time (ISO 8601), ``seconds`` the whole trial's wall time.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    trial: TrialName
    kind: Kind
    block: Annotated[int, Field(ge=0)]
    device: str
    model: str
    recipe: str
    runtime: str
    artifact: str
    state: Literal["valid", "failed", "invalid"]
    started: str
    seconds: Annotated[float, Field(ge=0)]
    code: str = ""
    reason: str = ""
    samples: Annotated[int, Field(ge=0)] = 0
    metrics: tuple[Metric, ...] = ()
    predictions: tuple[int, ...] = ()
    # Format 1 wrote an empty table where nothing was reported.
    delegation: Annotated[Delegation | None, BeforeValidator(lambda d: d or None)] = None
    windows: tuple[Window, ...] = ()
    power: tuple[PowerSeries, ...] = ()
    conditions: TrialConditions = TrialConditions()
    traces: tuple[Trace, ...] = ()
    warnings: tuple[str, ...] = ()
    attempt: Annotated[int, Field(ge=1)] = 1
    answers: Answers | None = None

    @property
    def is_final(self) -> bool:
        """Whether the trial is finished: it is not repeated after this attempt."""
        return self.state != "invalid" or self.attempt >= ATTEMPTS

    @property
    def attempt_name(self) -> str:
        """What this attempt is called to the device and among the samples."""
        return attempt_name(self.trial, self.attempt)

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, if the trial reported one."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def attempt_name(trial: str, attempt: int) -> str:
    """A name of each attempt's own: what belongs to one is never taken for another's."""
    return trial if attempt == 1 else f"{trial}~{attempt}"


_TRIAL = TypeAdapter(Trial)
_PLANNED = TypeAdapter(PlannedTrial)
_DELEGATION = TypeAdapter(Delegation)


def read_trial(document: Any) -> Trial:
    """The trial that a line holds.

    Where a part of it has another type, but not what it is a trial of, it is that trial's failure.

    Raises:
        ValueError: it is no trial; the message names the key.
    """
    try:
        trial = _TRIAL.validate_python(document)
        wrong = reported.fault(trial.metrics)
        if not wrong:
            return trial
        why = f"metrics: {wrong}"
        planned = _PLANNED.validate_python(document)
    except ValidationError as error:
        why = explain_document(error, BaseModel).removesuffix(".")
        try:
            planned = _PLANNED.validate_python(document)
        except ValidationError:
            raise ValueError(why) from error
    attempt = document.get("attempt")
    return Trial(
        **vars(planned),
        artifact="",
        state="failed",
        started="",
        seconds=0.0,
        code=DAMAGED,
        reason=f"its line in trials.jsonl is damaged: {why}",
        attempt=attempt if type(attempt) is int and attempt > 0 else 1,
    )
