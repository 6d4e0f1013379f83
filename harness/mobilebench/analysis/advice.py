"""What to ship: a few sentences, never stronger than the intervals permit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.analysis import estimates, units
from mobilebench.analysis.measures import block_ratios
from mobilebench.analysis.requirement import with_interval
from mobilebench.analysis.summary import Advice, Comparison, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMED = 3
_DISTURBED = (
    "Latency was disturbed by load, so this run cannot say which variant to ship or which is "
    "fastest: run again on a quiet machine."
)


def advise(comparison: Comparison) -> tuple[Advice, ...]:
    """The advice that a comparison supports, the most useful first."""
    measured = [v for v in comparison.variants if v["latency"].value is not None]
    if not measured:
        nothing = Advice("Nothing measured", "No variant has a valid latency trial.")
        return (nothing, *_answers(comparison))
    valid = [v for v in measured if not v.invalid]
    calm = [v for v in valid if not v.disturbed]
    if not valid:
        return (Advice("Ship", "No variant: none answers here as its file says."),
                *_answers(comparison))  # fmt: skip
    if not calm:
        return (
            Advice("Ship", _disturbed(comparison)),
            *_requirement(comparison),
            *_smallest(comparison),
            *_tradeoffs(comparison),
            *_answers(comparison),
        )
    unranked = _unranked(measured)
    return (
        Advice("Ship", _ship(comparison, calm) + unranked),
        *_requirement(comparison),
        Advice("Fastest", _fastest(comparison, calm) + unranked),
        *_smallest(comparison),
        *_tradeoffs(comparison),
        *_answers(comparison),
    )


def _disturbed(comparison: Comparison) -> str:
    """That nothing can be said of latency, and what still can."""
    if comparison.is_scored:
        return f"{_DISTURBED} Size and {comparison.quality.words} are not affected."
    why = _why_not_scored(comparison)
    return f"{_DISTURBED} Size is not affected; {why}."


def _unranked(measured: Sequence[Variant]) -> str:
    """Who takes no part, and why."""
    invalid = [v.recipe for v in measured if v.invalid]
    names = [v.recipe for v in measured if v.disturbed and not v.invalid]
    why = "because its answers here are not its file's"
    text = f" Left out as INVALID, {why}: {_names(invalid)}." if invalid else ""
    return text + (
        f" Left out, because load disturbed its latency: {_names(names)}." if names else ""
    )


def _answers(comparison: Comparison) -> Iterator[Advice]:
    """Who computes here what its file says, on which samples; nothing of older runs."""
    answered = [v for v in comparison.variants if v.answers is not None]
    if not answered:
        return
    compared = [v for v in answered if v["parity"].value is not None]
    right = [v for v in compared if not v.invalid]
    sources = {v.answers.source for v in answered if v.answers}
    on = "seeded noise: data would show more" if sources == {"noise"} else "the evaluation data"
    parts = []
    if right:
        verb = "answers" if len(right) == 1 else "answer"
        who = "Every variant answers" if right == answered else f"{_names_of(right)} {verb}"
        least = min(v["parity"].value or 0.0 for v in right)
        samples = units.grouped(max(v["parity"].n for v in right))
        parts.append(
            f"{who} here as the file itself says, with a parity of {units.decibels(least)} or more "
            f"on {samples} samples of {on}"
        )
    wrong = [v for v in compared if v.invalid]
    if wrong:
        parts.append(f"INVALID: {_names_of(wrong)}")
    unknown = [v for v in answered if v not in compared]
    if unknown:
        parts.append(f"not compared: {_names_of(unknown)} ({unknown[0]['parity'].reason})")
    yield Advice("Answers", f"{'; '.join(parts)}.")


def _names_of(variants: Sequence[Variant]) -> str:
    return _names([v.recipe for v in variants])


def _ship(comparison: Comparison, measured: Sequence[Variant]) -> str:
    """Which one to ship, and for which library: another one may rank the variants otherwise."""
    if not comparison.is_scored:
        return (
            f"Speed and size only: {_why_not_scored(comparison)}, so this run alone cannot say "
            "which variant to ship."
        )
    if any(v.is_baseline and v.invalid for v in comparison.variants):
        return (
            f"Nothing can be said: the baseline, {comparison.baseline}, does not answer here as "
            "its file says."
        )
    library = f" This holds for {comparison.library}." if comparison.library else ""
    return _chosen(comparison, measured) + library


def _chosen(comparison: Comparison, measured: Sequence[Variant]) -> str:
    within = comparison.requirement.shown()
    keeping = [v for v in measured if comparison.requirement.status(v) == "met"]
    others = [v for v in keeping if not v.is_baseline]
    baseline_keeps = len(others) < len(keeping)
    if not others:
        if len(comparison.variants) == 1 and baseline_keeps:
            return "The baseline is the only variant: there is nothing to compare it with."
        keep = ": keep the baseline" if baseline_keeps else ", the baseline included"
        open_ = any(comparison.requirement.status(v) == "open" for v in measured)
        more = " More evaluation samples make the intervals narrower." if open_ else ""
        return f"No variant is {within}{keep}.{more}"
    better = [v for v in others if is_gain(v)]
    if better:
        return _choice(better, keeping, within)
    if baseline_keeps:
        return (
            f"Keep {comparison.baseline}, the baseline: of the {_count(len(others), 'variant')} "
            f"{within}, none is smaller or shown to be faster."
        )
    return (
        f"{_names([v.recipe for v in others])}: {within}, as the baseline is not; none is smaller "
        "or shown to be faster than that."
    )


def _choice(better: Sequence[Variant], keeping: Sequence[Variant], within: str) -> str:
    """The best of those that gain something.

    The baseline competes, too: a file that is smaller but slower is no better on the phone.
    """
    racing = [v for v in keeping if v.is_baseline or v in better]
    smallest = min(racing, key=lambda v: (_or_inf(v["size"].value), _or_inf(v["latency"].value)))
    fastest = min(racing, key=lambda v: (-_speed_of(v), _or_inf(v["size"].value)))
    level = smallest in level_with(fastest, racing)
    if level and len(better) == 1:
        return (
            f"{smallest.recipe}: the only variant {within} that is smaller or shown to be faster "
            f"({_gain(smallest)})."
        )
    if smallest is fastest:
        return (
            f"{smallest.recipe}: the smallest and, by median, the fastest of the "
            f"{len(better)} variants {within} that gain in either ({_gain(smallest)})."
        )
    if level:
        return (
            f"{smallest.recipe}: the smallest of the {len(better)} variants {within} that gain in "
            f"size or speed ({_gain(smallest)}); none of them is shown to be faster."
        )
    text = f"{_where(smallest, 'size')}; {_where(fastest, 'latency')}."
    if _slower(smallest, fastest) is None:
        text += " Too few trials to tell their latencies apart."
    chosen = [v.recipe for v in (smallest, fastest) if not v.is_baseline]
    return f"{text} {'Both are' if len(chosen) == 2 else f'{chosen[0]} is'} {within}."


def _where(variant: Variant, what: str) -> str:
    if variant.is_baseline:
        return f"{variant.recipe}, the baseline, where {what} counts"
    return f"{variant.recipe} where {what} counts ({_gain(variant)})"


def _speed_of(variant: Variant) -> float:
    """The speed over the baseline's by the paired estimate, which its interval belongs to."""
    return 1.0 if variant.is_baseline else variant.changes["latency"].value or 0.0


