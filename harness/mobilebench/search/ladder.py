"""One candidate, the cheapest question first: size and multiply-accumulates, speed, quality.

What fails one is not asked the next.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from mobilebench.analysis import units
from mobilebench.compress.artifact import Artifact, Failure
from mobilebench.compress.recipe import Recipe
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import GZIP, Candidate, Measure
from mobilebench.search.front import chosen, nearest
from mobilebench.search.rungs import depends_on_weights, shorter, untrained
from mobilebench.tflite.inspect.show import short_count

#: Where a size depends on the weights, a stand-in's is right to within that share.
_ROUGH = 0.1
#: What an untrained stand-in is measured by. Energy takes longer than much training: it comes last.
_SOON: tuple[Measure, ...] = ("latency", "memory")
#: After short training a candidate may lose so many times the limit, and still be worth the rest.
_PATIENCE = 3.0
#: From so many on, the better half of those after short training goes on, too.
_FEWEST_HALVED = 4


@dataclass(frozen=True)
class Judged:
    """The quality of a file on the validation half, in the unit in which reports show it.

    ``loss`` is how much worse than the baseline's; ``error`` its standard error, where known.
    """

    quality: float
    loss: float
    error: float | None


class Bench(Protocol):
    """What makes and measures files."""

    def make(self, recipe: Recipe) -> Artifact | Failure:
        """The file of a recipe; BadInputError: the recipe is not for this model."""

    def judge(self, artifact: Artifact) -> Judged:
        """Its quality; TrialError where it has none."""

    def measure(self, name: Measure, artifact: Artifact, best: Candidate | None) -> float:
        """What a file alone says (``macs``), or the device: ns, bytes or joules.

        Args:
            name: of what neither training nor packing decides.
            artifact: the file.
            best: the best so far, that latency is measured beside; None: the model as it is.

        Raises:
            TrialError: it has none.
        """


class _NoCandidateError(Exception):
    """Why a candidate went no farther, and what is known of it."""

    def __init__(self, candidate: Candidate) -> None:
        super().__init__(candidate.reason)
        self.candidate = candidate


_Result = TypeVar("_Result")


class Ladder:
    """Evaluates candidates.

    Args:
        aim: what is searched for.
        bench: makes and measures files.
        clock: seconds, to say what each candidate cost.
    """

    def __init__(self, aim: Aim, bench: Bench, clock: Callable[[], float] = time.monotonic) -> None:
        self._aim = aim
        self._bench = bench
        self._clock = clock

    def evaluate(
        self, recipe: Recipe, known: Sequence[Candidate], *, given: bool = False
    ) -> Candidate:
        """All that is worth knowing of a recipe.

        Args:
            recipe: to try.
            known: the candidates before it.
            given: whether it is one to begin with: it is trained in full, whatever it promises.
        """
        begin = self._clock()
        try:
            found = self._climb(Candidate(recipe.text, "measured"), recipe, known, given)
        except _NoCandidateError as stopped:
            found = stopped.candidate
        except BadInputError as error:
            found = Candidate(recipe.text, "refused", str(error))
        return replace(found, given=given, seconds=round(self._clock() - begin, 3))

    def _climb(
        self, so_far: Candidate, recipe: Recipe, known: Sequence[Candidate], given: bool
    ) -> Candidate:
        stand_in = untrained(recipe)
        if stand_in is not None:
            plain = self._make(so_far, stand_in)
            so_far = self._sized(so_far, plain)
            rough = _ROUGH if depends_on_weights(recipe) else 0.0
            self._screen(so_far, known, rough)
            so_far = self._measured(so_far, plain, known, _SOON)
            self._screen(so_far, known, rough)
            short = None if given else shorter(recipe)
            if short is not None:
                loss = self._try(so_far, self._bench.judge, self._make(so_far, short)).loss
                so_far = replace(so_far, short_loss=loss)
                self._halve(so_far, known)
        artifact = self._make(so_far, recipe)
        so_far = self._sized(so_far, artifact)
        self._screen(so_far, known)
        judged = self._try(so_far, self._bench.judge, artifact)
        so_far = replace(
            so_far,
            sha256=artifact.sha256,
            quality=judged.quality,
            loss=judged.loss,
            error=judged.error,
        )
        too_bad = judged.loss - 2 * (judged.error or 0.0) > self._aim.max_loss
        if too_bad and not given and not so_far.is_whole(self._aim.measures):
            raise _NoCandidateError(
                replace(so_far, state="screened", reason=f"it loses {judged.loss:.2f}")
            )
        return self._measured(so_far, artifact, known, self._aim.measures)

    def _make(self, so_far: Candidate, recipe: Recipe) -> Artifact:
        made = self._bench.make(recipe)
        if isinstance(made, Failure):
            raise _NoCandidateError(replace(so_far, state="failed", reason=made.reason))
        return made

    def _try(
        self, so_far: Candidate, measure: Callable[[Artifact], _Result], artifact: Artifact
    ) -> _Result:
        try:
            return measure(artifact)
        except TrialError as error:
            failed = replace(so_far, state="failed", reason=error.reason)
            raise _NoCandidateError(failed) from error

    def _sized(self, so_far: Candidate, artifact: Artifact) -> Candidate:
        sizes: dict[Measure, float] = {
            "size": artifact.bytes,
            "download": artifact.sizes[GZIP],
        }
        so_far = replace(so_far, values={**so_far.values, **sizes})
        return self._measured(so_far, artifact, (), ("macs",))

    def _measured(
        self,
        so_far: Candidate,
        artifact: Artifact,
        known: Sequence[Candidate],
        names: Sequence[Measure],
    ) -> Candidate:
        """With those of the measures that count and are not known yet."""
        best = chosen(self._aim, known)
        for name in names:
            if name in self._aim.measures and name not in so_far.values:
                measure = functools.partial(self._bench.measure, name, best=best)
                value = self._try(so_far, measure, artifact)
                so_far = replace(so_far, values={**so_far.values, name: value})
        return so_far

    def _screen(self, so_far: Candidate, known: Sequence[Candidate], rough: float = 0.0) -> None:
        """Stops what misses a limit, or what another one beats whatever its quality."""
        values = {
            name: value * (1 - rough) if name in ("size", "download") else value
            for name, value in so_far.values.items()
        }
        hopeful = replace(so_far, values=values)
        for name, limit in self._aim.limits.items():
            if values.get(name, 0.0) > limit and not self._is_nearest(hopeful, known):
                said = beyond(name, so_far.values[name], limit)
                raise _NoCandidateError(replace(so_far, state="screened", reason=said))
        if all(name in values for name in self._aim.minimize):
            for other in known:
                # One that would be chosen itself: what has no room to spare may be passed over.
                if self._aim.is_safe(other) and self._aim.beats(other, hopeful):
                    said = f"{other.recipe} beats it, whatever its quality"
                    raise _NoCandidateError(replace(so_far, state="screened", reason=said))

    def _is_nearest(self, so_far: Candidate, known: Sequence[Candidate]) -> bool:
        """Whether nothing keeps the limits, and nothing misses them by less: it is worth a look."""
        other = nearest(self._aim, known)
        if other is None:
            return False
        return 0 < self._aim.excess(so_far) < self._aim.excess(other)

    def _halve(self, so_far: Candidate, known: Sequence[Candidate]) -> None:
        """Stops what is bad after short training, and among the worse half of its like."""
        assert so_far.short_loss is not None
        if so_far.short_loss <= _PATIENCE * max(self._aim.max_loss, 1.0):
            return
        others = sorted(c.short_loss for c in known if c.short_loss is not None)
        if len(others) < _FEWEST_HALVED or so_far.short_loss > others[len(others) // 2]:
            said = f"after a quarter of its training it loses {so_far.short_loss:.2f}"
            raise _NoCandidateError(replace(so_far, state="screened", reason=said))


def beyond(name: Measure, value: float, limit: float) -> str:
    """That a limit is missed, in words."""
    title = "number of MACs" if name == "macs" else name
    return f"its {title} is {shown(name, value)}, and {shown(name, limit)} is the limit"


def shown(name: Measure, value: float) -> str:
    """A measure as people read it."""
    if name == "macs":
        return short_count(round(value))
    if name == "energy":
        return units.energy(value)
    return units.duration(value) if name == "latency" else units.size(value)
