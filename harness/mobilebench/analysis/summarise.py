"""From a run, its trials and samples to its summary."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mobilebench.analysis import disturbance, estimates, pareto, sustained
from mobilebench.analysis import energy as energies
from mobilebench.analysis.advice import advise
from mobilebench.analysis.disturbance import Key
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.findings import findings
from mobilebench.analysis.measures import (
    accuracy_change,
    accuracy_of,
    delegation_of,
    energy_of,
    latency_of,
    memory_of,
    ratio,
    speedup,
)
from mobilebench.analysis.requirement import AccuracyRequirement
from mobilebench.analysis.summary import (
    Comparison,
    Delegation,
    Energy,
    FailedTrial,
    Summary,
    Variant,
)
from mobilebench.analysis.sustained import Trace
from mobilebench.analysis.trial import TrialStatistics, describe
from mobilebench.records.device import AGENT
from mobilebench.records.run import FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mobilebench.analysis.sustained import SustainedTrial
    from mobilebench.records.conditions import Conditions
    from mobilebench.records.run import Run, StoredArtifact, StoredFailure
    from mobilebench.records.timings import Timings
    from mobilebench.records.trial import TrialRecord


class _Place(NamedTuple):
    """Where one may compare: a model on a device with a runtime."""

    model: str
    device: str
    runtime: str


def summarise(
    run: Run,
    trials: Sequence[TrialRecord],
    timings: Iterable[tuple[str, Timings]],
) -> Summary:
    """Summarises a run, whatever there is of it.

    Args:
        run: what was planned and made.
        trials: the finished trials, valid, failed or invalid; each once.
        timings: each latency trial's raw times; read once, one trial at a time.
    """
    executors = {device.name: device.executor for device in run.devices}
    timed = {
        t.trial
        for t in trials
        if t.kind == "latency" and t.state == "valid" and executors.get(t.device, AGENT) == AGENT
    }
    minutes = run.suite.protocol.sustained_minutes
    traces = {t.trial: tuple(map(_series, t.traces)) for t in trials if t.trial in timed}
    statistics: dict[str, TrialStatistics] = {}
    long_trials: dict[str, SustainedTrial] = {}
    for trial, times in timings:
        if trial in timed and times.samples.size:
            statistics[trial] = describe(times.samples, times.warmup)
            if minutes:
                starts = times.starts if times.starts.size else None
                long_trials[trial] = sustained.describe(
                    times.samples, starts, sustained.minute_ns(minutes), traces[trial]
                )
    by_variant: dict[tuple[_Place, str], list[TrialRecord]] = defaultdict(list)
    for record in trials:
        place = _Place(record.model, record.device, record.runtime)
        by_variant[place, record.recipe].append(record)

    conditions = disturbance.described(run, trials)
    comparisons = [
        _compare(run, place, by_variant, statistics, long_trials, conditions)
        for place in _places(run, [place for place, _ in by_variant])
    ]
    failed = tuple(
        FailedTrial(
            t.trial,
            t.kind,
            t.model,
            t.recipe,
            t.device,
            t.runtime,
            t.code,
            t.reason or "no reason",
            t.state,
            t.attempt,
        )
        for t in trials
        if t.state != "valid"
    )
    summary = Summary(
        run=run.name,
        suite=run.suite.name,
        state=run.state,
        comparisons=tuple(c for c in comparisons if c.variants),
        planned_trials=len(run.plan),
        valid_trials=len(trials) - len(failed),
        samples=sum(s.n for s in statistics.values()),
        failed_trials=failed,
        repeated_trials=sum(t.state == "valid" and t.attempt > 1 for t in trials),
        disturbed=disturbance.banners(run, conditions),
    )
    return replace(summary, warnings=_warnings(summary, run, len(timed - set(statistics))))


def _series(trace: Mapping[str, Any]) -> Trace:
    return Trace(
        str(trace["name"]),
        str(trace["unit"]),
        tuple(map(int, trace["times_ns"])),
        tuple(map(float, trace["values"])),
        str(trace.get("reason", "")),
    )


def _places(run: Run, tried: list[_Place]) -> list[_Place]:
    """The plan's places in the suite's order, those of the trials, or all that could be."""
    planned = [_Place(p.model, p.device, p.runtime) for p in run.plan]
    models = [model.name for model in run.models]
    devices = [device.name for device in run.devices]
    runtimes = [runtime.name for runtime in run.runtimes]
    everywhere = [
        _Place(model, device, runtime)
        for model in models
        for device in devices or [""]
        for runtime in runtimes or [""]
    ]
    found = set(planned) | set(tried) or set(everywhere)
    # A model of which no variant could be made has no trial and no plan, and is shown all the same.
    seen = {place.model for place in found}
    found |= {place for place in everywhere if place.model not in seen}
    return sorted(
        found,
        key=lambda p: (
            _rank(p.model, models),
            _rank(p.device, devices),
            _rank(p.runtime, runtimes),
            p,
        ),
    )


def _rank(name: str, names: list[str]) -> int:
    return names.index(name) if name in names else len(names)


def _compare(
    run: Run,
    place: _Place,
    by_variant: Mapping[tuple[_Place, str], Sequence[TrialRecord]],
    statistics: Mapping[str, TrialStatistics],
    long_trials: Mapping[str, SustainedTrial],
    conditions: Mapping[Key, tuple[Conditions, ...]],
) -> Comparison:
    model, device = run.model(place.model), run.device(place.device)
    runtime = run.runtime(place.runtime)
    baseline = model.baseline if model else ""
    artifacts, failures = run.artifacts_of(place.model), run.failures_of(place.model)
    tried = [recipe for where, recipe in by_variant if where == place]
    recipes = list(dict.fromkeys([*artifacts, *tried, *failures]))
    recipes.sort(key=lambda recipe: recipe != baseline)

    profile, counter = energies.settings(run, place.device)
    variants: list[Variant] = []
    base: Variant | None = None
    base_trials: Sequence[TrialRecord] = ()
    for recipe in recipes:
        records = by_variant.get((place, recipe), ())
        variant = _measure(
            recipe,
            baseline,
            artifact=artifacts.get(recipe),
            failure=failures.get(recipe),
            records=records,
            statistics=statistics,
            long_trials=long_trials,
            energy=energy_of(records, profile, counter),
            conditions=conditions.get(Key(*place, recipe), ()),
        )
        if variant.is_baseline:
            base, base_trials = variant, records
        variants.append(
            _against(
                variant,
                base,
                baseline,
                records=records,
                base_records=base_trials,
                artifacts=artifacts,
            )
        )

    requirement = AccuracyRequirement.of(model)
    marks = _front(variants)
    variants = [
        replace(
            v,
            best_tradeoff=mark and not (requirement.asked and requirement.status(v) == "missed"),
            requirement=requirement.status(v) if requirement.asked else None,
            findings=findings(v, requirement),
        )
        for v, mark in zip(variants, marks, strict=True)
    ]
    comparison = Comparison(
        place.model,
        place.device,
        place.runtime,
        device.virtual if device else False,
        device.executor if device else AGENT,
        baseline,
        tuple(variants),
        cpus=runtime.cpus if runtime else (),
        requirement=requirement,
    )
    return replace(comparison, advice=advise(comparison))


def _measure(
    recipe: str,
    baseline: str,
    *,
    artifact: StoredArtifact | None,
    failure: StoredFailure | None,
    records: Sequence[TrialRecord],
    statistics: Mapping[str, TrialStatistics],
    long_trials: Mapping[str, SustainedTrial],
    energy: Energy,
    conditions: tuple[Conditions, ...],
) -> Variant:
    """A variant's own numbers, before it is compared with the baseline."""
    latency = latency_of(records, statistics)
    reason = ""
    if artifact is None and failure is not None:
        step, why = failure.step, failure.reason
        reason = f"not made: {why}" if why.startswith(step) else f"not made: {step}: {why}"
    elif latency.median.value is None:
        reason = latency.median.reason
    if artifact is None and failure is not None:
        latency = latency_of((), {}, missing=reason)
    warnings = list(artifact.warnings) if artifact else []
    for record in records:
        warnings += record.warnings
    if energy.asked and energy.per_inference.value is None:
        warnings.append(f"No energy: {energy.per_inference.reason}.")
    accuracy, accuracy_warnings = accuracy_of(records)
    unset = Estimate.missing("not compared")
    return Variant(
        recipe=recipe,
        is_baseline=recipe == baseline,
        artifact=artifact.sha256 if artifact else "",
        failure=reason,
        size=_bytes(artifact, FILE, reason),
        gzip_size=_bytes(artifact, "gzip", reason),
        zstd_size=_bytes(artifact, "zstd", reason),
        xz_size=_bytes(artifact, "xz", reason),
        smaller=unset,
        gzip_smaller=unset,
        latency=latency,
        speedup=unset,
        accuracy=accuracy,
        accuracy_change=unset,
        memory=memory_of(records),
        energy=energy,
        delegation=_delegation(records, artifact),
        conditions=conditions,
        load=disturbance.load(conditions),
        sustained=sustained.over([long_trials[r.trial] for r in records if r.trial in long_trials]),
        valid_trials=sum(r.state == "valid" for r in records),
        failed_trials=sum(r.state != "valid" for r in records),
        warnings=tuple(dict.fromkeys([*warnings, *accuracy_warnings])),
    )


