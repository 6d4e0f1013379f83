"""From a gate's run, its trials and samples to its verdicts, metric by metric."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from mobilebench.analysis import disturbance, estimates, gating
from mobilebench.analysis import energy as energies
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.gating import Series, Verdict
from mobilebench.analysis.measures import accuracy_change, accuracy_of, delegation_of, trial_energy
from mobilebench.analysis.trial import describe
from mobilebench.records import conditions
from mobilebench.records.run import FILE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mobilebench.records.gate import Gate, Pair
    from mobilebench.records.run import Run, StoredArtifact
    from mobilebench.records.trial import TrialRecord
    from mobilebench.suite.policy import MetricPolicy, Policy

#: Metrics that are measured anew in every block, and tested; the others are compared exactly.
REPLICATED = ("latency", "memory", "energy")

#: Those that other processes' load changes; memory is each process's own.
DISTURBED_BY_LOAD = ("latency", "energy")

#: What the memory metric is: the highest resident set, less that of the empty runtime.
MEMORY_METRIC = "memory_peak"

#: How effect and margin of a metric are to be read.
SCALES = {
    "latency": "ratio",
    "memory": "ratio",
    "energy": "ratio",
    "size": "ratio",
    "download": "ratio",
    "accuracy": "points",
    "delegation": "nodes",
}


@dataclass(frozen=True)
class Finding:
    """What the gate says of one metric of one comparison.

    Attributes:
        metric: its name in the policy.
        verdict: None where the metric is missing and the policy ignores that.
        baseline, candidate: the arms' own numbers (ns, bytes, joules an inference, share, nodes
            left), or None.
        effect: the candidate's change: a share of the baseline (scale ``ratio``), a difference of
            shares (``points``), or of nodes (``nodes``).
        margin: how much worse it may get, in the effect's measure.
        noise: that of identical arms, if it was calibrated (share).
        p_fail: of "not worse than the margin", adjusted by Holm; None where nothing is tested.
        p_pass: of "worse than the margin, or as bad".
        blocks: how many blocks the verdict rests on.
        reason: why there is no effect, or what to know of it.
    """

    metric: str
    verdict: Verdict | None
    effect: Estimate
    margin: float
    baseline: float | None = None
    candidate: float | None = None
    noise: float | None = None
    p_fail: float | None = None
    p_pass: float | None = None
    blocks: int = 0
    reason: str = ""

    @property
    def scale(self) -> str:
        """``ratio``, ``points`` or ``nodes``."""
        return SCALES[self.metric]


@dataclass(frozen=True)
class Comparison:
    """One candidate against its baseline, on one device with one runtime."""

    model: str
    device: str
    runtime: str
    baseline: str
    candidate: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its metrics."""
        return gating.worst([f.verdict for f in self.findings if f.verdict is not None])


@dataclass(frozen=True)
class Arms:
    """The two variants' trials and files; an artifact is None if it could not be made."""

    records: tuple[Sequence[TrialRecord], Sequence[TrialRecord]]
    artifacts: tuple[StoredArtifact | None, StoredArtifact | None]
    failure: str = ""
    threads: int = 1


def judge(
    run: Run,
    gate: Gate,
    trials: Sequence[TrialRecord],
    samples: Iterable[tuple[str, npt.NDArray[np.int64]]],
    policy: Policy,
) -> tuple[Comparison, ...]:
    """The verdicts of all comparisons; those of replicated metrics are judged together.

    Args:
        run: what was planned and made.
        gate: its gate: the pairs, the looks and the calibrated noise.
        trials: the finished trials.
        samples: each latency trial's nanoseconds.
        policy: the gate's policy, validated: margins, directions, and what missing means.
    """
    noises = {entry.pair: entry.noise for entry in gate.noise}
    medians = {trial: describe(values).median for trial, values in samples if values.size}
    told = energy_medians(run, trials)
    medians |= {trial: value for trial, value in told.items() if isinstance(value, float)}
    reasons = {trial: value for trial, value in told.items() if isinstance(value, str)}
    found: list[list[Finding]] = []
    family: list[tuple[int, int, Series]] = []
    for number, pair in enumerate(gate.pairs):
        arms = _arms(pair, run, trials)
        findings: list[Finding] = []
        for name in type(policy).model_fields:
            metric: MetricPolicy = getattr(policy, name)
            if not metric.enabled:
                continue
            if name in REPLICATED:
                noise = noises.get(pair, {}).get(name)
                finding, series = _replicated(name, metric, arms, medians, noise, reasons)
                if series is not None:
                    family.append((number, len(findings), series))
            else:
                finding = _EXACT[name](name, metric, arms)
            findings.append(finding)
        found.append(findings)
    decisions = gating.decide([series for _, _, series in family], gate.looks)
    for (number, position, _), decision in zip(family, decisions, strict=True):
        finding = found[number][position]
        found[number][position] = replace(
            finding,
            verdict=decision.verdict,
            p_fail=decision.p_fail,
            p_pass=decision.p_pass,
            blocks=decision.blocks,
        )
    return tuple(
        Comparison(p.model, p.device, p.runtime, p.baseline, p.candidate, tuple(findings))
        for p, findings in zip(gate.pairs, found, strict=True)
    )


