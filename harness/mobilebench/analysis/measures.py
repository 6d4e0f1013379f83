"""A variant's metrics from its trials and its file, and their change against the baseline's.

Each metric is read as its entry in the registry says; what has rules of its own is in
``_RULES``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, get_args

import numpy as np

from mobilebench.analysis import answers, estimates
from mobilebench.analysis.energy import TrialEnergy, of_trial
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.modes import two_modes
from mobilebench.analysis.summary import Blocks, Delegation, EnergyDetails, LatencyDetails
from mobilebench.analysis.trial import TrialStatistics, enough_samples
from mobilebench.metrics import Computed, Counter, Metric, Quantile, Score, StoredSize, registry
from mobilebench.records.runtime import SlowPacking

if TYPE_CHECKING:
    from mobilebench.models.array import Array
    from mobilebench.records.answers import Answers
    from mobilebench.records.battery_current import CurrentProfile
    from mobilebench.records.run import StoredArtifact
    from mobilebench.records.trial import Trial


def _nothing_kept(_: str) -> Mapping[str, Array]:
    return {}


@dataclass(frozen=True)
class Evidence:
    """All that a run has of one variant in one place.

    Attributes:
        records: its trials of any kind and state.
        statistics: of each latency trial that has samples, by its id.
        artifact: its file; None if there is none.
        not_made: why there is no artifact, or why it is not measured, if that was known before.
        profile: how this model of phone reports its battery's current, if that is known.
        counter: the name of the only power counter to be taken; empty: the best one.
        emulated: whether the device's processor is emulated, so that only its answers count.
        load: gives the arrays that an attempt's answers were kept as, by the attempt's name.
        seed: of resampling.
    """

    records: Sequence[Trial] = ()
    statistics: Mapping[str, TrialStatistics] = field(default_factory=dict)
    artifact: StoredArtifact | None = None
    not_made: str = ""
    profile: CurrentProfile | None = None
    counter: str = ""
    emulated: bool = False
    load: Callable[[str], Mapping[str, Array]] = _nothing_kept
    seed: int = 0

    @property
    def dataset(self) -> tuple[str, int] | None:
        """Name and count of the labelled samples; None where there are none."""
        found = self.artifact.dataset if self.artifact else None
        return (found.name, found.count) if found else None

    @property
    def answers(self) -> Answers | None:
        """What came of its first valid outputs trial: the same file answers alike."""
        return _answered(self).answers

    @cached_property
    def energies(self) -> tuple[tuple[Trial, TrialEnergy], ...]:
        """What each valid energy trial found; where no window was run, the agent's own reason."""
        valid, _ = self.valid("energy")
        return tuple((r, trial_energy(r, self.profile, self.counter)) for r in valid)

    def valid(self, kind: str) -> tuple[list[Trial], str]:
        """The valid trials of a kind (``any``: of all) or, where there are none, why."""
        of_kind = [r for r in self.records if kind in (r.kind, "any")]
        valid = [r for r in of_kind if r.state == "valid"]
        if valid:
            return valid, ""
        if self.not_made:
            return [], self.not_made
        if of_kind:
            last = of_kind[-1]
            return [], f"{last.code}: {last.reason}" if last.code else last.reason or "failed"
        if self.emulated and kind != "outputs":
            return [], "the device's processor is emulated, so only its answers count"
        return [], f"no {kind} trial was run"


def estimate(metric: Metric, evidence: Evidence) -> Estimate:
    """A metric's value: the median over trials, or the exact one; or why there is none."""
    read = metric.read
    if isinstance(read, Computed):
        return _RULES[read.rule].estimate(evidence)
    if isinstance(read, Score):
        return _score(read, evidence)
    if isinstance(read, StoredSize):
        return _stored_size(read, evidence)
    found, reason = _replicates(metric, evidence)
    return estimates.median([value for _, value in found]) if found else Estimate.missing(reason)


def blocks(metric: Metric, evidence: Evidence) -> Blocks:
    """The value of each valid trial of a metric that trials measure, with its block."""
    if isinstance(metric.read, Computed):
        return _RULES[metric.read.rule].blocks(evidence)
    if isinstance(metric.read, Score):
        return ()
    return _replicates(metric, evidence)[0]


