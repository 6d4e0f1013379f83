"""The measures of one variant from its trials, and their comparison with the baseline's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilebench.analysis import estimates
from mobilebench.analysis.energy import TrialEnergy, of_trial
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.modes import two_modes
from mobilebench.analysis.summary import Delegation, Energy, Latency, Memory
from mobilebench.analysis.trial import ENOUGH_SAMPLES, TrialStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mobilebench.records.battery_current import CurrentProfile
    from mobilebench.records.trial import TrialRecord


def latency_of(
    records: Sequence[TrialRecord],
    statistics: Mapping[str, TrialStatistics],
    missing: str = "",
) -> Latency:
    """The latency over all valid latency trials that have samples.

    Args:
        records: the variant's trials of any kind and state.
        statistics: of each latency trial, by its id.
        missing: why there is no latency, if it is known beforehand.
    """
    valid, reason = _valid(records, "latency")
    found = [(r.block, statistics[r.trial]) for r in valid if r.trial in statistics]
    first = _metric(valid, "first_inference", missing or reason)
    initialization = _metric(valid, "initialization_time", missing or reason)
    if not found and (means := _means(valid)):
        none = Estimate.missing("what measured it keeps no samples")
        median = estimates.median([mean for _, mean in means])
        return Latency(median, none, none, none, first, initialization, by_block=means)
    if not found:
        none = Estimate.missing(missing or reason or "its raw samples are lost")
        return Latency(none, none, none, none, first, initialization)
    trials = [s for _, s in found]
    quantiles = zip(*((s.p05, s.p25, s.p75, s.p95) for s in trials), strict=True)
    p05, p25, p75, p95 = (float(np.median(q)) for q in quantiles)
    drifts = [s.drift for s in trials if s.drift is not None]
    samples = sum(s.n for s in trials)
    return Latency(
        median=estimates.median([s.median for s in trials]),
        p90=_percentile(trials, 0.9),
        p95=_percentile(trials, 0.95),
        p99=_percentile(trials, 0.99),
        first=first,
        initialization=initialization,
        band=(p05, p25, p75, p95),
        by_block=tuple(sorted((block, s.median) for block, s in found)),
        samples=samples,
        outliers=sum(s.outliers for s in trials) / samples,
        drift=float(np.median(drifts)) if drifts else None,
        modes_within=tuple(s.modes for s in trials if s.modes is not None),
        modes_over=two_modes([s.median for s in trials]),
        convergence=tuple(s.convergence for s in trials if s.convergence is not None),
    )


def _means(records: Sequence[TrialRecord]) -> tuple[tuple[int, float], ...]:
    """Block and mean of the trials whose mean is all that was told."""
    told = ((record.block, _named(record, "latency_mean")) for record in records)
    return tuple(
        sorted(
            (block, float(metric["value"]))
            for block, metric in told
            if metric is not None and metric.get("value") is not None
        )
    )


def _percentile(trials: Sequence[TrialStatistics], q: float) -> Estimate:
    need = ENOUGH_SAMPLES[q]
    name = f"p{round(100 * q)}"
    values = [float(getattr(s, name)) for s in trials if s.n >= need]
    if not values:
        return Estimate.missing(f"{name} needs {need} timed inferences a trial")
    return estimates.median(values)


def memory_of(records: Sequence[TrialRecord]) -> Memory:
    """Medians over the valid memory trials."""
    valid, reason = _valid(records, "memory")
    return Memory(
        *(_metric(valid, f"memory_{name}", reason) for name in ("peak", "pss", "anonymous", "file"))
    )


def energy_of(
    records: Sequence[TrialRecord], profile: CurrentProfile | None = None, prefer: str = ""
) -> Energy:
    """Energy per inference over the valid energy trials.

    With one trial the interval is over its window pairs, with several over the trials.

    Args:
        records: the variant's trials of any kind and state.
        profile: how this model of phone tells its battery's current, if that is known.
        prefer: the name of a counter; no other is then taken.
    """
    valid, reason = _valid(records, "energy")
    if not valid:
        asked = any(r.kind == "energy" for r in records)
        return Energy(
            Estimate.missing(reason if asked else f"{reason}: --energy asks for it"), asked
        )
    found = [trial_energy(record, profile, prefer) for record in valid]
    told = [energy for energy in found if energy.per_inference]
    if not told:
        return Energy(Estimate.missing(found[0].reason), True)
    if len(told) == 1:
        estimate = estimates.median(told[0].per_inference)
    else:
        estimate = estimates.median([float(np.median(t.per_inference)) for t in told])
    return Energy(
        estimate,
        True,
        told[0].source,
        max(t.resolution for t in told),
        float(np.median([t.idle_watts for t in told if t.idle_watts is not None])),
        float(np.median([t.load_watts for t in told if t.load_watts is not None])),
    )


def trial_energy(
    record: TrialRecord, profile: CurrentProfile | None = None, prefer: str = ""
) -> TrialEnergy:
    """What one energy trial found; where no window was run, the agent's own reason."""
    if not record.windows:
        told = _named(record, "energy_per_inference") or {}
        return TrialEnergy(reason=str(told.get("reason") or "the agent ran no windows"))
    return of_trial(record.windows, record.power, profile, prefer)


