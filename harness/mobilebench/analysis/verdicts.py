"""From a gate's run, its trials and samples to its verdicts, metric by metric."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from mobilebench.analysis import answer_verdicts, disturbance, estimates, gating, measures
from mobilebench.analysis import energy as energies
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.analysis.gate_finding import Compared, Finding
from mobilebench.analysis.gating import Series, Verdict
from mobilebench.analysis.measures import Evidence
from mobilebench.analysis.preemption import cpu_times
from mobilebench.analysis.requirement import OWN
from mobilebench.analysis.trial import describe
from mobilebench.analysis.validity import answers_differ
from mobilebench.metrics import Counter, Metric, Quantile, registry
from mobilebench.records.key import Key, Place

if TYPE_CHECKING:
    from mobilebench.analysis.trial import TrialStatistics
    from mobilebench.models.array import Array
    from mobilebench.records.gate import Gate, Pair
    from mobilebench.records.run import Run
    from mobilebench.records.timings import Timings
    from mobilebench.records.trial import Trial
    from mobilebench.suite.policy import MetricPolicy, Policy

#: Floats closer than this to a fraction of fewer parts are that fraction: so many right of so many
#: samples is one, and a change of just the margin passes.
_MOST_PARTS = 10**9


@dataclass(frozen=True)
class Comparison:
    """One candidate against its baseline, on one device with one runtime.

    ``library`` is the inference library that ran both, with its version.
    """

    model: str
    device: str
    runtime: str
    baseline: str
    candidate: str
    findings: tuple[Finding, ...]
    library: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of its metrics."""
        return gating.worst([f.verdict for f in self.findings if f.verdict is not None])


def judge(
    run: Run,
    gate: Gate,
    trials: Sequence[Trial],
    statistics: Mapping[str, TrialStatistics],
    policy: Policy,
    answers: Callable[[str], Mapping[str, Array]] = lambda _: {},
    of_one_model: Callable[[Pair], bool] = lambda _: False,
) -> tuple[Comparison, ...]:
    """The verdicts of all comparisons; those of paired metrics are judged together.

    Args:
        run: what was planned and made.
        gate: its gate: the pairs, the looks and the calibrated noise.
        trials: the finished trials.
        statistics: of the latency trials, by their names.
        policy: the gate's policy, validated: margins, directions, and what missing means.
        answers: gives the arrays that an attempt's answers were kept as, by the attempt's name.
        of_one_model: whether a pair's files are known to come from one trained model.
    """
    noises = {entry.pair: entry.noise for entry in gate.noise}
    metrics = registry()
    rules = {name: rule for name, rule in policy.items() if rule.enabled}
    by_key = by_variant(trials)
    found: list[list[Finding]] = []
    family: list[tuple[int, int, Series]] = []
    for number, pair in enumerate(gate.pairs):
        compared = _compared(pair, run, by_key, statistics, answers, policy)
        findings: list[Finding] = []
        if policy.answers is not None and policy.answers.enabled:
            scored = any(_has_score(metrics[name], compared) for name in rules)
            related = functools.partial(of_one_model, pair)
            findings += answer_verdicts.findings(compared, policy.answers, scored, related)
        for name, rule in rules.items():
            if _is_nothing(metrics[name], rule, compared, policy):
                continue
            noise = noises.get(pair, {}).get(name)
            finding, series = _finding(metrics[name], rule, compared, noise)
            if series is not None:
                family.append((number, len(findings), series))
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
        Comparison(
            p.model,
            p.device,
            p.runtime,
            p.baseline,
            p.candidate,
            tuple(findings),
            device.library if (device := run.device(p.device)) else "",
        )
        for p, findings in zip(gate.pairs, found, strict=True)
    )


def statistics_of(
    run: Run,
    trials: Iterable[Trial],
    timings: Iterable[tuple[str, Timings]],
    metrics: Sequence[Metric] | None = None,
) -> dict[str, TrialStatistics]:
    """What the samples of each latency trial say of some metrics, or all, by the trial's name."""
    quantiles = measures.quantiles_of(metrics)
    runtimes = {trial.trial: run.runtime(trial.runtime) for trial in trials}
    return {
        trial: describe(
            times.samples, quantiles=quantiles, cpu_ns=cpu_times(times, runtimes.get(trial))
        )
        for trial, times in timings
        if times.samples.size
    }


def by_variant(trials: Sequence[Trial]) -> Mapping[Key, Sequence[Trial]]:
    """The trials of each variant in each place."""
    found: dict[Key, list[Trial]] = defaultdict(list)
    for record in trials:
        found[Key.of(record)].append(record)
    return found