def change(metric: Metric, base: Evidence, own: Evidence) -> Estimate:
    """How a variant's value compares with the baseline's, as the metric's ``change`` says.

    Of what each block measures it is the median over the blocks that have both, since they cancel
    the session's drift.

    Raises:
        ValueError: the metric has no change.
    """
    if metric.change is None:
        raise ValueError(f"{metric.name} has no change")
    if isinstance(metric.read, Score):
        return _score_change(metric.read, base, own)
    sides = (base, own)
    values = [estimate(metric, side) for side in sides]
    is_ratio = metric.change.kind == "ratio"
    if isinstance(metric.read, StoredSize) or metric.kind == "any":
        return _exact_ratio(metric, *values) if is_ratio else _exact_difference(*values)
    for name, value in zip(("the baseline", "this variant"), values, strict=True):
        if value.value is None:
            return Estimate.missing(f"{name} has no {metric.name}: {value.reason}")
    base_blocks, own_blocks = (blocks(metric, side) for side in sides)
    if not is_ratio:
        found = block_differences(own_blocks, base_blocks)
    elif metric.direction == "lower":
        found = block_ratios(base_blocks, own_blocks)
    else:
        found = block_ratios(own_blocks, base_blocks)
    if not found:
        return Estimate.missing("no block has a valid trial of both the baseline and this variant")
    return estimates.median(found)


def block_ratios(over: Blocks, under: Blocks) -> list[float]:
    """``over`` / ``under`` for each block that has both."""
    # A value of 0 is a clock that did not tick, or a counter that did not count.
    positive = [[(block, value) for block, value in side if value > 0] for side in (over, under)]
    return [numerator / denominator for numerator, denominator in _pairs(*positive)]


def block_differences(left: Blocks, right: Blocks) -> list[float]:
    """``left`` - ``right`` for each block that has both."""
    return [one - other for one, other in _pairs(left, right)]


def _pairs(
    left: Sequence[tuple[int, float]], right: Sequence[tuple[int, float]]
) -> list[tuple[float, float]]:
    tables: tuple[dict[int, list[float]], ...] = (defaultdict(list), defaultdict(list))
    for side, table in zip((left, right), tables, strict=True):
        for block, value in side:
            table[block].append(value)
    one, other = tables
    return [
        (median(one[block]), median(other[block])) for block in sorted(one.keys() & other.keys())
    ]


def latency_details(evidence: Evidence) -> LatencyDetails:
    """What the samples of all valid latency trials say beside their quantiles."""
    valid, _ = evidence.valid("latency")
    trials = [evidence.statistics[r.trial] for r in valid if r.trial in evidence.statistics]
    if not trials:
        return LatencyDetails()
    p05, p25, p75, p95 = (median(s.quantiles[q] for s in trials) for q in (0.05, 0.25, 0.75, 0.95))
    drifts = [s.drift for s in trials if s.drift is not None]
    samples = sum(s.n for s in trials)
    return LatencyDetails(
        band=(p05, p25, p75, p95),
        samples=samples,
        outliers=sum(s.outliers for s in trials) / samples,
        drift=median(drifts) if drifts else None,
        modes_within=tuple(s.modes for s in trials if s.modes is not None),
        modes_over=two_modes([s.median for s in trials]),
        convergence=tuple(s.convergence for s in trials if s.convergence is not None),
    )


def energy_details(evidence: Evidence) -> EnergyDetails:
    """Which counter gave the energy, and what it saw."""
    found = [energy for _, energy in evidence.energies if energy.per_inference]
    if not found:
        return EnergyDetails(asked=any(r.kind == "energy" for r in evidence.records))
    return EnergyDetails(
        True,
        found[0].source,
        max(energy.resolution for energy in found),
        float(np.median([e.idle_watts for e in found if e.idle_watts is not None])),
        float(np.median([e.load_watts for e in found if e.load_watts is not None])),
    )


def trial_energy(
    record: Trial, profile: CurrentProfile | None = None, prefer: str = ""
) -> TrialEnergy:
    """What one energy trial found; where no window was run, the agent's own reason."""
    if not record.windows:
        reported = record.metric("energy_per_inference")
        reason = reported.reason if reported else ""
        return TrialEnergy(reason=reason or "the agent ran no windows")
    return of_trial(record.windows, record.power, profile, prefer)


def delegation_of(records: Sequence[Trial]) -> Delegation | None:
    """What the delegate took, as the first valid trial reports; None where none reports it."""
    for record in records:
        reported = record.delegation
        if record.state == "valid" and reported is not None:
            left = tuple(sorted(reported.left.items()))
            return Delegation(reported.nodes, reported.delegated, reported.partitions, left)
    return None


def accuracies_differ(evidence: Evidence) -> bool:
    """Whether trials of the same file on the same samples have other accuracies."""
    valid, _ = evidence.valid("accuracy")
    return len({counts for counts in map(_counts, valid) if counts is not None}) > 1


# As the registry says.