def pairs(
    name: str,
    records: tuple[Sequence[TrialRecord], Sequence[TrialRecord]],
    medians: Mapping[str, float],
) -> list[tuple[float, float]]:
    """The baseline's and the candidate's number of each block that has both.

    Args:
        name: ``latency``, ``memory`` or ``energy``.
        records: the trials of each arm.
        medians: of each latency trial (ns) and energy trial (joules an inference), by its id.
    """
    sides: list[dict[int, float]] = []
    for side in records:
        values = {}
        for record in side:
            value = _value(name, record, medians)
            if value is not None:
                values[record.block] = value
        sides.append(values)
    base, candidate = sides
    return [(base[block], candidate[block]) for block in sorted(base.keys() & candidate.keys())]


def energy_medians(run: Run, trials: Sequence[TrialRecord]) -> dict[str, float | str]:
    """Of each valid energy trial the median joules an inference, or why there is none."""
    found: dict[str, float | str] = {}
    for record in trials:
        if record.kind == "energy" and record.state == "valid":
            told = trial_energy(record, *energies.settings(run, record.device))
            values = told.per_inference
            found[record.trial] = estimates.median(values).value or 0.0 if values else told.reason
    return found


def logarithms(of: Sequence[tuple[float, float]], direction: str = "lower") -> tuple[float, ...]:
    """How much worse each block's second number is than its first, as a logarithm."""
    sign = 1 if direction == "lower" else -1
    return tuple(sign * math.log(candidate / base) for base, candidate in of)


def _arms(pair: Pair, run: Run, trials: Sequence[TrialRecord]) -> Arms:
    by_recipe: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in trials:
        if (record.model, record.device, record.runtime) == (
            pair.model,
            pair.device,
            pair.runtime,
        ):
            by_recipe[record.recipe].append(record)
    artifacts, failures = run.artifacts_of(pair.model), run.failures_of(pair.model)
    recipes = (pair.baseline, pair.candidate)
    failed = [f"{r} was not made: {failures[r].reason}" for r in recipes if r in failures]
    runtime = run.runtime(pair.runtime)
    return Arms(
        (by_recipe[pair.baseline], by_recipe[pair.candidate]),
        (artifacts.get(pair.baseline), artifacts.get(pair.candidate)),
        failed[0] if failed else "",
        runtime.threads if runtime else 1,
    )


def _replicated(
    name: str,
    metric: MetricPolicy,
    arms: Arms,
    medians: Mapping[str, float],
    noise: float | None,
    reasons: Mapping[str, str],
) -> tuple[Finding, Series | None]:
    """The finding, and what is to be tested; without a series its verdict is final."""
    trials = [r for side in arms.records for r in side if r.kind == name]
    failed = [r for r in trials if r.state != "valid"]
    if arms.failure or failed:
        reason = arms.failure or _failures(name, failed, len(trials))
        return _without(name, Verdict.INVALID, metric, reason), None
    if name == "latency" and any(r.trial not in medians for r in trials):
        return _without(name, Verdict.INVALID, metric, "raw samples of a trial are lost"), None
    found = pairs(name, arms.records, medians)
    if not found:
        return _missing(name, metric, _why_missing(name, trials, reasons)), None
    if min(map(min, found)) <= 0:
        reason = f"{MEMORY_METRIC if name == 'memory' else name} is below what its counter can tell"
        return _missing(name, metric, reason), None
    base = estimates.median([b for b, _ in found]).value or 0.0
    candidate = estimates.median([c for _, c in found]).value
    if name in DISTURBED_BY_LOAD and (reason := _disturbed(name, arms)):
        disturbed = _without(name, Verdict.INVALID, metric, reason)
        return replace(disturbed, baseline=base, candidate=candidate), None
    floor = getattr(metric, "floor", 0) / base
    margin = gating.margin_above(max(metric.margin, floor), noise)
    effect = estimates.median([c / b - 1 for b, c in found])
    finding = Finding(
        name, None, effect, margin, base, candidate, noise, blocks=len(found), reason=effect.reason
    )
    return finding, Series(logarithms(found, metric.direction), margin)


def _disturbed(name: str, arms: Arms) -> str:
    """Why load of others forbids a verdict; empty if it does not."""
    for side, records in zip(("baseline", "candidate"), arms.records, strict=True):
        load = disturbance.load(
            conditions.describe(r.metrics, r.conditions, arms.threads)
            for r in records
            if r.kind == name
        )
        if load.withholds:
            return (
                f"disturbed by load: {load.told(name)} of the {side}; run again on a quiet machine"
            )
    return ""