def block_pairs(metric: Metric, sides: tuple[Evidence, Evidence]) -> list[tuple[float, float]]:
    """The baseline's and the candidate's value of each block that has both."""
    base, candidate = (dict(measures.blocks(metric, side)) for side in sides)
    return [(base[block], candidate[block]) for block in sorted(base.keys() & candidate.keys())]


def logarithms(of: Sequence[tuple[float, float]], direction: str = "lower") -> tuple[float, ...]:
    """How much worse each block's second number is than its first, as a logarithm."""
    sign = 1 if direction == "lower" else -1
    return tuple(sign * math.log(candidate / base) for base, candidate in of)


def _compared(
    pair: Pair,
    run: Run,
    by_key: Mapping[Key, Sequence[Trial]],
    statistics: Mapping[str, TrialStatistics],
    answers: Callable[[str], Mapping[str, Array]],
    policy: Policy,
) -> Compared:
    place = Place(pair.model, pair.device, pair.runtime)
    artifacts, failures = run.artifacts_of(pair.model), run.failures_of(pair.model)
    recipes = (pair.baseline, pair.candidate)
    refused = run.refusals_at(pair.model, pair.device, pair.runtime)
    failed = [f"{r} was not measured: {refused[r]}" for r in recipes if r in refused]
    failed += [f"{r} was not made: {failures[r].reason}" for r in recipes if r in failures]
    device, runtime = run.device(pair.device), run.runtime(pair.runtime)
    profile, counter = energies.settings(run, pair.device)
    base, candidate = (
        Evidence(
            by_key.get(place.key(recipe), ()),
            statistics,
            artifacts.get(recipe),
            profile=profile,
            counter=counter,
            emulated=bool(device and device.emulated),
            load=answers,
            seed=run.seed,
        )
        for recipe in recipes
    )
    least = policy.answers.parity_db if policy.answers else None
    least = run.suite.protocol.parity_db if least is None else least
    wrong = [answers_differ(run, place.key(r), s.answers, least)
             for r, s in zip(recipes, (base, candidate), strict=True)]  # fmt: skip
    return Compared(
        base,
        candidate,
        failed[0] if failed else "",
        runtime.threads if runtime else 1,
        (wrong[0], wrong[1]),
        model.quality_margin if (model := run.model(pair.model)) else None,
    )


def _has_score(metric: Metric, compared: Compared) -> bool:
    """Whether it scores the answers of both."""
    return metric.is_quality and all(
        measures.estimate(metric, side).value is not None for side in compared.sides
    )


def _is_nothing(metric: Metric, rule: MetricPolicy, compared: Compared, policy: Policy) -> bool:
    """Whether there is nothing to say of it: a score of other tasks than this one.

    Of gates of older versions all that they judged is said.
    """
    if not metric.is_quality or policy.answers is None or rule.missing != "ignore":
        return False
    if metric.occasional or any(side.answers for side in compared.sides):
        return all(measures.estimate(metric, side).value is None for side in compared.sides)
    return any(r.kind == metric.kind for side in compared.sides for r in side.records)


def _finding(
    metric: Metric, rule: MetricPolicy, compared: Compared, noise: float | None
) -> tuple[Finding, Series | None]:
    """The finding, and what is to be tested; without a series its verdict is final."""
    trials = [r for side in compared.sides for r in side.records if r.kind == metric.kind]
    failed = [r for r in trials if r.state != "valid"]
    if compared.failure or failed:
        reason = compared.failure or _failures(metric.kind, failed, len(trials))
        return _without(metric, Verdict.INVALID, rule, reason), None
    if metric.test == "paired":
        return _paired(metric, rule, compared, noise)
    return _UNPAIRED[metric.test](metric, rule, compared), None


def _paired(
    metric: Metric, rule: MetricPolicy, compared: Compared, noise: float | None
) -> tuple[Finding, Series | None]:
    """Measured anew in every block, and tested over the blocks' ratios."""
    if isinstance(metric.read, Quantile) and any(
        r.trial not in side.statistics
        for side in compared.sides
        for r in side.records
        if r.kind == metric.kind
    ):
        return _without(metric, Verdict.INVALID, rule, "raw samples of a trial are lost"), None
    found = block_pairs(metric, compared.sides)
    if not found:
        return _missing(metric, rule, _why_missing(metric, compared)), None
    if min(map(min, found)) <= 0:
        what = metric.read.name if isinstance(metric.read, Counter) else metric.name
        return _missing(metric, rule, f"{what} is below what its counter can resolve"), None
    base = estimates.median([b for b, _ in found]).value or 0.0
    candidate = estimates.median([c for _, c in found]).value
    if metric.disturbed_by_load and (reason := _disturbed(metric, compared)):
        disturbed = _without(metric, Verdict.INVALID, rule, reason)
        return replace(disturbed, baseline=base, candidate=candidate), None
    margin = gating.margin_above(max(rule.margin, rule.floor / base), noise)
    effect = estimates.median([c / b - 1 for b, c in found])
    reason = effect.reason
    if not reason and estimates.unlike_medians(1 + (effect.value or 0), candidate, base):
        reason = f"the change is {estimates.PAIRED}"
    finding = Finding(
        metric.name,
        None,
        effect,
        margin,
        base,
        candidate,
        noise,
        blocks=len(found),
        reason=reason,
    )
    return finding, Series(logarithms(found, rule.direction), margin)


