"""How a search stands, and what came of it: what terminal, page and JSON show."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mobilebench.metrics import Metric
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate, Measure
from mobilebench.search.front import chosen, front, nearest

SearchState = Literal["searching", "confirming", "interrupted", "finished"]
#: Why nothing more is tried: the time is spent, the candidates that were asked for are there, or
#: what is drawn was known before.
End = Literal["budget", "candidates", "exhausted"]
#: Whether limits are kept on unseen data: by the whole interval, by the estimate, not, not known.
Holds = Literal["shown", "estimated", "missed", "unknown"]


@dataclass(frozen=True)
class Confirmed:
    """A candidate on data that no choice has seen.

    Attributes:
        candidate: as it was when it was chosen.
        values: what the run measured, and the multiply-accumulates of its file.
        loss: in the unit in which reports show it; None: it was not measured.
        low, high: its 95 % interval.
        holds: whether it keeps the limits there.
        reason: why it does not, or why that is not known.
    """

    candidate: Candidate
    values: Mapping[Measure, float]
    loss: float | None
    low: float | None
    high: float | None
    holds: Holds
    reason: str = ""


@dataclass(frozen=True)
class SearchView:
    """How a search stands.

    Attributes:
        folder: of the search.
        name, model, device: what is searched for where.
        state: how far it is.
        aim: what it is for.
        metric: what quality is measured by.
        samples: how many samples choose.
        baseline: the model as it is.
        candidates: what was tried, in order.
        spent, budget: seconds.
        confirmed: the candidates that were measured on unseen data, the chosen one first.
        run: the folder of the run that measured them; None: there is none yet.
        end: why no more was tried; None: it goes on, or was interrupted.
    """

    folder: Path
    name: str
    model: str
    device: str
    state: SearchState
    aim: Aim
    metric: Metric
    samples: int
    baseline: Candidate
    candidates: tuple[Candidate, ...]
    spent: float
    budget: float
    confirmed: tuple[Confirmed, ...] = ()
    run: Path | None = None
    end: End | None = None

    @property
    def all(self) -> tuple[Candidate, ...]:
        """The candidates, and the model as it is: it may be the best there is."""
        return (self.baseline, *self.candidates)

    @property
    def front(self) -> list[Candidate]:
        """The candidates that keep the limits and that no other beats."""
        return front(self.aim, self.all)

    @property
    def chosen(self) -> Candidate | None:
        """The one to ship, by the data to choose on."""
        return chosen(self.aim, self.all, self.baseline.sha256)

    @property
    def nearest(self) -> Candidate | None:
        """The one that misses the limits by least."""
        return nearest(self.aim, self.all)

    @property
    def optimism(self) -> float | None:
        """How much more the confirmed candidates lose on unseen data than on those to choose on.

        The mean, in the unit in which reports show a loss; None: nothing was confirmed. The model
        as it is loses nothing anywhere, and is left out.
        """
        more = [
            c.loss - c.candidate.loss
            for c in self.confirmed
            if c.loss is not None
            and c.candidate.loss is not None
            and c.candidate.recipe != self.baseline.recipe
        ]
        return statistics.fmean(more) if more else None

    @property
    def holds(self) -> bool:
        """Whether the chosen one keeps the limits on unseen data, by its estimates."""
        return bool(self.confirmed) and self.confirmed[0].holds in ("shown", "estimated")

    @property
    def unit(self) -> str:
        """Of a loss: ``points`` of a share, else the metric's own."""
        return "points" if self.metric.unit == "share" else self.metric.words
