"""The profile of operators that ``benchmark_model`` prints."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mobilebench_agent.contract import Job

from mobilebench.devices.base import TrialError

#: The table of the timed inferences; an earlier one is of loading the model.
_HEADING = "Operator-wise Profiling Info for Regular Benchmark Runs"
_ORDER = "Run Order"
_CELLS = re.compile(r"\s*\t\s*|\s{2,}")
_PREFIX = re.compile(r"^(?:[A-Z]+: |[A-Z] tflite\s*: )")
_MOST_ROWS = 10_000


@dataclass(frozen=True)
class NodeProfile:
    """What one line of the table says.

    Attributes:
        kind: of the node; of a delegate's own operators what the delegate calls them.
        name: of its output tensors, with its number; a delegate's own have none.
        mean_ns: of one inference, all calls together.
    """

    kind: str
    name: str
    mean_ns: float

    @property
    def index(self) -> int | None:
        """The node's number in the file; None for what is a delegate's own."""
        found = re.search(r"\]:(\d{1,6})$", self.name)
        return int(found[1]) if found else None


@runtime_checkable
class Profiler(Protocol):
    """A device whose executor can profile operators by itself."""

    def profile(self, job: Job, timeout_seconds: float) -> tuple[NodeProfile, ...]:
        """The operators of one model in the order in which they run.

        Raises:
            TrialError: it failed, or printed no profile.
        """


def parse_profile(text: str) -> tuple[NodeProfile, ...]:
    """Reads the table of the timed inferences, of builds with and without a column ``[start]``.

    Raises:
        TrialError: ``protocol_violation``: there is none, or it is not as expected.
    """
    _, found, after = text.partition(_HEADING)
    table = after.partition(_ORDER)[2]
    if not found or not table:
        raise TrialError("protocol_violation", "benchmark_model printed no profile of operators")
    lines = [_PREFIX.sub("", line).strip() for line in table.splitlines()[1:]]
    header = _CELLS.split(lines[0]) if lines else []
    try:
        columns = [header.index(name) for name in ("[avg ms]", "[times called]")]
    except ValueError as error:
        raise TrialError(
            "protocol_violation", "benchmark_model's profile has no known columns"
        ) from error
    rows = []
    for line in lines[1 : _MOST_ROWS + 1]:
        cells = _CELLS.split(line, len(header) - 1)
        if len(cells) < len(header):
            break  # the table's end
        try:
            mean, calls = float(cells[columns[0]]), int(cells[columns[1]])
        except ValueError as error:
            raise TrialError(
                "protocol_violation", "benchmark_model's profile has a cell that is no number"
            ) from error
        if not (0 <= mean < math.inf and calls >= 0):
            raise TrialError(
                "protocol_violation",
                f"benchmark_model's profile has a time of {cells[columns[0]]:.40}",
            )
        rows.append(NodeProfile(cells[0], cells[-1], mean * max(1, calls) * 1e6))
    if not rows:
        raise TrialError("protocol_violation", "benchmark_model's profile has no operators")
    return tuple(rows)