def _disturbed(metric: Metric, compared: Compared) -> str:
    """Why load of others forbids a verdict; empty if it does not."""
    for name, side in zip(("baseline", "candidate"), compared.sides, strict=True):
        load = disturbance.load(
            disturbance.of_trial(r, compared.threads, side.statistics)
            for r in side.records
            if r.kind == metric.kind
        )
        if load.withholds:
            return (
                f"disturbed by load: {load.in_words(metric.kind)} of the {name}; "
                "run again on a quiet machine"
            )
    return ""


def _why_missing(metric: Metric, compared: Compared) -> str:
    values = [measures.estimate(metric, side) for side in compared.sides]
    reasons = [value.reason for value in values if value.value is None]
    return reasons[0] if reasons else "no block has both"


def _failures(kind: str, failed: Sequence[Trial], of: int) -> str:
    first = next((r for r in failed if r.code != "skipped"), failed[0])
    what = "failed" if any(r.state == "failed" for r in failed) else "stayed invalid"
    return f"{len(failed)} of {of} {kind} trials {what}: {first.code}: {first.reason}"


def _exact(metric: Metric, rule: MetricPolicy, compared: Compared) -> Finding:
    """A quantity without noise; in fractions, so that a change of just the margin passes."""
    base, candidate = (measures.estimate(metric, side) for side in compared.sides)
    if base.value is None or candidate.value is None:
        return _missing(metric, rule, base.reason if base.value is None else candidate.reason)
    change = _fraction(candidate.value) - _fraction(base.value)
    margin = rule.margin
    if metric.scale == "ratio":
        if not base.value:
            return _missing(metric, rule, "the baseline's is 0")
        change /= _fraction(base.value)
        margin = max(margin, rule.floor / abs(base.value))
    effect = Estimate(float(change), n=1)
    verdict = _verdict(rule, change, margin)
    return Finding(metric.name, verdict, effect, margin, base.value, candidate.value)


def _interval(metric: Metric, rule: MetricPolicy, compared: Compared) -> Finding:
    """A count of the same samples, compared exactly; the interval is that of other such samples."""
    if not all(side.dataset or side.answers for side in compared.sides):
        return _missing(metric, rule, "there is no labelled data")
    base, candidate = (measures.estimate(metric, side) for side in compared.sides)
    effect = measures.change(metric, *compared.sides)
    if effect.value is None or base.value is None or candidate.value is None:
        return _missing(metric, rule, effect.reason or base.reason or candidate.reason)
    change, margin = _fraction(candidate.value) - _fraction(base.value), rule.margin
    if metric.scale == "ratio":
        if not base.value:
            return _missing(metric, rule, "the baseline's is 0")
        if compared.own_margin is not None and metric.name in OWN and _is_default(metric, rule):
            margin = compared.own_margin / abs(base.value)
        size = abs(base.value)
        change /= _fraction(size)
        interval = effect.interval and Interval(
            effect.interval.low / size, effect.interval.high / size
        )
        effect = replace(effect, value=effect.value / size, interval=interval)
    verdict = _verdict(rule, change, margin)
    return Finding(metric.name, verdict, effect, margin, base.value, candidate.value)


def _is_default(metric: Metric, rule: MetricPolicy) -> bool:
    return metric.judged is not None and rule.margin == metric.judged.margin


_UNPAIRED: Mapping[str, Callable[[Metric, MetricPolicy, Compared], Finding]] = {
    "exact": _exact,
    "interval": _interval,
}


def _fraction(value: float) -> Fraction:
    return Fraction(value).limit_denominator(_MOST_PARTS)


def _verdict(rule: MetricPolicy, change: Fraction, margin: float) -> Verdict:
    worse = change if rule.direction == "lower" else -change
    return Verdict.FAIL if worse > Fraction(str(margin)) else Verdict.PASS


def _missing(metric: Metric, rule: MetricPolicy, reason: str) -> Finding:
    verdict = {"ignore": None, "inconclusive": Verdict.INCONCLUSIVE, "fail": Verdict.FAIL}
    return _without(metric, verdict[rule.missing], rule, f"unavailable: {reason}")


def _without(metric: Metric, verdict: Verdict | None, rule: MetricPolicy, reason: str) -> Finding:
    return Finding(metric.name, verdict, Estimate.missing(reason), rule.margin, reason=reason)
