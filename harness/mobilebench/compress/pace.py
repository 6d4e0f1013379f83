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
class _Took:
    """How long so many steps of one name took together (s)."""

    seconds: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.count += 1


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
        # Steps of one model with the same ones before them are one, by a number: they are looked
        # up for all variants at each change of any.
        numbers: dict[tuple[str | int, Step], int] = {}
        self._chains: list[list[tuple[int, Step]]] = []
        for model, recipe in variants:
            before: str | int = model
            self._chains.append(chain := [])
            for step in recipe.steps:
                if not isinstance(step, BaselineStep):
                    before = numbers.setdefault((before, step), len(numbers))
                    chain.append((before, step))
        every = {step.name: isinstance(step, TrainingStep) for _, step in numbers}
        self._names = {
            trains: [name for name, it_does in every.items() if it_does is trains]
            for trains in (True, False)
        }
        self._at_once = at_once
        self._now = now
        self._took: dict[str, _Took] = defaultdict(_Took)
        self._made: set[int] = set()
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
            self._made.update(number for number, _ in self._chains[variant])

    def left(self) -> float | None:
        """Seconds until the last variant is made; None while that cannot be said."""
        waiting = [n for n in range(len(self._chains)) if n not in self._ended]
        if not waiting:
            return None
        each: dict[int, float] = {}
        longest = 0.0
        for variant in waiting:
            chain = 0.0
            for number, step in self._chains[variant]:
                if number in self._made:
                    continue
                if number not in each:
                    expected = self._expected(step)
                    if expected is None and not self._shows(variant, step):
                        return None
                    each[number] = self._rest(variant, step, expected)
                chain += each[number]
            longest = max(longest, chain)
        workers = min(self._at_once, len(waiting))
        return max(sum(each.values()) / workers, longest)

    def _leave(self, variant: int) -> None:
        known = self._under_way.pop(variant, None)
        if known is None:
            return
        seconds = self._now() - known.since
        if known.text == _CONVERT:
            self._took[_CONVERT].add(seconds)
            return
        for number, step in self._chains[variant]:
            if step.text() == known.text and number not in self._made:
                self._took[step.name].add(seconds / _epochs(step))
                self._made.add(number)
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
        trains = isinstance(step, TrainingStep)
        took = self._mean([step.name])
        if took is None:
            took = self._mean(self._names[trains])
        if took is None:
            return None
        after = (self._mean([_CONVERT]) or 0.0) if trains else 0.0
        return took * _epochs(step) + after

    def _mean(self, names: Sequence[str]) -> float | None:
        """Of the steps of these names; None where none was seen."""
        seen = [self._took[name] for name in names if name in self._took]
        count = sum(took.count for took in seen)
        return sum(took.seconds for took in seen) / count if count else None


def _epochs(step: Step) -> int:
    return max(1, step.epochs) if isinstance(step, TrainingStep) else 1
