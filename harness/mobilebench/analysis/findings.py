"""What one should know of a variant before its numbers are believed: a sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.analysis import estimates, units
from mobilebench.analysis.requirement import BELOW_REQUIREMENT, AccuracyRequirement
from mobilebench.records import conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mobilebench.analysis.summary import Variant
    from mobilebench.analysis.sustained import Sustained
    from mobilebench.analysis.warmup import Convergence

_SMALLER_BUT_SLOWER = "Smaller but slower"
#: How the sentences begin that the terminal, too, must tell.
FOREMOST = (_SMALLER_BUT_SLOWER, BELOW_REQUIREMENT)
#: Calling the interpreter from Python costs microseconds: below this it is a large part.
OVERHEAD_NS = 10_000

_MANY_OUTLIERS = 0.05
_STRONG_DRIFT = 0.05
_OFTEN_UNSETTLED = 0.25
# A download is smaller by more, a file by less than this: pruned or clustered, but stored dense.
_CLEARLY_SMALLER = 1.1
_HARDLY_SMALLER = 1.02
_LISTED_OPERATORS = 5
_BY_LOAD = "others' load was seen meanwhile"


def findings(variant: Variant, requirement: AccuracyRequirement) -> tuple[str, ...]:
    """The sentences that a variant, already compared with its baseline, gives rise to."""
    if variant.failure:
        return ()
    return (
        *_load(variant),
        *_size_and_speed(variant),
        *_accuracy(variant, requirement),
        *_delegate(variant),
        *_energy(variant),
        *_quality(variant),
        *conditions.findings(variant.conditions),
    )


def _load(variant: Variant) -> Iterator[str]:
    """The first of all causes: what else is odd about the times may well come from it."""
    if variant.load.disturbed:
        told = variant.load.told("latency")
        withheld = ", so nothing is concluded of its latency" if variant.load.withholds else ""
        yield f"Disturbed by load: {told}{withheld}."


def _size_and_speed(variant: Variant) -> Iterator[str]:
    smaller, gzip = variant.smaller.value, variant.gzip_smaller.value
    speed = variant.speedup.interval
    slower = speed is not None and speed.high < 1
    if slower and variant.speedup.value:
        lead = _SMALLER_BUT_SLOWER if smaller and smaller > 1 else "Slower"
        yield f"{lead} than the baseline: {units.times(1 / variant.speedup.value)} its latency."
    elif speed is not None and speed.holds(1):
        yield "No difference in speed to the baseline is shown: the interval holds 1."
    if smaller and gzip and smaller < _HARDLY_SMALLER and gzip > _CLEARLY_SMALLER:
        yield (
            f"Smaller only as a download ({units.times(gzip)}): "
            "the file on the device stores the weights as before."
        )
    elif smaller and smaller < 1:
        yield f"Larger than the baseline: {units.times(1 / smaller)} its file size."


def _accuracy(variant: Variant, requirement: AccuracyRequirement) -> Iterator[str]:
    yield from requirement.sentences(variant)
    if requirement.loss is not None and requirement.status(variant) != "met":
        return  # the change is told already
    change, interval = variant.accuracy_change.value, variant.accuracy_change.interval
    if change is None or interval is None:
        return
    decimals = units.decimals_of_share(variant.accuracy_change.n)
    if interval.high < 0 or interval.low > 0:
        word = "Less" if change < 0 else "More"
        size = units.points(abs(change), decimals).lstrip("+")
        yield f"{word} accurate than the baseline by {size} points, beyond the interval."


def _delegate(variant: Variant) -> Iterator[str]:
    told = variant.delegation
    if told is None or told.delegated >= told.nodes:
        return
    ours = dict(told.left)
    if told.sparse and ours.get("FULLY_CONNECTED", 0) >= told.sparse:
        layers = "layer is" if told.sparse == 1 else "layers are"
        yield (
            f"{told.sparse} sparse Dense {layers} computed by the runtime's own sparse kernels, "
            "as is meant: the delegate has none."
        )
        ours["FULLY_CONNECTED"] -= told.sparse
        if not any(ours.values()):
            return
    left = [name if count == 1 else f"{count} {name}" for name, count in ours.items() if count]
    rest = f" and {len(left) - _LISTED_OPERATORS} more" if len(left) > _LISTED_OPERATORS else ""
    names = f": {', '.join(left[:_LISTED_OPERATORS])}{rest} stayed behind" if left else ""
    yield f"The delegate took {told.delegated} of {told.nodes} nodes{names}."


def _modes(variant: Variant) -> Iterator[str]:
    """Two clusters, within trials or over them: their median may be a time that never occurs."""
    latency, n = variant.latency, variant.latency.median.n
    within, over = latency.modes_within, latency.modes_over
    if within:
        # The trial in the middle speaks for all.
        typical = sorted(within, key=lambda modes: modes.share_high)[len(within) // 2]
        which = "the trial" if n == 1 else f"{len(within)} of {n} trials"
        yield (
            f"Bimodal: the samples of {which} gather around two values "
            f"({units.duration(typical.low)} and {units.duration(typical.high)}, "
            f"{units.percent(typical.share_high, 0)} of them around the higher): "
            + (_BY_LOAD if variant.load.disturbed else "cores or clock rates change within a trial")
            + "."
        )
    if over is not None:
        yield (
            f"Bimodal over trials: {round(over.share_high * n)} of {n} run at about "
            f"{units.duration(over.high)}, the others at {units.duration(over.low)}: "
            + (
                f"{_BY_LOAD}."
                if variant.load.disturbed
                else "a process lands in one of two states, and the median stands for neither."
            )
        )


def _warm_up(trials: Sequence[Convergence], loaded: bool) -> Iterator[str]:
    """Chance alone leaves a trial unsettled now and then: a quarter of them is told."""
    unsettled = [trial.excess for trial in trials if not trial.settled]
    if unsettled and len(unsettled) >= _OFTEN_UNSETTLED * len(trials):
        middle = sorted(unsettled)[len(unsettled) // 2]
        word = "slower" if middle > 0 else "faster"
        yield (
            f"The warm-up had not settled in {len(unsettled)} of {len(trials)} trials: its last "
            f"runs were {units.percent(abs(middle))} {word} than the first timed ones. "
            + (f"{_BY_LOAD.capitalize()}." if loaded else "Raise warmup_runs or warmup_seconds.")
        )


def _minutes(told: Sustained, loaded: bool) -> Iterator[str]:
    change, after = told.change.value or 0.0, told.throttled_after
    if after.value is None:
        yield f"No throttling seen: {after.reason}."
        return
    of = "" if after.n == len(told.trials) else f" in {after.n} of {len(told.trials)} trials"
    word = "slower" if change > 0 else "faster"
    verb = "Slows down" if loaded else "Throttles"
    cause = f" {_BY_LOAD.capitalize()}." if loaded else ""
    yield (
        f"{verb} after {units.long_duration(after.value)} without a pause{of}; its steady state "
        f"is {units.percent(abs(change))} {word} than its first minute.{cause}"
    )


def _energy(variant: Variant) -> Iterator[str]:
    energy = variant.energy
    if energy.idle_watts is not None and energy.load_watts is not None:
        yield (
            f"Energy by {energy.source}: {units.significant(energy.idle_watts)} W at rest, "
            f"{units.significant(energy.load_watts)} W under load."
        )


def _quality(variant: Variant) -> Iterator[str]:
    latency = variant.latency
    median = latency.median.value
    if median is not None and median < OVERHEAD_NS:
        yield (
            f"A median of {units.duration(median)} is near the cost of the call itself, "
            "which is part of it: compare with care."
        )
    if latency.outliers is not None and latency.outliers > _MANY_OUTLIERS:
        yield f"{units.percent(latency.outliers)} of the samples are far outliers (kept)."
    yield from _modes(variant)
    yield from _warm_up(variant.latency.convergence, bool(variant.load.disturbed))
    if variant.sustained is not None:
        yield from _minutes(variant.sustained, bool(variant.load.disturbed))
    elif latency.drift is not None and abs(latency.drift) > _STRONG_DRIFT:
        word = "slows down" if latency.drift > 0 else "speeds up"
        cause = "heat, frequency or too short a warm-up"
        yield (
            f"Latency {word} by {units.percent(abs(latency.drift))} within a trial: "
            f"{_BY_LOAD if variant.load.disturbed else cause}."
        )
    if 0 < latency.median.n < estimates.ENOUGH_TRIALS:
        yield f"No interval: {latency.median.reason}."
    if variant.failed_trials:
        total = variant.failed_trials + variant.valid_trials
        yield f"{variant.failed_trials} of its {total} trials failed or are invalid."