def is_gain(variant: Variant) -> bool:
    """Whether it is smaller than the baseline, or shown to be faster."""
    size, speed = variant.changes["size"].value, variant.changes["latency"].interval
    return (size is not None and size > 1) or (speed is not None and speed.low > 1)


def _fastest(comparison: Comparison, measured: Sequence[Variant]) -> str:
    best = min(measured, key=lambda v: _or_inf(v["latency"].value))
    note = " Virtual device: not a phone's latency." if comparison.virtual else ""
    median = best["latency"]
    text = f"{best.recipe}: {units.duration(median.value or 0)}"
    if median.interval:
        text += f" [{units.duration(median.interval.low)}, {units.duration(median.interval.high)}]"
    if best.is_baseline:
        text += ", the baseline itself."
    elif best.changes["latency"].value is not None:
        text += f", {_speed(best)}."
    else:
        text += "."
    if median.interval is None:
        return f"{text} Too few trials to tell it from the others.{_below(comparison, best)}{note}"
    level = [v.recipe for v in level_with(best, measured) if v is not best]
    if level:
        text += f" The run does not separate it from {_names(level)}."
    unknown = [v.recipe for v in measured if v is not best and _slower(v, best) is None]
    if unknown:
        text += f" Too few trials to tell: {_names(unknown)}."
    return text + _below(comparison, best) + note


def _why_not_scored(comparison: Comparison) -> str:
    """Why there is no quality, as far as one sentence of it."""
    if not any(v.answers for v in comparison.variants):
        return f"{comparison.quality.words} was not measured"
    reasons = [v.answers.reason for v in comparison.variants if v.answers and v.answers.reason]
    if reasons:
        return f"the answers were not scored ({reasons[0].rstrip('.')})"
    return "without labels the answers were not scored"


def _below(comparison: Comparison, best: Variant) -> str:
    return f" {comparison.requirement.below}." if best.requirement == "missed" else ""


