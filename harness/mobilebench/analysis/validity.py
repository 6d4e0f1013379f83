"""Whether a device computes what a file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.analysis import units
from mobilebench.quality.parity import Tolerance, asked, channel_differs, differs, tolerance

if TYPE_CHECKING:
    from mobilebench.records.answers import Answers, OutputParity
    from mobilebench.records.key import Key
    from mobilebench.records.precision import Precision
    from mobilebench.records.run import Run


def answers_differ(run: Run, key: Key, answers: Answers | None, least: float | None = None) -> str:
    """Why a variant's numbers on a device belong to no model that anybody has; empty if they do.

    Args:
        run: for what the file's arithmetic and the runtime's accelerator are allowed.
        key: of the variant.
        answers: what the device answered; None: it was not asked.
        least: the parity that is asked for instead (dB).
    """
    if answers is None:
        return ""
    runtime = run.runtime(key.runtime)
    artifact = run.artifacts_of(key.model).get(key.recipe)
    precision = artifact.precision if artifact else None
    accelerator, asked_for = (runtime.accelerator, runtime.precision) if runtime else ("cpu", None)
    return difference(answers, precision, accelerator, asked_for, least)


def difference(
    answers: Answers,
    precision: Precision | None,
    accelerator: str = "cpu",
    asked_for: str | None = None,
    least: float | None = None,
) -> str:
    """Why answers are not those of their file; empty if they are, or that is not known.

    Args:
        answers: what a device answered.
        precision: of the file; None: it is not known.
        accelerator: of the runtime.
        asked_for: what that was asked to compute in.
        least: as of ``answers_differ``.
    """
    arithmetic = precision.arithmetic if precision else None
    allowed = tolerance(arithmetic, accelerator, asked_for)
    if least is not None:
        allowed = asked(least)
    steps = (*(precision.steps if precision else ()), *[0.0] * len(answers.parity))
    pairs = zip(answers.parity, steps, strict=False)
    wrong = [output for output, step in pairs if differs(output, allowed, step=step)]
    if not wrong:
        return ""
    worst = min(wrong, key=lambda output: output.snr_db)
    because = f" where {allowed.reason}" if precision and allowed.reason else ""
    said = f"{_ratio(worst, allowed)}{because}"
    if worst.unequal is None:
        said += (
            f"; its largest error, {units.significant(100 * worst.largest_error)} % of the "
            f"output's spread, is at sample {worst.worst_sample} of {answers.parity_samples}"
        )
    if worst.agreement is not None:
        said += f"; {units.percent(worst.agreement)} of the classes are the same"
    return f"its answers on this device are not its file's: {said}"


def _ratio(worst: OutputParity, allowed: Tolerance) -> str:
    """Which ratio of an output is too low, and what is needed."""
    least = allowed.snr_db if worst.unequal is None else allowed.classes_db
    needed = f"at least {least:g} dB are needed"
    channel = worst.channel
    if channel is None or allowed.is_asked or worst.snr_db < least or not channel_differs(worst):
        return (
            f"output {worst.output!r} has a parity of {units.decibels(worst.snr_db)} with the "
            f"answers of the same file on the host, and {needed}"
        )
    return (
        f"value {channel.channel} of output {worst.output!r} (counted from 0) has a parity of "
        f"{units.decibels(channel.snr_db)} with the answers of the same file on the host, and what "
        f"rounding makes of it is {units.decibels(channel.rounding_db)}"
    )
