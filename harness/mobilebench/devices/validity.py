"""Whether a trial counts, from what the device's agent reported before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping

from mobilebench_agent.contract import Result

from mobilebench.devices.base import InvalidTrialError, PreflightProblem
from mobilebench.records import conditions
from mobilebench.records.trial import TrialConditions


def problems_during(
    result: Result, at_rest: MutableMapping[int, float] | None = None
) -> Iterator[PreflightProblem]:
    """What makes a trial invalid; load of other processes only disturbs it.

    Args:
        result: the trial's.
        at_rest: the limits of the device's clocks before its first trial, by cluster: those that
            its maker always keeps. It is filled here. None: any limit below the hardware's counts.
    """
    values = conditions.values_of(result.metrics)
    if conditions.replugged(values):
        yield PreflightProblem("plug", "it was plugged in or unplugged meanwhile")
    # What slows a device down changes neither memory nor answers.
    if result.kind not in ("latency", "energy"):
        return
    if heat := conditions.throttled(values):
        yield PreflightProblem("thermal", f"it was slowed down: {heat}", passes=True)
    cpus = TrialConditions.reported(result.conditions).cpus
    if at_rest is None:
        limit = conditions.capped(values, cpus)
    else:
        for cluster, hertz in conditions.limits(values, "before").items():
            at_rest.setdefault(cluster, hertz)
        limit = conditions.limit_changed(values, cpus, at_rest)
        for moment in ("before", "after"):
            # One that was raised since: what came first was no rest.
            for cluster, hertz in conditions.limits(values, moment).items():
                at_rest[cluster] = max(hertz, at_rest.get(cluster, hertz))
    if limit:
        # A limit that came meanwhile is the system's answer to heat or to the power supply.
        yield PreflightProblem("frequency", limit, passes=True)
    if quota := conditions.stopped(values):
        yield PreflightProblem("cpu-quota", quota)


def ensure_valid(
    result: Result, found: Iterable[PreflightProblem], allowed: frozenset[str]
) -> None:
    """Lets a trial pass whose only problems are allowed ones.

    Args:
        result: the trial's, kept with an invalid one.
        found: the problems; of several by one check the first is named.
        allowed: checks that may fail.

    Raises:
        InvalidTrialError: it does not count.
    """
    reasons: dict[str, PreflightProblem] = {}
    for problem in found:
        if problem.check not in allowed:
            reasons.setdefault(problem.check, problem)
    if not reasons:
        return
    first, *_ = reasons.values()
    sentences = "; ".join(reason.sentence for reason in reasons.values())
    heat = all(reason.passes for reason in reasons.values())
    raise InvalidTrialError(first.code, sentences, result, heat)


def allowed_warnings(found: Iterable[PreflightProblem], allowed: frozenset[str]) -> tuple[str, ...]:
    """A warning for each problem that is allowed."""
    return tuple(f"measured although {p.sentence}" for p in found if p.check in allowed)
