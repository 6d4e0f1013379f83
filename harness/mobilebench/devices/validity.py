"""Whether a trial counts, from what the device's agent told of the time before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mobilebench_agent.contract import Result

from mobilebench.devices.base import InvalidTrialError, PreflightProblem
from mobilebench.records import conditions


def spoilt(result: Result) -> Iterator[PreflightProblem]:
    """What a trial does not survive; load of others only disturbs it, and is told elsewhere."""
    values = conditions.told(result.metrics)
    if conditions.replugged(values):
        yield PreflightProblem("plug", "it was plugged in or unplugged meanwhile")
    # What slows a device down changes neither memory nor answers.
    if result.kind not in ("latency", "energy"):
        return
    if heat := conditions.throttled(values):
        yield PreflightProblem("thermal", f"it was slowed down: {heat}", passes=True)
    if limit := conditions.capped(values, conditions.cpus_of(result.conditions)):
        # A limit that came meanwhile is the system's answer to heat or to the power supply.
        yield PreflightProblem("frequency", limit, passes=True)
    if quota := conditions.stopped(values):
        yield PreflightProblem("cpu-quota", quota)


def ensure_valid(
    result: Result, found: Iterable[PreflightProblem], allowed: frozenset[str]
) -> None:
    """Lets a trial pass that nothing spoilt but what is allowed to.

    Args:
        result: the trial's, kept with an invalid one.
        found: what spoilt it; of several reasons by one check the first is told.
        allowed: checks that may fail.

    Raises:
        InvalidTrialError: it does not count.
    """
    reasons: dict[str, PreflightProblem] = {}
    for unfit in found:
        if unfit.check not in allowed:
            reasons.setdefault(unfit.check, unfit)
    if not reasons:
        return
    first, *_ = reasons.values()
    sentences = "; ".join(reason.sentence for reason in reasons.values())
    heat = all(reason.passes for reason in reasons.values())
    raise InvalidTrialError(first.code, sentences, result, heat)


def overlooked(found: Iterable[PreflightProblem], allowed: frozenset[str]) -> tuple[str, ...]:
    """A warning for each reason that is allowed."""
    return tuple(f"measured although {unfit.sentence}" for unfit in found if unfit.check in allowed)
