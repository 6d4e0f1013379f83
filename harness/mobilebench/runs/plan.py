"""Which trial when: seeded, interleaved blocks.

Every block holds each variant once, in an order drawn anew, so that whatever drifts with time
(heat, other load) meets all variants alike, and a block's trials can be compared in pairs.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from mobilebench.metrics import REPEATED_KINDS, Metric
from mobilebench.records.trial import PlannedTrial


def measured_kinds(metrics: Iterable[Metric], energy: bool) -> tuple[str, ...]:
    """The kinds of trials that some metrics need repeated, in a plan's order.

    Energy takes long: it is measured if ``energy`` says that it is asked for as well. ``outputs``
    is not among them: every plan has one such trial of each variant, whatever else is measured.
    """
    needed = {metric.kind for metric in metrics} - (set() if energy else {"energy"})
    return tuple(kind for kind in REPEATED_KINDS if kind in needed)


@dataclass(frozen=True)
class PlannedVariant:
    """A variant that has an artifact."""

    model: str
    recipe: str


#: Kind, block, variant and runtime of each trial.
_Order = list[tuple[str, int, PlannedVariant, str]]


def make_plan(
    run: str,
    device: str,
    variants: Sequence[PlannedVariant],
    runtimes: Sequence[str],
    blocks: int,
    seed: int,
    energy: bool = False,
) -> tuple[PlannedTrial, ...]:
    """All trials of one device, in the order they are to run.

    Memory and outputs come first, once each: they are the same in every repetition, and a
    model that cannot run at all, or answers wrongly, is found out before an hour is spent. Trial
    names start with the run's, so that a result of another run is never taken for ours. Energy
    comes last, once each, if it is asked for: its long windows heat a phone, and are replicates in
    themselves.
    """
    pairs = [(variant, runtime) for variant in variants for runtime in runtimes]
    order: _Order = []
    order += [("memory", 0, variant, runtime) for variant, runtime in pairs]
    order += [("outputs", 0, variant, runtime) for variant, runtime in pairs]
    for block in range(blocks):
        # A generator for each block: adding blocks leaves the earlier ones as they were.
        shuffled = random.Random(f"{seed}/{device}/{block}").sample(pairs, len(pairs))
        order += [("latency", block, variant, runtime) for variant, runtime in shuffled]
    if energy:
        shuffled = random.Random(f"{seed}/{device}/energy").sample(pairs, len(pairs))
        order += [("energy", 0, variant, runtime) for variant, runtime in shuffled]
    return _numbered(run, device, order, device)


def on_emulated(plan: Iterable[PlannedTrial], emulated: Container[str]) -> tuple[PlannedTrial, ...]:
    """The plan, but of devices whose processor is emulated only the trials that answer.

    Args:
        plan: the trials of some devices.
        emulated: the names of such devices.
    """
    return tuple(t for t in plan if t.kind == "outputs" or t.device not in emulated)


def make_gate_plan(
    run: str,
    device: str,
    variants: Sequence[PlannedVariant],
    runtimes: Sequence[str],
    blocks: int,
    seed: int,
    kinds: Sequence[str],
) -> tuple[PlannedTrial, ...]:
    """All trials of a gate on one device: a model's variants beside each other, in random order.

    Unlike a suite's, a gate's memory and energy are measured in every block, because they are
    tested, and the variants of one model follow each other, because only they are compared. A trial
    of each baseline comes before all others: it shows how many warm-up runs all of them get. A plan
    with more blocks starts with the trials of one with fewer, under the same names.

    Args:
        run: the run's name.
        device: where.
        variants: of all models; of each its baseline first, then its candidates.
        runtimes: by name.
        blocks: how many times each variant is run.
        seed: of the order.
        kinds: which of ``latency``, ``memory`` and ``energy`` are measured.
    """
    models = list(dict.fromkeys(variant.model for variant in variants))
    baselines = [next(v for v in variants if v.model == model) for model in models]
    first = [("warmup", 0, baseline, runtime) for baseline in baselines for runtime in runtimes]
    warmups = _numbered(run, f"{device}.warmup", first if "latency" in kinds else [], device)
    order: _Order = [
        ("outputs", 0, variant, runtime) for variant in variants for runtime in runtimes
    ]
    for block in range(blocks):
        shuffle = random.Random(f"{seed}/{device}/{block}")
        groups = [(model, runtime) for model in models for runtime in runtimes]
        for model, runtime in shuffle.sample(groups, len(groups)):
            compared = [variant for variant in variants if variant.model == model]
            for kind in REPEATED_KINDS:
                if kind in kinds:
                    shuffled = shuffle.sample(compared, len(compared))
                    order += [(kind, block, variant, runtime) for variant in shuffled]
    return warmups + _numbered(run, device, order, device)


def _numbered(run: str, group: str, order: _Order, device: str) -> tuple[PlannedTrial, ...]:
    return tuple(
        PlannedTrial(
            f"{run}.{group}.{number:05d}",
            kind,
            block,
            device,
            variant.model,
            variant.recipe,
            runtime,
        )
        for number, (kind, block, variant, runtime) in enumerate(order)
    )