def _value(name: str, record: TrialRecord, medians: Mapping[str, float]) -> float | None:
    if record.kind != name or record.state != "valid":
        return None
    if name in ("latency", "energy"):
        return medians.get(record.trial)
    told = next((m for m in record.metrics if m["name"] == MEMORY_METRIC), {})
    value = told.get("value")
    return None if value is None else float(value)


def _why_missing(name: str, trials: Sequence[TrialRecord], reasons: Mapping[str, str]) -> str:
    if name == "energy" and not trials:
        return "energy is measured only when it is asked for, with --energy"
    for record in trials:
        if record.trial in reasons:
            return reasons[record.trial]
        for told in record.metrics:
            if name == "memory" and told["name"] == MEMORY_METRIC and told["reason"]:
                return str(told["reason"])
    return f"no {name} trial was run" if not trials else f"the device did not report {name}"


def _failures(kind: str, failed: Sequence[TrialRecord], of: int) -> str:
    first = next((r for r in failed if r.code != "skipped"), failed[0])
    what = "failed" if any(r.state == "failed" for r in failed) else "stayed invalid"
    return f"{len(failed)} of {of} {kind} trials {what}: {first.code}: {first.reason}"


def _bytes(name: str, metric: MetricPolicy, arms: Arms) -> Finding:
    """Size of the file, or of the file as a download: relative, exact."""
    if arms.failure:
        return _without(name, Verdict.INVALID, metric, arms.failure)
    key = FILE if name == "size" else "gzip"
    values = [side.sizes.get(key) if side else None for side in arms.artifacts]
    base, candidate = values
    if not base or not candidate:
        return _missing(name, metric, "not recorded")
    change = Fraction(candidate, base) - 1
    return _exact(name, metric, change, base, candidate)


def _accuracy(name: str, metric: MetricPolicy, arms: Arms) -> Finding:
    """Right answers of a fixed set, counted; the interval is that of other such sets."""
    trials = [r for side in arms.records for r in side if r.kind == "accuracy"]
    failed = [r for r in trials if r.state != "valid"]
    if arms.failure or failed:
        reason = arms.failure or _failures(name, failed, len(trials))
        return _without(name, Verdict.INVALID, metric, reason)
    sets = [side.dataset if side else None for side in arms.artifacts]
    if not all(sets):
        return _missing(name, metric, "there is no labelled data")
    same = len({(s.name, s.count) for s in sets if s}) == 1
    base, candidate = (accuracy_of(side)[0] for side in arms.records)
    effect = accuracy_change(arms.records[1], arms.records[0], same)
    if effect.value is None or base.value is None or candidate.value is None:
        return _missing(name, metric, effect.reason)
    rights = [Fraction(round(a.value * a.n), a.n) for a in (base, candidate) if a.value is not None]
    finding = _exact(name, metric, rights[1] - rights[0], base.value, candidate.value)
    return replace(finding, effect=effect)


def _delegation(name: str, metric: MetricPolicy, arms: Arms) -> Finding:
    """Nodes that the delegate left to the built-in kernels."""
    if arms.failure:
        return _without(name, Verdict.INVALID, metric, arms.failure)
    sides = [delegation_of(side) for side in arms.records]
    base, candidate = sides
    if base is None or candidate is None:
        return _missing(name, metric, "the runtime does not tell which nodes were delegated")
    left = [side.nodes - side.delegated for side in (base, candidate)]
    return _exact(name, metric, Fraction(left[1] - left[0]), left[0], left[1])


_EXACT = {
    "size": _bytes,
    "download": _bytes,
    "accuracy": _accuracy,
    "delegation": _delegation,
}


def _exact(
    name: str, metric: MetricPolicy, change: Fraction, base: float, candidate: float
) -> Finding:
    """A quantity without noise; in fractions, so that a change of just the margin passes."""
    worse = change if metric.direction == "lower" else -change
    verdict = Verdict.FAIL if worse > Fraction(str(metric.margin)) else Verdict.PASS
    effect = Estimate(float(change), n=1)
    return Finding(name, verdict, effect, metric.margin, base, candidate)


def _missing(name: str, metric: MetricPolicy, reason: str) -> Finding:
    verdict = {"ignore": None, "inconclusive": Verdict.INCONCLUSIVE, "fail": Verdict.FAIL}
    return _without(name, verdict[metric.missing], metric, f"unavailable: {reason}")


def _without(name: str, verdict: Verdict | None, metric: MetricPolicy, reason: str) -> Finding:
    return Finding(name, verdict, Estimate.missing(reason), metric.margin, reason=reason)
