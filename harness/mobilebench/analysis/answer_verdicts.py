"""What a gate says of answers: whether each side gives its file's own, and how alike both are.

Labels say how good answers are, and then metrics of quality are judged like any other. Without
them nothing but likeness is known: a compressed file is to answer as its model did. Two networks
that were trained apart may differ and both be right, so that a low similarity of theirs shows
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mobilebench.analysis import measures, units
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.gate_finding import Compared, Finding
from mobilebench.analysis.gating import Verdict

if TYPE_CHECKING:
    from mobilebench.suite.policy import AnswersPolicy

_GIVE = (
    "give labelled data (--data), or say by --speed-only that time and size are all that is asked"
)


def findings(
    compared: Compared, policy: AnswersPolicy, scored: bool, of_one_model: Callable[[], bool]
) -> Iterator[Finding]:
    """What is found of both sides' answers, beside their quality.

    Args:
        compared: the two.
        policy: the limits.
        scored: whether a metric of quality has values of both, and so decides.
        of_one_model: whether both files are known to come from one trained model.
    """
    if compared.failure:
        return  # every metric says so
    yield _parity(compared)
    if not scored:
        yield _similarity(compared, policy, of_one_model)


def _parity(compared: Compared) -> Finding:
    """Whether each side computes on the device what its file says."""
    trials = [r for side in compared.sides for r in side.records if r.kind == "outputs"]
    failed = [r for r in trials if r.state != "valid"]
    base, candidate = (measures.parity(side) for side in compared.sides)
    if failed:
        verdict: Verdict | None = Verdict.INVALID
        reason = (
            f"{len(failed)} of {len(trials)} outputs trials failed: {failed[0].code}: "
            f"{failed[0].reason}"
        )
    elif any(compared.invalid):
        verdict = Verdict.INVALID
        sides = zip(("baseline", "candidate"), compared.invalid, strict=True)
        reason = "; ".join(f"the {name}: {why}" for name, why in sides if why)
    elif base.value is None or candidate.value is None:
        verdict = None
        reason = f"unavailable: {base.reason or candidate.reason}"
    else:
        verdict = Verdict.PASS
        values = " and ".join(units.decibels(found.value or 0.0) for found in (base, candidate))
        reason = f"{values}: both answer here as their files say"
    return Finding(
        "parity", verdict, Estimate.missing(reason), 0.0, base.value, candidate.value, reason=reason
    )


def _similarity(
    compared: Compared, policy: AnswersPolicy, of_one_model: Callable[[], bool]
) -> Finding:
    """How alike both sides' answers to the same samples are."""
    found = measures.similarity(*compared.sides).snr
    answers = compared.candidate.answers
    if found.value is None:
        verdict, reason = Verdict.INCONCLUSIVE, f"unavailable: {found.reason}: {_GIVE}"
    else:
        noise = answers is not None and answers.source == "noise"
        samples = f"{units.grouped(found.n)} samples{' of seeded noise' if noise else ''}"
        said = f"{units.decibels(found.value)} over {samples}"
        if found.value >= policy.pass_db:
            verdict = Verdict.PASS
            reason = f"{said}: {policy.pass_db:g} dB and more pass"
        elif not of_one_model():
            verdict = Verdict.INCONCLUSIVE
            reason = (
                f"{said}: two files that may have been trained apart can differ and be as good, "
                f"which only labels show: {_GIVE}"
            )
        elif found.value < policy.fail_db:
            verdict = Verdict.FAIL
            reason = f"{said}: two files of one model, and less than {policy.fail_db:g} dB fail"
        else:
            verdict = Verdict.INCONCLUSIVE
            reason = (
                f"{said}: between {policy.fail_db:g} and {policy.pass_db:g} dB neither is shown: "
                f"{_GIVE}"
            )
    return Finding(
        "similarity", verdict, Estimate.missing(reason), 0.0, None, found.value, reason=reason
    )