def _replicates(metric: Metric, evidence: Evidence) -> tuple[Blocks, str]:
    """Block and value of each valid trial that has one, or why none has."""
    if isinstance(metric.read, Quantile):
        return _quantile(metric.read.q, evidence)
    if isinstance(metric.read, Counter):
        return _counter(metric, metric.read.name, evidence)
    return (), f"trials do not measure {metric.name}"


def _quantile(q: float, evidence: Evidence) -> tuple[Blocks, str]:
    valid, reason = evidence.valid("latency")
    found = [(r, evidence.statistics[r.trial]) for r in valid if r.trial in evidence.statistics]
    if not found and (means := _means(valid)):
        return (means, "") if q == 0.5 else ((), "what measured it keeps no samples")
    if not found:
        return (), reason or "its raw samples are lost"
    need = enough_samples(q)
    values = tuple(sorted((r.block, s.quantiles[q]) for r, s in found if s.n >= need))
    return values, "" if values else f"p{100 * q:g} needs {need} timed inferences a trial"


def _means(records: Sequence[Trial]) -> Blocks:
    """Block and mean of the trials of which only the mean is reported."""
    reported = ((record.block, record.metric("latency_mean")) for record in records)
    return tuple(
        sorted(
            (block, counter.value)
            for block, counter in reported
            if counter is not None and counter.value is not None
        )
    )


def _counter(metric: Metric, name: str, evidence: Evidence) -> tuple[Blocks, str]:
    valid, reason = evidence.valid(metric.kind)
    values, reasons = [], [reason] if reason else []
    for record in valid:
        found = record.metric(name)
        if found is None:
            reasons.append(f"the agent did not report {name}")
        elif found.value is None:
            reasons.append(found.reason)
        else:
            values.append((record.block, found.value))
    return tuple(sorted(values)), reasons[0] if reasons else "no valid trial"


def _stored_size(read: StoredSize, evidence: Evidence) -> Estimate:
    value = evidence.artifact.sizes.get(read.packing) if evidence.artifact else None
    if value is None:
        asked = f"not computed; downloads = [{read.packing!r}] in the suite asks for it"
        known = read.packing not in get_args(SlowPacking)
        return Estimate.missing(evidence.not_made or ("not recorded" if known else asked))
    return Estimate(float(value), n=1)


def _exact_ratio(metric: Metric, base: Estimate, value: Estimate) -> Estimate:
    if not base.value:
        return Estimate.missing(f"the baseline: {base.reason or 'is 0'}")
    if not value.value:
        return Estimate.missing(value.reason or "it is 0")
    better = base.value / value.value
    return Estimate(better if metric.direction == "lower" else 1 / better, n=1)


def _exact_difference(base: Estimate, value: Estimate) -> Estimate:
    if base.value is None:
        return Estimate.missing(f"the baseline: {base.reason}")
    if value.value is None:
        return Estimate.missing(value.reason)
    return Estimate(value.value - base.value, n=1)


# By rules of their own.


def _energy(evidence: Evidence) -> Estimate:
    """Energy per inference over the valid energy trials.

    With one trial the interval is over its window pairs, with several over the trials.
    """
    if not evidence.energies:
        _, reason = evidence.valid("energy")
        asked = any(r.kind == "energy" for r in evidence.records)
        hint = "" if asked or evidence.not_made else ": --energy asks for it"
        return Estimate.missing(f"{reason}{hint}")
    found = [energy for _, energy in evidence.energies if energy.per_inference]
    if not found:
        return Estimate.missing(evidence.energies[0][1].reason)
    if len(found) == 1:
        return estimates.median(found[0].per_inference)
    return estimates.median([float(np.median(energy.per_inference)) for energy in found])


def _energy_blocks(evidence: Evidence) -> Blocks:
    return tuple(
        sorted(
            (record.block, float(np.median(energy.per_inference)))
            for record, energy in evidence.energies
            if energy.per_inference
        )
    )


def _score(read: Score, evidence: Evidence) -> Estimate:
    """A score of the answers, or what an older run's accuracy trial counted."""
    if read.name == "accuracy" and _is_older(evidence):
        return _accuracy(evidence)
    return answers.score(read.name, *evidence.valid("outputs"))


def _score_change(read: Score, base: Evidence, own: Evidence) -> Estimate:
    if read.name == "accuracy" and (_is_older(base) or _is_older(own)):
        return _accuracy_change(base, own)
    return answers.score_change(read.name, _answered(base), _answered(own), own.seed)


def _is_older(evidence: Evidence) -> bool:
    """Whether its answers were counted on the device, as by older versions, or never asked for."""
    return not any(record.kind == "outputs" for record in evidence.records)


def _answered(evidence: Evidence) -> answers.Side:
    interface = evidence.artifact.interface if evidence.artifact else None
    return answers.Side(*evidence.valid("outputs"), evidence.load, interface)


