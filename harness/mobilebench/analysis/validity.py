"""Whether a device computes what a file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.analysis import units
from mobilebench.quality.parity import differs, tolerance

if TYPE_CHECKING:
    from mobilebench.records.answers import Answers
    from mobilebench.records.key import Key
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
    allowed = tolerance(
        precision.arithmetic if precision else None, runtime.accelerator if runtime else "cpu"
    )
    if least is None:
        steps = (*(precision.steps if precision else ()), *[0.0] * len(answers.parity))
        pairs = zip(answers.parity, steps, strict=False)
        wrong = [output for output, step in pairs if differs(output, allowed, step=step)]
        least, why = allowed.snr_db, f" where {allowed.reason}" if precision else ""
    else:
        wrong = [output for output in answers.parity if output.snr_db < least]
        why = ""
    if not wrong:
        return ""
    worst = min(wrong, key=lambda output: output.snr_db)
    said = (
        f"output {worst.output!r} has a parity of {units.decibels(worst.snr_db)} with the answers "
        f"of the same file on the host, and at least {least:g} dB are needed{why}; its largest "
        f"error, {units.significant(100 * worst.largest_error)} % of the output's spread, is at "
        f"sample {worst.worst_sample} of {answers.parity_samples}"
    )
    if worst.agreement is not None:
        said += f"; {units.percent(worst.agreement)} of the classes are the same"
    return f"its answers on this device are not its file's: {said}"
