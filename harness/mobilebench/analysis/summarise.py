"""From a run, its trials and samples to its summary."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mobilebench.analysis import disturbance, estimates, measures, pareto, sustained
from mobilebench.analysis import energy as energies
from mobilebench.analysis.advice import advise
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.findings import findings
from mobilebench.analysis.measures import Evidence
from mobilebench.analysis.preemption import cpu_times, left_alone
from mobilebench.analysis.requirement import ACCURACY, QualityRequirement
from mobilebench.analysis.summary import (
    Comparison,
    Delegation,
    FailedTrial,
    Remark,
    Summary,
    Variant,
)
from mobilebench.analysis.trial import TrialStatistics, describe
from mobilebench.analysis.validity import answers_differ
from mobilebench.metrics import Metric, registry
from mobilebench.records.device import AGENT
from mobilebench.records.key import Key, Place
from mobilebench.records.run import INTERFACE_STEP
from mobilebench.records.trial import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mobilebench.analysis.sustained import SustainedTrial
    from mobilebench.models.array import Array
    from mobilebench.records.conditions import Conditions
    from mobilebench.records.run import Run, StoredFailure
    from mobilebench.records.timings import Nanoseconds, Timings
    from mobilebench.records.trial import Trial


def summarise(
    run: Run,
    trials: Sequence[Trial],
    timings: Iterable[tuple[str, Timings]],
    answers: Callable[[str], Mapping[str, Array]] = lambda _: {},
) -> Summary:
    """Summarises a run, whatever there is of it.

    Args:
        run: what was planned and made.
        trials: the finished trials, valid, failed or invalid; each once.
        timings: each latency trial's raw times; read once, one trial at a time.
        answers: gives the arrays that an attempt's answers were kept as, by the attempt's name:
            those of all together need not fit into memory.
    """
    executors = {device.name: device.executor for device in run.devices}
    timed = {
        t.trial
        for t in trials
        if t.kind == "latency" and t.state == "valid" and executors.get(t.device, AGENT) == AGENT
    }
    minutes = run.suite.protocol.sustained_minutes
    traces = {t.trial: t.traces for t in trials if t.trial in timed}
    quantiles = measures.quantiles_of()
    statistics: dict[str, TrialStatistics] = {}
    long_trials: dict[str, SustainedTrial] = {}
    runtimes = {t.trial: run.runtime(t.runtime) for t in trials}
    for trial, times in timings:
        if trial in timed and times.samples.size:
            cpu = cpu_times(times, runtimes[trial])
            statistics[trial] = describe(times.samples, times.warmup, quantiles, cpu)
            if minutes:
                long_trials[trial] = sustained.describe(
                    *_counted(times, cpu), sustained.minute_ns(minutes), traces[trial]
                )
    by_variant: dict[Key, list[Trial]] = defaultdict(list)
    for record in trials:
        by_variant[Key.of(record)].append(record)

    conditions = disturbance.described(run, trials, statistics=statistics)
    comparisons = [
        _compare(run, place, by_variant, statistics, long_trials, conditions, answers)
        for place in _places(run, [key.place for key in by_variant])
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


def _counted(times: Timings, cpu: Nanoseconds | None) -> tuple[Nanoseconds, Nanoseconds | None]:
    """The samples of a sustained trial that count, and when each began, if that is known."""
    if not times.starts.size:
        return times.samples, None
    if cpu is None:
        return times.samples, times.starts
    counted, _ = left_alone(times.samples, cpu)
    return times.samples[counted], times.starts[counted]


def _places(run: Run, tried: list[Place]) -> list[Place]:
    """The plan's places in the suite's order, those of the trials, or all that could be."""
    planned = [Place(p.model, p.device, p.runtime) for p in run.plan]
    models = [model.name for model in run.models]
    devices = [device.name for device in run.devices]
    runtimes = [runtime.name for runtime in run.runtimes]
    everywhere = [
        Place(model, device, runtime)
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
    place: Place,
    by_variant: Mapping[Key, Sequence[Trial]],
    statistics: Mapping[str, TrialStatistics],
    long_trials: Mapping[str, SustainedTrial],
    conditions: Mapping[Key, tuple[Conditions, ...]],
    answers: Callable[[str], Mapping[str, Array]],
) -> Comparison:
    model, device = run.model(place.model), run.device(place.device)
    runtime = run.runtime(place.runtime)
    baseline = model.baseline if model else ""
    artifacts, failures = run.artifacts_of(place.model), run.failures_of(place.model)
    refused = run.refusals_at(place.model, place.device, place.runtime)
    tried = [key.recipe for key in by_variant if key.place == place]
    recipes = list(dict.fromkeys([*artifacts, *tried, *failures]))
    recipes.sort(key=lambda recipe: recipe != baseline)

    profile, counter = energies.settings(run, place.device)
    variants: list[Variant] = []
    base: tuple[Variant, Evidence] | None = None
    for recipe in recipes:
        key = place.key(recipe)
        artifact = artifacts.get(recipe)
        evidence = Evidence(
            by_variant.get(key, ()),
            statistics,
            artifact,
            _why_not_measured(refused.get(recipe), None if artifact else failures.get(recipe)),
            profile,
            counter,
            bool(device and device.emulated),
            answers,
            run.seed,
        )
        variant = _measure(recipe, baseline, evidence, long_trials, conditions.get(key, ()))
        least = run.suite.protocol.parity_db
        variant = replace(variant, invalid=answers_differ(run, key, variant.answers, least))
        if variant.is_baseline:
            base = variant, evidence
        variants.append(_against(variant, evidence, base, baseline))

    primary = _primary(variants)
    requirement = QualityRequirement.of(
        model, primary, next((v[primary].value for v in variants if v.is_baseline), None)
    )
    marks = _front(variants, requirement.metric)
    variants = [
        replace(
            v,
            best_tradeoff=mark and not (requirement.asked and requirement.status(v) == "missed"),
            requirement=requirement.status(v) if requirement.asked else None,
            findings=findings(v, requirement),
        )
        for v, mark in zip(variants, marks, strict=True)
    ]
    stored = next((artifacts[v.recipe] for v in variants if v.recipe in artifacts), None)
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
        own_unit=model.quality_unit if model else "",
        run_as=stored.run_as if stored else "",
        interface=stored.interface if stored else None,
        library=device.library if device else "",
        cluster=(runtime.cluster or "") if runtime else "",
    )
    return replace(comparison, advice=advise(comparison))


def _why_not_measured(refusal: str | None, failure: StoredFailure | None) -> str:
    if refusal is not None:
        return f"not measured: {refusal}"
    if failure is None:
        return ""
    step, why = failure.step, failure.reason
    if step == INTERFACE_STEP:
        return f"not measured: {why}"
    return f"not made: {why}" if why.startswith(step) else f"not made: {step}: {why}"


def _measure(
    recipe: str,
    baseline: str,
    evidence: Evidence,
    long_trials: Mapping[str, SustainedTrial],
    conditions: tuple[Conditions, ...],
) -> Variant:
    """A variant's own numbers, before it is compared with the baseline."""
    metrics, records, artifact = registry(), evidence.records, evidence.artifact
    found = {name: measures.estimate(metric, evidence) for name, metric in metrics.items()}
    energy = measures.energy_details(evidence)
    # What a variant is for, without which it has failed.
    needed = evidence.valid("outputs")[1] if evidence.emulated else found["latency"].reason
    return Variant(
        recipe=recipe,
        is_baseline=recipe == baseline,
        artifact=artifact.sha256 if artifact else "",
        failure=evidence.not_made or ("" if found["latency"].value is not None else needed),
        estimates=found,
        blocks={name: measures.blocks(metric, evidence) for name, metric in metrics.items()},
        latency=measures.latency_details(evidence),
        energy=energy,
        answers=evidence.answers,
        delegation=_delegation(evidence),
        conditions=conditions,
        load=disturbance.load(conditions),
        sustained=sustained.over([long_trials[r.trial] for r in records if r.trial in long_trials]),
        valid_trials=sum(r.state == "valid" for r in records),
        failed_trials=sum(r.state != "valid" for r in records),
        warnings=tuple(dict.fromkeys(_variant_warnings(evidence, energy.asked, found["energy"]))),
    )


