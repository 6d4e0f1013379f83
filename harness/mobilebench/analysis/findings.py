"""What one should know of a variant before its numbers are believed: a sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.analysis import estimates, units
from mobilebench.analysis.requirement import ACCURACY, QualityRequirement, with_interval
from mobilebench.analysis.summary import Remark
from mobilebench.records import conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mobilebench.analysis.summary import Variant
    from mobilebench.analysis.sustained import Sustained
    from mobilebench.analysis.warmup import Convergence

#: Codes of the findings that the terminal, too, must show.
FOREMOST = frozenset({"answers_differ", "smaller_but_slower", "requirement_missed", "unlike"})
#: Calling the interpreter from Python costs microseconds: below this it is a large part.
OVERHEAD_NS = 10_000

_MANY_OUTLIERS = 0.05
_STRONG_DRIFT = 0.05
_OFTEN_UNSETTLED = 0.25
# A download is smaller by more, a file by less than this: pruned or clustered, but stored dense.
_CLEARLY_SMALLER = 1.1
_HARDLY_SMALLER = 1.02
_LISTED_OPERATORS = 5
#: Answers that are less like the baseline's than this are another model's (dB).
_UNLIKE_DB = 10.0
_BY_LOAD = "others' load was seen meanwhile"


def findings(variant: Variant, required: QualityRequirement) -> tuple[Remark, ...]:
    """The sentences that a variant, already compared with its baseline, gives rise to."""
    invalid = (Remark("answers_differ", f"INVALID: {variant.invalid}."),) if variant.invalid else ()
    if variant.failure:
        return invalid
    return (
        *invalid,
        *_load(variant),
        *_size_and_speed(variant),
        *_answers(variant, required),
        *_delegate(variant),
        *_energy(variant),
        *_quality(variant),
        *(Remark("conditions", text) for text in conditions.findings(variant.conditions)),
    )


def _load(variant: Variant) -> Iterator[Remark]:
    """The first of all causes: what else is odd about the times may well come from it."""
    found = variant.load
    if not found.loaded:
        return
    seen = found.in_words("latency")
    if found.withholds:
        yield Remark(
            "load", f"Disturbed by load: {seen}, so nothing is concluded from its latency."
        )
    else:
        yield Remark("load", f"Measured under load: {seen}. {found.taken_over}.")


def _size_and_speed(variant: Variant) -> Iterator[Remark]:
    smaller, gzip = variant.changes["size"].value, variant.changes["download"].value
    speedup = variant.changes["latency"]
    speed = speedup.interval
    if speed is not None and speed.high < 1 and speedup.value:
        code, lead = (
            ("smaller_but_slower", "Smaller but slower")
            if smaller and smaller > 1
            else ("slower", "Slower")
        )
        latency = units.times(1 / speedup.value)
        yield Remark(code, f"{lead} than the baseline: {latency} its latency.")
    elif speed is not None and speed.holds(1):
        yield Remark(
            "speed_not_shown",
            "No difference in speed to the baseline is shown: the interval includes 1.",
        )
    if smaller and gzip and smaller < _HARDLY_SMALLER and gzip > _CLEARLY_SMALLER:
        yield Remark(
            "smaller_download_only",
            f"Smaller only as a download ({units.times(gzip)}): "
            "the file on the device stores the weights as before.",
        )
    elif smaller and smaller < 1:
        yield Remark(
            "larger", f"Larger than the baseline: {units.times(1 / smaller)} its file size."
        )


def _answers(variant: Variant, required: QualityRequirement) -> Iterator[Remark]:
    for status, text in required.sentences(variant):
        yield Remark(f"requirement_{status}", text)
    if required.loss is not None and required.status(variant) != "met":
        return  # the change is in that sentence already
    metric = required.metric
    found = variant.changes[metric.name]
    change, interval = found.value, found.interval
    if change is None:
        alike = variant["similarity"]
        if alike.value is not None and alike.value < _UNLIKE_DB:
            yield Remark(
                "unlike",
                "Its answers are hardly like the baseline's: their similarity is "
                f"{units.decibels(alike.value)} over {units.grouped(alike.n)} samples.",
            )
        return
    if interval is None or interval.holds(0):
        return
    better = (change > 0) == (metric.direction == "higher")
    code = "more_accurate" if better else "less_accurate"
    if metric.name == ACCURACY:
        size = units.points(abs(change), units.decimals_of_share(found.n)).lstrip("+")
        word = "More" if better else "Less"
        yield Remark(
            code, f"{word} accurate than the baseline by {size} points, beyond the interval."
        )
        return
    word = "Better" if better else "Worse"
    said = with_interval(metric, found, difference=True)
    yield Remark(code, f"{word} in {metric.words} than the baseline: {said}.")


def _delegate(variant: Variant) -> Iterator[Remark]:
    found = variant.delegation
    if found is None or found.delegated >= found.nodes:
        return
    ours = dict(found.left)
    if found.sparse and ours.get("FULLY_CONNECTED", 0) >= found.sparse:
        layers = "layer is" if found.sparse == 1 else "layers are"
        yield Remark(
            "sparse_kernels",
            f"{found.sparse} sparse Dense {layers} computed by the runtime's own sparse kernels, "
            "as intended: the delegate has none.",
        )
        ours["FULLY_CONNECTED"] -= found.sparse
        if not any(ours.values()):
            return
    left = [name if count == 1 else f"{count} {name}" for name, count in ours.items() if count]
    rest = f" and {len(left) - _LISTED_OPERATORS} more" if len(left) > _LISTED_OPERATORS else ""
    names = f"; not delegated: {', '.join(left[:_LISTED_OPERATORS])}{rest}" if left else ""
    yield Remark(
        "partly_delegated", f"The delegate took {found.delegated} of {found.nodes} nodes{names}."
    )


def _modes(variant: Variant) -> Iterator[Remark]:
    """Two clusters, within trials or over them: their median may be a time that never occurs."""
    latency, n = variant.latency, variant["latency"].n
    within, over = latency.modes_within, latency.modes_over
    if within:
        # The trial in the middle speaks for all.
        typical = sorted(within, key=lambda modes: modes.share_high)[len(within) // 2]
        which = "the trial" if n == 1 else f"{len(within)} of {n} trials"
        yield Remark(
            "bimodal",
            f"Bimodal: the samples of {which} gather around two values "
            f"({units.duration(typical.low)} and {units.duration(typical.high)}, "
            f"{units.percent(typical.share_high, 0)} of them around the higher): "
            + (_BY_LOAD if variant.load.loaded else "cores or clock rates change within a trial")
            + ".",
        )
    if over is not None:
        yield Remark(
            "bimodal_over_trials",
            f"Bimodal over trials: {round(over.share_high * n)} of {n} run at about "
            f"{units.duration(over.high)}, the others at {units.duration(over.low)}: "
            + (
                f"{_BY_LOAD}."
                if variant.load.loaded
                else "a process lands in one of two states, and the median describes neither."
            ),
        )


def _warm_up(trials: Sequence[Convergence], loaded: bool) -> Iterator[Remark]:
    """Chance alone leaves a trial unsettled now and then: from a quarter on it is a finding."""
    unsettled = [trial.excess for trial in trials if not trial.settled]
    if unsettled and len(unsettled) >= _OFTEN_UNSETTLED * len(trials):
        middle = sorted(unsettled)[len(unsettled) // 2]
        word = "slower" if middle > 0 else "faster"
        yield Remark(
            "warmup_unsettled",
            f"The warm-up had not settled in {len(unsettled)} of {len(trials)} trials: its last "
            f"runs were {units.percent(abs(middle))} {word} than the first timed ones. "
            + (f"{_BY_LOAD.capitalize()}." if loaded else "Raise warmup_runs or warmup_seconds."),
        )


def _minutes(found: Sustained, loaded: bool) -> Iterator[Remark]:
    change, after = found.change.value or 0.0, found.throttled_after
    if after.value is None:
        yield Remark("no_throttling", f"No throttling seen: {after.reason}.")
        return
    of = "" if after.n == len(found.trials) else f" in {after.n} of {len(found.trials)} trials"
    word = "slower" if change > 0 else "faster"
    verb = "Slows down" if loaded else "Throttles"
    cause = f" {_BY_LOAD.capitalize()}." if loaded else ""
    yield Remark(
        "throttling",
        f"{verb} after {units.long_duration(after.value)} of sustained inference{of}; its steady "
        f"state is {units.percent(abs(change))} {word} than its first minute.{cause}",
    )


def _energy(variant: Variant) -> Iterator[Remark]:
    energy = variant.energy
    if energy.idle_watts is not None and energy.load_watts is not None:
        yield Remark(
            "energy_source",
            f"Energy by {energy.source}: {units.significant(energy.idle_watts)} W at rest, "
            f"{units.significant(energy.load_watts)} W under load.",
        )


def _quality(variant: Variant) -> Iterator[Remark]:
    latency, median = variant.latency, variant["latency"]
    if median.value is not None and median.value < OVERHEAD_NS:
        yield Remark(
            "near_overhead",
            f"A median of {units.duration(median.value)} is near the cost of the call itself, "
            "which is part of it: compare with care.",
        )
    if latency.outliers is not None and latency.outliers > _MANY_OUTLIERS:
        share = units.percent(latency.outliers)
        yield Remark("outliers", f"{share} of the samples are far outliers (kept).")
    yield from _modes(variant)
    yield from _warm_up(variant.latency.convergence, bool(variant.load.loaded))
    if variant.sustained is not None:
        yield from _minutes(variant.sustained, bool(variant.load.loaded))
    elif latency.drift is not None and abs(latency.drift) > _STRONG_DRIFT:
        word = "slows down" if latency.drift > 0 else "speeds up"
        cause = "heat, frequency or too short a warm-up"
        yield Remark(
            "drift",
            f"Latency {word} by {units.percent(abs(latency.drift))} within a trial: "
            f"{_BY_LOAD if variant.load.loaded else cause}.",
        )
    if 0 < median.n < estimates.ENOUGH_TRIALS:
        yield Remark("no_interval", f"No interval: {median.reason}.")
    if variant.failed_trials:
        total = variant.failed_trials + variant.valid_trials
        yield Remark(
            "failed_trials",
            f"{variant.failed_trials} of its {total} trials failed or are invalid.",
        )
