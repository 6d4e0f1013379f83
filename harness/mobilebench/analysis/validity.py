"""Whether a device computes what a file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.analysis import units
from mobilebench.analysis.answers import worst_output

if TYPE_CHECKING:
    from mobilebench.records.answers import Answers
    from mobilebench.records.key import Key
    from mobilebench.records.run import Run


#: What the arithmetic of a right device costs, with room (dB), by the accelerator.
_LEAST_DB = {"cpu": 20.0}
_LEAST_OTHER_DB = 15.0


def answers_differ(run: Run, key: Key, answers: Answers | None, least: float | None = None) -> str:
    """Why a variant's numbers on a device belong to no model that anybody has; empty if they do.

    Args:
        run: for what the file's arithmetic and the runtime's accelerator are allowed.
        key: of the variant.
        answers: what the device answered; None: it was not asked.
        least: the parity that is asked for instead (dB).
    """
    worst = worst_output(answers) if answers else None
    if answers is None or worst is None:
        return ""
    runtime = run.runtime(key.runtime)
    if least is None:
        least = _LEAST_DB.get(runtime.accelerator if runtime else "", _LEAST_OTHER_DB)
    if worst.snr_db >= least:
        return ""
    said = (
        f"output {worst.output!r} has a parity of {units.decibels(worst.snr_db)} with the answers "
        f"of the same file on the host, and at least {least:g} dB are needed; its largest error, "
        f"{units.significant(100 * worst.largest_error)} % of the output's spread, is at sample "
        f"{worst.worst_sample} of {answers.parity_samples}"
    )
    if worst.agreement is not None:
        said += f"; {units.percent(worst.agreement)} of the classes are the same"
    return f"its answers on this device are not its file's: {said}"