def _smallest(comparison: Comparison) -> Iterator[Advice]:
    sized = [v for v in comparison.variants if v["size"].value is not None and not v.invalid]
    if not sized:
        return
    best = min(sized, key=lambda v: (_or_inf(v["size"].value), _or_inf(v["download"].value)))
    text = f"{best.recipe}: {units.size(best['size'].value or 0)}"
    if best.changes["size"].value is not None and not best.is_baseline:
        size = _size(best.changes["size"].value)
        text += f", {size} {'than' if size.endswith('er') else 'as'} {comparison.baseline}"
    if best.is_baseline:
        text += ", the baseline itself"
    change = best.changes[comparison.quality.name]
    if change.value is not None and change.interval is not None:
        said = with_interval(comparison.quality, change, difference=True)
        text += f"; {comparison.quality.words} {said}"
    yield Advice("Smallest", f"{text}.{_below(comparison, best)}")


def _tradeoffs(comparison: Comparison) -> Iterator[Advice]:
    requirement, quality = comparison.requirement, comparison.quality
    compared = [
        v
        for v in comparison.variants
        if v.changes[quality.name].value is not None and not v.is_baseline and not v.invalid
    ]
    tradeoffs = [
        v.recipe
        for v in compared
        if requirement.status(v) == "met" and v.best_tradeoff and is_gain(v)
    ]
    if tradeoffs:
        yield Advice(
            "Best trade-offs",
            f"{_names(tradeoffs)}: {requirement.shown()}, and by point estimates no variant beats "
            f"{'it' if len(tradeoffs) == 1 else 'them'} in latency, size and {quality.words} at "
            "once.",
        )
    # Those whose loss is small by the point estimate, but not by the interval.
    open_ = [v for v in compared if requirement.status(v) == "open" and requirement.measured(v)]
    if open_ and not requirement.asked:
        samples = min(v.changes[quality.name].n for v in open_)
        yield Advice(
            "Undecided",
            f"{_names([v.recipe for v in open_])}: measured within "
            f"{requirement.margin()}, but {units.grouped(samples)} samples do not rule out a "
            "larger loss.",
        )


def _requirement(comparison: Comparison) -> Iterator[Advice]:
    """What was asked of the quality, and who keeps to it."""
    requirement = comparison.requirement
    if not requirement.asked:
        return
    words = {"met": "shown for", "missed": "not reached by", "open": "not decided for"}
    found = (
        (word, [v.recipe for v in comparison.variants if v.requirement == status and not v.invalid])
        for status, word in words.items()
    )
    by_status = "; ".join(f"{word} {_names(names)}" for word, names in found if names)
    asked = requirement.request()
    nothing = f"no {requirement.metric.words} was measured"
    yield Advice("Requirement", f"{asked[0].upper()}{asked[1:]}: {by_status or nothing}.")


def level_with(best: Variant, variants: Sequence[Variant]) -> list[Variant]:
    """Those whose interval of the per-block ratio to ``best`` does not rule out equal latency."""
    return [v for v in variants if v is best or _slower(v, best) is False]


def _slower(variant: Variant, best: Variant) -> bool | None:
    """Whether a variant is shown to be slower than another; None where trials are too few."""
    found = estimates.median(
        block_ratios(variant.blocks["latency"], best.blocks["latency"])
    ).interval
    return None if found is None else found.low > 1


def _gain(variant: Variant) -> str:
    """Size and speed in a few words; a speed only if its interval rules out the baseline's."""
    parts = []
    if variant.changes["size"].value is not None:
        parts.append(_size(variant.changes["size"].value))
    speed = variant.changes["latency"]
    if speed.value is not None and speed.interval is not None:
        if speed.interval.holds(1):
            parts.append("speed not shown to differ")
        elif speed.value > 1:
            parts.append(f"{units.times(speed.value)} the speed")
        else:
            parts.append(f"{units.times(1 / speed.value)} slower")
    return ", ".join(parts)


def _size(ratio: float) -> str:
    """The baseline's size over a variant's, in words: 3.9× smaller, 3.1× larger."""
    times = units.times(max(ratio, 1 / ratio))
    if times == units.times(1):
        return "the same size" if ratio == 1 else "nearly the same size"
    return f"{times} smaller" if ratio > 1 else f"{times} larger"


def _speed(variant: Variant) -> str:
    found = variant.changes["latency"]
    if found.value is None:
        return ""
    if found.interval is None:
        return f"{units.times(found.value)} the baseline's speed (no interval)"
    ends = (found.interval.low, found.interval.high)
    if found.interval.high < 1:
        high, low = (units.significant(1 / end) for end in ends)
        return f"{units.times(1 / found.value)} [{low}, {high}] slower than the baseline"
    low, high = (units.significant(end) for end in ends)
    if found.interval.holds(1):
        return f"not shown to differ from the baseline in speed [{low}, {high}]"
    return f"{units.times(found.value)} [{low}, {high}] the baseline's speed"


def _names(recipes: Sequence[str]) -> str:
    if len(recipes) > _NAMED:
        return f"{', '.join(recipes[:_NAMED])} and {len(recipes) - _NAMED} more"
    return " and ".join([", ".join(recipes[:-1]), recipes[-1]] if len(recipes) > 1 else recipes)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else value