def accuracy_of(records: Sequence[TrialRecord]) -> tuple[Estimate, tuple[str, ...]]:
    """The accuracy of the first valid accuracy trial, and a warning if later ones differ.

    The same file on the same samples answers alike, so further trials add no information.
    """
    valid, reason = _valid(records, "accuracy")
    counts = [c for c in map(_counts, valid) if c is not None]
    if not counts:
        metrics = [_metric([r], "accuracy_top1", reason) for r in valid]
        return metrics[0] if metrics else Estimate.missing(reason), ()
    warnings = ("accuracy differs between trials of the same file",) if len(set(counts)) > 1 else ()
    return estimates.share(*counts[0]), warnings


def accuracy_change(
    records: Sequence[TrialRecord], base_records: Sequence[TrialRecord], same_data: bool
) -> Estimate:
    """The variant's accuracy less the baseline's.

    With the predictions of both on the same samples the interval is the paired one, bounded by
    the number of differing predictions; without, the samples are taken as unrelated.
    """
    sides = []
    for name, side in (("its own", records), ("the baseline's", base_records)):
        valid, reason = _valid(side, "accuracy")
        found = next(((r, c) for r in valid if (c := _counts(r)) is not None), None)
        if found is None:
            return Estimate.missing(f"{name} accuracy: {reason or 'unavailable'}")
        sides.append(found)
    (record, (right, n)), (base, (base_right, base_n)) = sides
    if not same_data:
        return Estimate.missing("the baseline was evaluated on other samples")
    if n == base_n == len(record.predictions) == len(base.predictions):
        differing = int(
            np.count_nonzero(np.array(record.predictions) != np.array(base.predictions))
        )
        # Otherwise predictions and accuracies contradict each other; the counts alone are used.
        if abs(right - base_right) <= differing:
            return estimates.paired_difference(right, base_right, n, differing)
    return estimates.difference(right, n, base_right, base_n)


def speedup(base: Latency, variant: Latency) -> Estimate:
    """The baseline's latency over the variant's, one ratio a block, as a median over blocks."""
    for name, side in (("the baseline", base), ("this variant", variant)):
        if side.median.value is None:
            return Estimate.missing(f"{name} has no latency: {side.median.reason}")
    ratios = block_ratios(base, variant)
    if not ratios:
        return Estimate.missing("no block has a valid trial of both the baseline and this variant")
    return estimates.median(ratios)


def block_ratios(over: Latency, under: Latency) -> list[float]:
    """``over`` / ``under`` for each block that has both; blocks cancel the session's drift."""
    blocks: tuple[dict[int, list[float]], ...] = (defaultdict(list), defaultdict(list))
    for side, table in zip((over, under), blocks, strict=True):
        for block, value in side.by_block:
            # A time of 0 is a clock that did not tick.
            if value > 0:
                table[block].append(value)
    numerators, denominators = blocks
    return [
        float(np.median(numerators[block]) / np.median(denominators[block]))
        for block in sorted(numerators.keys() & denominators.keys())
    ]


def ratio(base: Estimate, value: Estimate) -> Estimate:
    """``base`` over ``value`` of two exact quantities."""
    if not base.value:
        return Estimate.missing(f"the baseline: {base.reason or 'is 0'}")
    if not value.value:
        return Estimate.missing(value.reason or "it is 0")
    return Estimate(base.value / value.value, n=1)


def delegation_of(records: Sequence[TrialRecord]) -> Delegation | None:
    """What the delegate took, as the first valid trial told; None where none told."""
    for record in records:
        told = record.delegation
        if record.state == "valid" and told.get("nodes"):
            left = told.get("left", {})
            return Delegation(
                int(told["nodes"]),
                int(told.get("delegated", 0)),
                int(told.get("partitions", 0)),
                tuple(sorted((str(name), int(count)) for name, count in left.items())),
            )
    return None


def _valid(records: Sequence[TrialRecord], kind: str) -> tuple[list[TrialRecord], str]:
    """The valid trials of a kind or, where there are none, why."""
    of_kind = [r for r in records if r.kind == kind]
    valid = [r for r in of_kind if r.state == "valid"]
    if valid:
        return valid, ""
    if of_kind:
        last = of_kind[-1]
        return [], f"{last.code}: {last.reason}" if last.code else last.reason or "failed"
    return [], f"no {kind} trial was run"


def _metric(records: Sequence[TrialRecord], name: str, reason: str) -> Estimate:
    """The median over trials of a metric that the agent reported."""
    values, reasons = [], [reason] if reason else []
    for record in records:
        found = _named(record, name)
        if found is None:
            reasons.append(f"the agent did not report {name}")
        elif found.get("value") is None:
            reasons.append(str(found.get("reason", "")))
        else:
            values.append(float(found["value"]))
    if not values:
        return Estimate.missing(reasons[0] if reasons else "no valid trial")
    return estimates.median(values)


def _named(record: TrialRecord, name: str) -> dict[str, Any] | None:
    return next((m for m in record.metrics if m.get("name") == name), None)


def _counts(record: TrialRecord) -> tuple[int, int] | None:
    """How many samples a model had right, of how many; None where the trial does not tell."""
    found = _named(record, "accuracy_top1")
    if found is None or found.get("value") is None:
        return None
    n = int(found.get("n") or len(record.predictions))
    right = round(float(found["value"]) * n)
    return (right, n) if n > 0 and 0 <= right <= n else None