def _delegation(
    records: Sequence[TrialRecord], artifact: StoredArtifact | None
) -> Delegation | None:
    """What the delegate took; and what it was meant to leave, as the last step reported."""
    found = delegation_of(records)
    if found is None or artifact is None or not artifact.provenance.steps:
        return found
    return replace(found, sparse=artifact.provenance.steps[-1].sparse_kernels or 0)


def _bytes(artifact: StoredArtifact | None, key: str, reason: str) -> Estimate:
    value = artifact.sizes.get(key) if artifact else None
    return (
        Estimate(float(value), n=1)
        if value is not None
        else Estimate.missing(reason or "not recorded")
    )


def _against(
    variant: Variant,
    base: Variant | None,
    baseline: str,
    *,
    records: Sequence[TrialRecord],
    base_records: Sequence[TrialRecord],
    artifacts: Mapping[str, StoredArtifact],
) -> Variant:
    """The variant with its comparisons to the baseline."""
    disturbed = disturbance.withheld(variant.load, base.load if base else None)
    variant = replace(variant, disturbed=disturbed)
    if variant.is_baseline:
        same = Estimate.missing("the baseline itself")
        return replace(variant, smaller=same, gzip_smaller=same, speedup=same, accuracy_change=same)
    if base is None:
        none = Estimate.missing(f"the baseline {baseline!r} is not in the run")
        return replace(variant, smaller=none, gzip_smaller=none, speedup=none, accuracy_change=none)
    own, its = (_samples(artifacts.get(recipe)) for recipe in (variant.recipe, baseline))
    return replace(
        variant,
        smaller=ratio(base.size, variant.size),
        gzip_smaller=ratio(base.gzip_size, variant.gzip_size),
        speedup=Estimate.missing(disturbed)
        if disturbed
        else speedup(base.latency, variant.latency),
        accuracy_change=accuracy_change(records, base_records, own == its),
    )