def _variant_warnings(evidence: Evidence, energy_asked: bool, energy: Estimate) -> Iterator[Remark]:
    """What was noticed while a variant was made and measured."""
    if evidence.artifact:
        yield from (Remark("compression", text) for text in evidence.artifact.warnings)
    for record in evidence.records:
        yield from (Remark("trial", text) for text in record.warnings)
    if energy_asked and energy.value is None:
        yield Remark("no_energy", f"No energy: {energy.reason}.")
    if measures.accuracies_differ(evidence):
        yield Remark("accuracies_differ", "accuracy differs between trials of the same file")


def _delegation(evidence: Evidence) -> Delegation | None:
    """What the delegate took; and what it was meant to leave, as the last step reported."""
    found, artifact = measures.delegation_of(evidence.records), evidence.artifact
    if found is None or artifact is None or not artifact.provenance.steps:
        return found
    return replace(found, sparse=artifact.provenance.steps[-1].sparse_kernels or 0)


def _against(
    variant: Variant, evidence: Evidence, base: tuple[Variant, Evidence] | None, baseline: str
) -> Variant:
    """The variant with its comparisons to the baseline."""
    disturbed = disturbance.withheld(variant.load, base[0].load if base else None)

    def change(metric: Metric) -> Estimate:
        if variant.is_baseline:
            return Estimate.missing("the baseline itself")
        if base is None:
            return Estimate.missing(f"the baseline {baseline!r} is not in the run")
        if metric.kind == "latency" and (invalid := variant.invalid or base[0].invalid):
            whose = "" if variant.invalid else "the baseline: "
            return Estimate.missing(f"{whose}{invalid}")
        # The load is that on latency trials.
        if disturbed and metric.kind == "latency" and metric.disturbed_by_load:
            return Estimate.missing(disturbed)
        return measures.change(metric, base[1], evidence)

    changes = {name: change(metric) for name, metric in registry().items() if metric.change}
    alike = {}
    if base is not None and not variant.is_baseline:
        found = measures.similarity(base[1], evidence)
        alike = {"similarity": found.snr, "agreement": found.agreement}
    elif variant.is_baseline:
        alike = dict.fromkeys(("similarity", "agreement"), Estimate.missing("the baseline itself"))
    return replace(
        variant, disturbed=disturbed, changes=changes, estimates={**variant.estimates, **alike}
    )


