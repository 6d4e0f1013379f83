"""What trials' answers say: scores, how they differ from the baseline's, similarity, parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.models.similarity import compare
from mobilebench.quality import own as own_task
from mobilebench.quality.scoring import change
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import task_named
from mobilebench.records.interface import matched

if TYPE_CHECKING:
    from mobilebench.models.array import Array
    from mobilebench.records.answers import Answers, OutputParity, Score
    from mobilebench.records.interface import Interface
    from mobilebench.records.trial import Trial

_OUTPUT, _REDUCED = "output/", "reduced/"
#: Tasks whose outputs hold a score for each class, be they probabilities or not.
_OF_CLASSES = ("classification", "segmentation")


@dataclass(frozen=True)
class Side:
    """One variant's answers.

    Attributes:
        valid: its valid ``outputs`` trials.
        reason: why there are none.
        load: gives the arrays that an attempt's answers were kept as, by the attempt's name.
        interface: of its file, if that is known.
    """

    valid: Sequence[Trial]
    reason: str
    load: Callable[[str], Mapping[str, Array]]
    interface: Interface | None = None

    @property
    def answers(self) -> Answers | None:
        """Of the first trial that has any: the same file answers alike."""
        found = _answered(self.valid)
        return found.answers if found else None

    @property
    def why_none(self) -> str:
        """Why there are no answers."""
        return self.reason or "its trial kept no answers"

    def arrays(self, prefix: str) -> dict[str, Array]:
        """What was kept of them under a prefix, by the rest of the name."""
        found = _answered(self.valid)
        kept = self.load(found.attempt_name) if found else {}
        return {k.removeprefix(prefix): v for k, v in kept.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Similarity:
    """How alike two variants' answers are: of the output in which they differ most.

    Attributes:
        snr: signal-to-noise ratio about the mean (dB).
        agreement: the share of samples with the same class.
    """

    snr: Estimate
    agreement: Estimate

    @classmethod
    def missing(cls, reason: str) -> Similarity:
        """None, and why."""
        return cls(Estimate.missing(reason), Estimate.missing(reason))


def _answered(trials: Sequence[Trial]) -> Trial | None:
    return next((trial for trial in trials if trial.answers is not None), None)


def score(name: str, trials: Sequence[Trial], reason: str) -> Estimate:
    """A quality metric of the valid ``outputs`` trials; ``reason`` is why there are none."""
    found = _answered(trials)
    if found is None or found.answers is None:
        return Estimate.missing(reason or "its trial kept no answers")
    scored = found.answers.score(name)
    if scored is None:
        return Estimate.missing(_why_not(name, found.answers))
    return _estimate(scored)


def _why_not(name: str, answers: Answers) -> str:
    if not answers.task:
        return answers.reason or "there are no labels"
    return f"{answers.task} is not scored by {name}"


def _estimate(scored: Score) -> Estimate:
    has_interval = scored.low is not None and scored.high is not None
    interval = Interval(scored.low or 0.0, scored.high or 0.0) if has_interval else None
    return Estimate(scored.value, interval, scored.n, "" if interval else "it has no interval")


def score_change(name: str, base: Side, own: Side, seed: int) -> Estimate:
    """A variant's score less its baseline's, on the same samples."""
    scores = []
    for whose, side in (("its own", own), ("the baseline's", base)):
        found = side.answers
        scored = found.score(name) if found else None
        if found is None or scored is None:
            reason = _why_not(name, found) if found else side.why_none
            return Estimate.missing(f"{whose} {name}: {reason}")
        scores.append((found, scored))
    (answers, scored), (base_answers, base_scored) = scores
    if answers.digest != base_answers.digest:
        return Estimate.missing("the baseline answered other samples")
    if answers.task != base_answers.task:
        return Estimate.missing(f"the baseline was scored as {base_answers.task}")
    difference = scored.value - base_scored.value
    task = own_task.own(None, _own_metric(name)) if answers.task == "own" else None
    task = task or task_named(answers.task)
    rows, base_rows = own.arrays(_REDUCED), base.arrays(_REDUCED)
    if task is None or not rows or not base_rows:
        why = "the numbers of each sample were not kept"
        return Estimate(difference, None, min(scored.n, base_scored.n), why)
    try:
        return _estimate(change(task, name, base_rows, rows, seed=seed))
    except QualityError as error:
        return Estimate(difference, None, min(scored.n, base_scored.n), str(error))


def _own_metric(name: str) -> Literal["score", "loss"]:
    return "loss" if name == "loss" else "score"


def parity(trials: Sequence[Trial], reason: str) -> Estimate:
    """The device's answers against the file's reference answers: of the worst output (dB)."""
    found = _answered(trials)
    if found is None or found.answers is None:
        return Estimate.missing(reason or "its trial kept no answers")
    worst = worst_output(found.answers)
    if worst is None:
        return Estimate.missing(found.answers.parity_reason or "there are no reference answers")
    return Estimate(worst.snr_db, n=found.answers.parity_samples)


def worst_output(answers: Answers) -> OutputParity | None:
    """The output in which the device differs most from the reference; None without parity."""
    return min(answers.parity, key=lambda output: output.snr_db, default=None)


def similarity(base: Side, own: Side) -> Similarity:
    """How alike a variant's answers are to its baseline's, to the same samples."""
    for whose, side in (("its own", own), ("the baseline's", base)):
        if side.answers is None:
            return Similarity.missing(f"{whose} answers: {side.why_none}")
    assert own.answers is not None
    assert base.answers is not None
    if own.answers.digest != base.answers.digest:
        return Similarity.missing("the baseline answered other samples")
    outputs, base_outputs = own.arrays(_OUTPUT), base.arrays(_OUTPUT)
    if not outputs or not base_outputs:
        return Similarity.missing("the answers were not kept")
    if outputs.keys() != base_outputs.keys():
        return Similarity.missing("the baseline has other outputs")
    snrs, agreements, n = [], [], 0
    for theirs_at, ours_at in _pairs(base, own, sorted(outputs)):
        theirs, ours = base_outputs[theirs_at], outputs[ours_at]
        n = min(len(ours), len(theirs))
        if ours.shape[1:] != theirs.shape[1:] or not n:
            return Similarity.missing(f"output {ours_at} has another shape than the baseline's")
        is_of_classes = own.answers.task in _OF_CLASSES and theirs.ndim > 1 and theirs.shape[-1] > 1
        alike = compare(theirs[:n], ours[:n], classes=is_of_classes or None)
        snrs.append(alike.snr_db)
        if alike.agreement is not None:
            agreements.append(alike.agreement)
    return Similarity(
        Estimate(min(snrs), n=n),
        Estimate(min(agreements), n=n)
        if agreements
        else Estimate.missing("its outputs are no classes"),
    )


def _pairs(base: Side, own: Side, positions: Sequence[str]) -> list[tuple[str, str]]:
    """The baseline's and the variant's position of each output: converters may shuffle them."""
    if base.interface is None or own.interface is None:
        return [(position, position) for position in positions]
    theirs, ours = base.interface.outputs, own.interface.outputs
    return [
        (str(theirs.index(one)), str(ours.index(other))) for one, other in matched(theirs, ours)
    ]
