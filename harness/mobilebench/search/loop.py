"""The loop: ask for a recipe, find out what it is worth, tell, until the budget is spent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from mobilebench.compress.recipe import Recipe
from mobilebench.search.candidate import Candidate
from mobilebench.search.ladder import Ladder
from mobilebench.search.study import Study
from mobilebench.search.view import End

_SPENT = "spent"
#: After so many proposals in a row that were known before, there is nothing new to find.
_MOST_REPEATED = 100


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
    clock: Callable[[], float] = time.monotonic,
) -> End:
    """Tries recipes until the budget is spent; what was tried before is not tried again.

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
        clock: seconds; a candidate that is interrupted costs its time, too.

    Returns:
        Why nothing more was tried.
    """
    known = {c.recipe: c for c in study.candidates()}
    given = {recipe.text for recipe in start}
    # The space has no parameters for some of them: they are tried, and teach the sampler nothing.
    apart = [r for r in start if r.text not in known and not study.begin_with(r)]
    spent, last, repeated = spent_by(study), clock(), 0

    def count() -> None:
        nonlocal spent, last
        now = clock()
        spent, last = spent + now - last, now
        study.keep(_SPENT, spent)

    def evaluate(recipe: Recipe, given: bool) -> Candidate:
        on_start(recipe.text)
        try:
            return ladder.evaluate(recipe, [baseline, *known.values()], given=given)
        except BaseException:
            count()
            raise

    while True:
        if spent >= budget:
            return "budget"
        if most is not None and len(known) >= most:
            return "candidates"
        if repeated >= _MOST_REPEATED:
            return "exhausted"
        if apart:
            recipe = apart.pop(0)
            candidate = evaluate(recipe, given=True)
            study.add(candidate)
        else:
            asked = study.ask()
            if asked.recipe is None:
                study.refuse(asked)
                repeated += 1
                continue
            text = asked.recipe.text
            before = baseline if text == baseline.recipe else known.get(text)
            if before is not None:
                study.tell(asked, before, otherwise=baseline.values, repeated=True)
                repeated += 1
                continue
            candidate = evaluate(asked.recipe, given=text in given)
            study.tell(asked, candidate, otherwise=baseline.values)
        count()
        repeated = 0
        known[candidate.recipe] = candidate
        on_candidate(candidate, list(known.values()))


@contextlib.contextmanager
def counted(study: Study, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Counts what is done within it as time of the search, whatever comes of it."""
    begin = clock()
    try:
        yield
    finally:
        study.keep(_SPENT, spent_by(study) + clock() - begin)


def spent_by(study: Study) -> float:
    """How many seconds a search has taken so far."""
    return float(study.kept(_SPENT) or 0.0)
