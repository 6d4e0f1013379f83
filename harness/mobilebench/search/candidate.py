"""What is known of one recipe that a search tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

#: ``download``: the file after gzip; ``macs``: the multiply-accumulates of one inference. Each but
#: these is a metric of runs, too, of the same name. The cheapest to find out come first.
Measure = Literal["size", "download", "macs", "latency", "memory", "energy"]
#: What an artifact calls that packing.
GZIP = "gzip"

#: ``measured``: all is known; ``screened``: it was out of the question before; ``refused``: the
#: recipe is not possible; ``failed``: making or measuring it went wrong.
State = Literal["measured", "screened", "refused", "failed"]


@dataclass(frozen=True)
class Candidate:
    """One recipe.

    Attributes:
        recipe: its text.
        state: how far it came.
        reason: why no farther.
        values: in bytes, multiply-accumulates, nanoseconds and joules.
        quality: on the validation half, in the unit in which reports show it.
        loss: how much worse than the baseline's that is, in the same unit.
        error: the standard error of the loss; None where it is not known.
        short_loss: the same after a quarter of the training; None: it was not looked at.
        sha256: of the file.
        given: whether it is one that the search began with.
        seconds: what it cost.
    """

    recipe: str
    state: State
    reason: str = ""
    values: Mapping[Measure, float] = field(default_factory=dict)
    quality: float | None = None
    loss: float | None = None
    error: float | None = None
    short_loss: float | None = None
    sha256: str = ""
    given: bool = False
    seconds: float = 0.0

    def is_whole(self, measures: Sequence[Measure]) -> bool:
        """Whether it was made in full, and all of that is known of it."""
        known = all(name in self.values for name in measures)
        return self.state == "measured" and self.loss is not None and known

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        document: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return document


def candidate_of(document: object) -> Candidate:
    """The candidate of plain values; pydantic's ValidationError if they are none."""
    return _ADAPTER.validate_python(document)


_ADAPTER = TypeAdapter(Candidate)
