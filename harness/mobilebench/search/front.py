"""Which candidates are worth more than a look: the front, the chosen one, the nearest miss."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate

#: So many candidates, at most, are confirmed on data that no choice has seen.
MOST_CONFIRMED = 6


def front(aim: Aim, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The feasible candidates that no other one beats, by what is minimized first."""
    feasible = unique([c for c in candidates if aim.is_feasible(c)])
    best = [c for c in feasible if not any(aim.beats(other, c) for other in feasible)]
    return sorted(best, key=lambda c: (aim.values(c), c.loss or 0.0))


def chosen(aim: Aim, candidates: Sequence[Candidate], baseline: str = "") -> Candidate | None:
    """The one to ship, as far as the data to choose on tell; None: nothing keeps the limits.

    The best in what is minimized first, whose loss plus one standard error is within the limit.
    Among many candidates the best by the estimate alone is often one that was lucky, and would not
    keep the limit on other data; only where none has room to spare, the estimate decides. The
    baseline, which loses nothing against itself, does not count as one that has.

    Args:
        aim: what is searched for.
        candidates: to choose from.
        baseline: the hash of its file.
    """
    feasible = unique([c for c in candidates if aim.is_feasible(c)])
    safe = [c for c in feasible if aim.is_safe(c)]
    pool = safe if any(c.sha256 != baseline for c in safe) else feasible
    return min(pool, key=lambda c: (aim.values(c), c.loss or 0.0), default=None)


def to_confirm(aim: Aim, candidates: Sequence[Candidate], baseline: str = "") -> list[Candidate]:
    """The chosen one, then the rest of the front, spread over it: at most ``MOST_CONFIRMED``."""
    first = chosen(aim, candidates, baseline)
    if first is None:
        return []
    others = [c for c in front(aim, candidates) if c.recipe != first.recipe]
    room = MOST_CONFIRMED - 1
    if len(others) > room:
        last = len(others) - 1
        others = [others[round(place * last / (room - 1))] for place in range(room)]
    return [first, *others]


def nearest(aim: Aim, candidates: Sequence[Candidate]) -> Candidate | None:
    """Of those of which all is known, the one that misses the limits by least."""
    whole = [c for c in candidates if c.is_whole(aim.measures)]
    return min(whole, key=lambda c: (aim.excess(c), aim.values(c)), default=None)


def unique(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Each file once: several recipes may make the same one."""
    return list({c.sha256 or c.recipe: c for c in reversed(candidates)}.values())[::-1]


def hypervolume(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """How much of the space up to a reference is dominated; everything is minimized.

    Args:
        points: of any number of dimensions; what is not below the reference counts for nothing.
        reference: the worst value of each dimension.
    """
    inside = [tuple(p) for p in points if all(x < r for x, r in zip(p, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(p[0] for p in inside)
    volume, edge = 0.0, reference[0]
    for value in sorted({p[0] for p in inside}, reverse=True):
        rest = [p[1:] for p in inside if p[0] <= value]
        volume += (edge - value) * hypervolume(rest, reference[1:])
        edge = value
    return volume