def _primary(variants: Sequence[Variant]) -> str:
    """The metric by which the variants were scored first: the baseline's, if it was scored."""
    scored = [v.answers for v in variants if v.answers is not None and v.answers.scores]
    return scored[0].scores[0].name if scored else ACCURACY


def _front(variants: Sequence[Variant], quality: Metric) -> list[bool]:
    is_scored = any(v[quality.name].value is not None for v in variants)
    return pareto.front(
        [
            [
                None if v.disturbed or v.invalid else v["latency"].value,
                v["size"].value,
                *([_cost(v[quality.name].value, quality)] if is_scored else []),
            ]
            for v in variants
        ]
    )


def _cost(value: float | None, metric: Metric) -> float | None:
    return -value if value is not None and metric.direction == "higher" else value


def _warnings(summary: Summary, run: Run, without_samples: int) -> tuple[str, ...]:
    warnings = []
    done = summary.valid_trials + len(summary.failed_trials)
    if summary.state != "finished":
        warnings.append(
            f"The run is not finished (state: {summary.state}): {done} of "
            f"{summary.planned_trials} planned trials are done."
        )
    elif done < summary.planned_trials:
        warnings.append(f"{summary.planned_trials - done} planned trials are missing.")
    if not summary.valid_trials:
        warnings.append("No trial is valid: there is nothing to compare.")
    for state, words in (
        ("failed", "failed"),
        ("invalid", "are INVALID: the device's state invalidated every attempt"),
    ):
        count = sum(trial.state == state for trial in summary.failed_trials)
        if count:
            warnings.append(f"{count} of {done} trials {words}.")
    damaged = [trial.reason for trial in summary.failed_trials if trial.code == DAMAGED]
    if damaged:
        warnings.append(
            f"Damaged lines of trials.jsonl, which count as failed trials: {len(damaged)}. "
            f"Of the first, {damaged[0]}."
        )
    if summary.repeated_trials:
        warnings.append(
            f"Trials that had to be repeated, because the device's state invalidated an attempt: "
            f"{summary.repeated_trials} of {done}. Every attempt is in trials.jsonl."
        )
    if without_samples:
        warnings.append(
            f"{without_samples} latency trials have no raw samples in the folder and are left out."
        )
    warnings += run.cautions
    warnings += [
        f"{device.name} was measured by {device.executor}, which keeps no samples: its latency is "
        "the mean of each trial, and cannot be compared with the app's."
        for device in run.devices
        if device.executor != AGENT
    ]
    few = {
        v["latency"].n
        for c in summary.comparisons
        for v in c.variants
        if 0 < v["latency"].n < estimates.ENOUGH_TRIALS
    }
    if few:
        warnings.append(
            f"Some variants have fewer than {estimates.ENOUGH_TRIALS} latency trials: "
            "they have no 95 % interval, and no difference is claimed for them."
        )
    warnings += [
        f"Device {missing.device!r} is missing ({missing.code}): {missing.reason}"
        for missing in run.missing
    ]
    return (*warnings, *run.warnings)
