"""The loop: ask for a recipe, find out what it is worth, tell, until the budget is spent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from mobilebench.compress.recipe import Recipe
from mobilebench.search.candidate import Candidate
from mobilebench.search.ladder import Ladder
from mobilebench.search.rungs import epochs_of
from mobilebench.search.study import Asked, Study
from mobilebench.search.view import End

_SPENT = "spent"
#: Wall-clock time that no correction of the clock changes while a process runs.
_BEGUN = time.time() - time.monotonic()
#: After so many proposals in a row that were known before, there is nothing new to find.
_MOST_REPEATED = 100


def _seconds() -> float:
    return _BEGUN + time.monotonic()


class OnCandidate(Protocol):
    """Is given each candidate that came to an end, and all of them."""

    def __call__(self, candidate: Candidate, candidates: Sequence[Candidate], /) -> None:
        """Takes it."""


def explore(
    study: Study,
    ladder: Ladder,
    baseline: Candidate,
    start: Sequence[Recipe],
    *,
    budget: float,
    most: int | None = None,
    on_start: Callable[[str], None] = lambda _: None,
    on_candidate: OnCandidate = lambda *_: None,
    turn: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    clock: Callable[[], float] = _seconds,
) -> End:
    """Tries recipes until the budget is spent; what was tried before is not tried again.

    Nor is what another process is at.

    Args:
        study: the memory, and what proposes recipes.
        ladder: evaluates them.
        baseline: the model as it is.
        start: recipes to begin with.
        budget: seconds in all, with those of earlier sessions. The candidate under way at its end
            is finished.
        most: so many candidates, at most; None: as many as the budget allows.
        on_start: is given each recipe that begins.
        on_candidate: is given each candidate that came to an end.
        turn: has what a candidate needs for itself, where other processes are at the search.
        clock: seconds; a candidate that is interrupted costs its time, too.

    Returns:
        Why nothing more was tried.
    """
    given = {recipe.text for recipe in start}
    tried = {c.recipe for c in study.candidates()}
    # The cheapest first: what needs no training says within seconds what is to be beaten.
    ahead = sorted((r for r in start if r.text not in tried), key=epochs_of)
    time_spent = TimeSpent(study, clock)
    repeated = 0

    def evaluate(recipe: Recipe, given: bool) -> Candidate:
        on_start(recipe.text)
        try:
            with turn():
                return ladder.evaluate(recipe, [baseline, *study.candidates()], given=given)
        finally:
            time_spent.count()

    while True:
        with study.claiming():  # so that all processes together do not try more than `most`
            known = {c.recipe: c for c in study.candidates()}
            if spent_by(study) >= budget:
                return "budget"
            if most is not None and len({*known, *study.under_way()}) >= most:
                return "candidates"
            if repeated >= _MOST_REPEATED:
                return "exhausted"
            asked = None
            recipe = ahead.pop(0) if ahead else None
            if recipe is not None and not study.is_free(recipe):
                continue
            # What the space has no parameters for is tried, and teaches the sampler nothing.
            if recipe is not None and not study.begin_with(recipe):
                study.claim(recipe)
            else:
                asked = study.ask()
                if not asked.is_claimed or _text(asked) == baseline.recipe:
                    before = (
                        baseline if _text(asked) == baseline.recipe else known.get(_text(asked))
                    )
                    if before is None:  # no recipe, or another process has it under way
                        study.refuse(asked)
                    else:
                        study.tell(asked, before, otherwise=baseline.values, repeated=True)
                    repeated += 1
                    continue
        if asked is None:
            assert recipe is not None
            candidate = evaluate(recipe, given=True)
            study.add(candidate)
        else:
            assert asked.recipe is not None
            candidate = evaluate(asked.recipe, given=asked.recipe.text in given)
            study.tell(asked, candidate, otherwise=baseline.values)
        repeated = 0
        on_candidate(candidate, study.candidates())


def _text(asked: Asked) -> str:
    return "" if asked.recipe is None else asked.recipe.text


class TimeSpent:
    """What this process takes of a search's budget, from now on.

    Args:
        study: keeps it.
        clock: seconds, the same for all processes.
    """

    def __init__(self, study: Study, clock: Callable[[], float] = _seconds) -> None:
        self._study = study
        self._clock = clock
        self._begin = clock()
        self._before = study.own(_SPENT) or []

    def count(self) -> None:
        """Keeps how far it is."""
        spans = [*self._before, [self._begin, self._clock()]]
        self._study.keep_own(_SPENT, spans)


@contextlib.contextmanager
def counted(study: Study, clock: Callable[[], float] = _seconds) -> Iterator[None]:
    """Counts what is done within it as time of the search, whatever comes of it."""
    spent = TimeSpent(study, clock)
    try:
        yield
    finally:
        spent.count()


def spent_by(study: Study) -> float:
    """How many seconds a search has taken so far; those of several processes at once count once."""
    spent, last = 0.0, float("-inf")
    for begin, end in sorted(span for spans in study.kept_by_each(_SPENT) for span in spans):
        spent += max(0.0, end - max(begin, last))
        last = max(last, end)
    return spent