def _samples(artifact: StoredArtifact | None) -> tuple[str, int] | None:
    """Which samples a variant is evaluated on: their name, and how many."""
    dataset = artifact.dataset if artifact else None
    return (dataset.name, dataset.count) if dataset else None


def _front(variants: Sequence[Variant]) -> list[bool]:
    with_accuracy = any(v.accuracy.value is not None for v in variants)
    return pareto.front(
        [
            [
                None if v.disturbed else v.latency.median.value,
                v.size.value,
                *([_negative(v.accuracy.value)] if with_accuracy else []),
            ]
            for v in variants
        ]
    )


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _warnings(summary: Summary, run: Run, without_samples: int) -> tuple[str, ...]:
    warnings = []
    done = summary.valid_trials + len(summary.failed_trials)
    if summary.state != "finished":
        warnings.append(
            f"The run is not finished (state: {summary.state}): {done} of "
            f"{summary.planned_trials} planned trials are here."
        )
    elif done < summary.planned_trials:
        warnings.append(f"{summary.planned_trials - done} planned trials are missing.")
    if not summary.valid_trials:
        warnings.append("No trial is valid: there is nothing to compare.")
    for state, words in (
        ("failed", "failed"),
        ("invalid", "are INVALID: the device's state spoilt every attempt"),
    ):
        count = sum(trial.state == state for trial in summary.failed_trials)
        if count:
            warnings.append(f"{count} of {done} trials {words}.")
    if summary.repeated_trials:
        warnings.append(
            f"Trials that had to be repeated, because the device's state spoilt an attempt: "
            f"{summary.repeated_trials} of {done}. Every attempt is in trials.jsonl."
        )
    if without_samples:
        warnings.append(
            f"{without_samples} latency trials have no raw samples in the folder and are left out."
        )
    warnings += [
        f"{device.name} is virtual: its times are not a phone's latency."
        for device in run.devices
        if device.virtual
    ]
    warnings += [
        f"{device.name} was measured by {device.executor}, which keeps no samples: its latency is "
        "the mean of each trial, and stands apart from what the app measures."
        for device in run.devices
        if device.executor != AGENT
    ]
    few = {
        v.latency.median.n
        for c in summary.comparisons
        for v in c.variants
        if 0 < v.latency.median.n < estimates.ENOUGH_TRIALS
    }
    if few:
        warnings.append(
            f"Some variants have fewer than {estimates.ENOUGH_TRIALS} latency trials: "
            "they have no 95 % interval, and no difference is claimed of them."
        )
    return (*warnings, *run.warnings)
