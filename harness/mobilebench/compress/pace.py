"""How long is left until all variants are made, learned from the steps that were."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mobilebench.compress.recipe import Recipe
from mobilebench.compress.step import BaselineStep, Step, TrainingStep

#: What is done to a Keras model after each of its steps.
_CONVERT = "convert"


@dataclass
class _UnderWay:
    """What a variant is at: the step's text, since when, and which share of it is done."""

    text: str
    since: float
    share: float | None = None


class Pace:
    """Estimates the time left from how long steps of the same name took: an epoch of a training.

    What recipes begin with alike counts once. A variant that is in the cache and was not looked up
    yet counts as if it had to be made: the estimate can be too long by that.

    Args:
        variants: the model, by any name that is its own, and the recipe, by their positions.
        at_once: how many are made side by side.
        now: the time (s).
    """

    def __init__(
        self,
        variants: Sequence[tuple[str, Recipe]],
        at_once: int = 1,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chains = [
            (model, tuple(s for s in recipe.steps if not isinstance(s, BaselineStep)))
            for model, recipe in variants
        ]
        self._at_once = at_once
        self._now = now
        self._took: dict[str, list[float]] = defaultdict(list)
        self._made: set[tuple[str, tuple[Step, ...]]] = set()
        self._under_way: dict[int, _UnderWay] = {}
        self._ended: set[int] = set()

    def at(self, variant: int, text: str, share: float | None = None) -> None:
        """A variant is at a step, of which a share is done (0 to 1), or nobody knows how much."""
        known = self._under_way.get(variant)
        if known is None or known.text != text:
            self._leave(variant)
            known = self._under_way[variant] = _UnderWay(text, self._now())
        known.share = share

    def pause(self, variant: int) -> None:
        """A variant waits for its turn."""
        self._leave(variant)

    def end(self, variant: int, *, made: bool) -> None:
        """A variant is made, or there will be none."""
        self._leave(variant)
        self._ended.add(variant)
        if made:
            model, steps = self._chains[variant]
            self._made |= {(model, steps[:length]) for length in range(len(steps) + 1)}

    def left(self) -> float | None:
        """Seconds until the last variant is made; None while that cannot be said."""
        waiting = [n for n in range(len(self._chains)) if n not in self._ended]
        if not waiting:
            return None
        each: dict[tuple[str, tuple[Step, ...]], float] = {}
        chains = []
        for number in waiting:
            model, steps = self._chains[number]
            chain = 0.0
            for length, step in enumerate(steps, start=1):
                here = (model, steps[:length])
                if here in self._made:
                    continue
                if here not in each:
                    expected = self._expected(step)
                    if expected is None and not self._shows(number, step):
                        return None
                    each[here] = self._rest(number, step, expected)
                chain += each[here]
            chains.append(chain)
        workers = min(self._at_once, len(waiting))
        return max(sum(each.values()) / workers, *chains)

    def _leave(self, variant: int) -> None:
        known = self._under_way.pop(variant, None)
        if known is None:
            return
        seconds = self._now() - known.since
        if known.text == _CONVERT:
            self._took[_CONVERT].append(seconds)
            return
        model, steps = self._chains[variant]
        for length, step in enumerate(steps, start=1):
            here = (model, steps[:length])
            if step.text() == known.text and here not in self._made:
                self._took[step.name].append(seconds / _epochs(step))
                self._made.add(here)
                return

    def _shows(self, variant: int, step: Step) -> bool:
        """Whether a step says by itself how far it is."""
        known = self._under_way.get(variant)
        return known is not None and known.text == step.text() and bool(known.share)

    def _rest(self, variant: int, step: Step, expected: float | None) -> float:
        known = self._under_way.get(variant)
        if known is None or known.text != step.text():
            return expected or 0.0
        elapsed = self._now() - known.since
        if known.share:
            return elapsed * (1 - known.share) / known.share
        return max((expected or 0.0) - elapsed, 0.0)

    def _expected(self, step: Step) -> float | None:
        """Seconds of a step; by others of its kind where none of its name was seen."""
        took = self._took.get(step.name) or [
            seconds for name in self._of_kind(step) for seconds in self._took.get(name, ())
        ]
        if not took:
            return None
        converted = self._took.get(_CONVERT, ())
        after = _mean(converted) if converted and isinstance(step, TrainingStep) else 0.0
        return _mean(took) * _epochs(step) + after

    def _of_kind(self, step: Step) -> set[str]:
        """The names of all steps that train, or of all that do not."""
        trains = isinstance(step, TrainingStep)
        every = (other for _, steps in self._chains for other in steps)
        return {other.name for other in every if isinstance(other, TrainingStep) is trains}


def _epochs(step: Step) -> int:
    return max(1, step.epochs) if isinstance(step, TrainingStep) else 1


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