def similarity(base: Evidence, own: Evidence) -> answers.Similarity:
    """How alike a variant's answers are to its baseline's, to the same samples."""
    return answers.similarity(_answered(base), _answered(own))


def parity(evidence: Evidence) -> Estimate:
    """How alike the device's answers are to the file's reference answers (dB)."""
    return answers.parity(*evidence.valid("outputs"))


def _needs_baseline(_: Evidence) -> Estimate:
    return Estimate.missing("there is no baseline to compare with")


def _accuracy(evidence: Evidence) -> Estimate:
    """The accuracy of the first valid accuracy trial that has one.

    The same file on the same samples answers alike, so further trials add no information.
    """
    valid, reason = evidence.valid("accuracy")
    counts = [c for c in map(_counts, valid) if c is not None]
    if counts:
        return estimates.share(*counts[0])
    if not valid:
        return Estimate.missing(reason)
    reported = valid[0].metric("accuracy_top1")
    if reported is None:
        return Estimate.missing("the agent did not report accuracy_top1")
    return Estimate.missing(reported.reason or "its accuracy is no share of samples")


def _accuracy_change(base: Evidence, own: Evidence) -> Estimate:
    """The variant's accuracy less the baseline's.

    With the predictions of both on the same samples the interval is the paired one, bounded by
    the number of differing predictions; without, the samples are taken as unrelated.
    """
    sides = []
    for name, side in (("its own", own), ("the baseline's", base)):
        valid, reason = side.valid("accuracy")
        found = next(((r, c) for r in valid if (c := _counts(r)) is not None), None)
        if found is None:
            return Estimate.missing(f"{name} accuracy: {reason or 'unavailable'}")
        sides.append(found)
    (record, (right, n)), (base_record, (base_right, base_n)) = sides
    if own.dataset != base.dataset:
        return Estimate.missing("the baseline was evaluated on other samples")
    if n == base_n == len(record.predictions) == len(base_record.predictions):
        differing = int(
            np.count_nonzero(np.array(record.predictions) != np.array(base_record.predictions))
        )
        # Otherwise predictions and accuracies contradict each other; the counts alone are used.
        if abs(right - base_right) <= differing:
            return estimates.paired_difference(right, base_right, n, differing)
    return estimates.difference(right, n, base_right, base_n)


def _counts(record: Trial) -> tuple[int, int] | None:
    """How many samples a model had right, of how many; None where the trial does not report it."""
    found = record.metric("accuracy_top1")
    if found is None or found.value is None:
        return None
    n = found.n or len(record.predictions)
    right = round(found.value * n)
    return (right, n) if n > 0 and 0 <= right <= n else None


def _cpu_time(evidence: Evidence) -> Estimate:
    found = [value for _, value in _cpu_blocks(evidence)]
    if found:
        return estimates.median(found)
    _, reason = evidence.valid("latency")
    return Estimate.missing(reason or "CPU times of one thread are not reported")


def _cpu_blocks(evidence: Evidence) -> Blocks:
    """Block and median CPU time of each valid trial that reports it."""
    valid, _ = evidence.valid("latency")
    found = ((r.block, evidence.statistics[r.trial].cpu) for r in valid
             if r.trial in evidence.statistics)  # fmt: skip
    return tuple(sorted((block, cpu) for block, cpu in found if cpu is not None))


def _nodes_left(evidence: Evidence) -> Estimate:
    found = delegation_of(evidence.records)
    if found is None:
        _, reason = evidence.valid("any")
        return Estimate.missing(reason or "the runtime does not report which nodes were delegated")
    return Estimate(float(found.nodes - found.delegated), n=1)


def _none(_: Evidence) -> Blocks:
    return ()


@dataclass(frozen=True)
class _Rule:
    """How a computed metric comes about."""

    estimate: Callable[[Evidence], Estimate]
    blocks: Callable[[Evidence], Blocks] = _none


_RULES: Mapping[str, _Rule] = {
    "cpu_time": _Rule(_cpu_time, _cpu_blocks),
    "energy": _Rule(_energy, _energy_blocks),
    "delegation": _Rule(_nodes_left),
    "parity": _Rule(parity),
    # Of two variants: whoever compares them puts these in.
    "similarity": _Rule(_needs_baseline),
    "agreement": _Rule(_needs_baseline),
}


def quantiles_of(metrics: Sequence[Metric] | None = None) -> tuple[float, ...]:
    """The quantiles of a trial's samples that some metrics, or all registered ones, read."""
    known = registry().values() if metrics is None else metrics
    return tuple(m.read.q for m in known if isinstance(m.read, Quantile))
