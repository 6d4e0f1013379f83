"""What a metric is: where it is read, how it is compared, judged and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What values are counted in; tables choose a readable multiple. ``share`` is shown in percent;
#: ``value`` is a plain number, in the data's own unit or in none.
Unit = Literal["ns", "B", "J", "share", "count", "dB", "value"]

#: How a gate judges: paired blocks of trials, exact arithmetic, the interval of samples, or not.
Test = Literal["paired", "exact", "interval", "descriptive"]

#: The trial that measures it; ``artifact`` needs no trial, ``any`` takes whichever was run.
Kind = Literal["latency", "memory", "outputs", "energy", "artifact", "any"]

#: Trials that a gate repeats in every block, in this order, so that their metrics can be tested.
REPEATED_KINDS: tuple[Kind, ...] = ("latency", "memory", "energy")

#: What analysis computes by rules of its own.
Rule = Literal["cpu_time", "energy", "delegation", "parity", "similarity", "agreement"]


@dataclass(frozen=True)
class Quantile:
    """Read from each latency trial's timed inferences; the estimate is the median over trials."""

    q: float

    def __post_init__(self) -> None:
        """Raises ValueError where that is no quantile."""
        if not 0 < self.q < 1:
            raise ValueError(f"a quantile lies between 0 and 1, not at {self.q}")


@dataclass(frozen=True)
class Counter:
    """Read from the counter of that name in the agent's result; the median over trials."""

    name: str


@dataclass(frozen=True)
class StoredSize:
    """Read from the artifact: the bytes of its file, packed in that way; exact."""

    packing: str


@dataclass(frozen=True)
class Score:
    """Read from the score of that name among a trial's answers.

    ``counted``: it is the share of samples that were answered right, one or nothing each.
    """

    name: str
    counted: bool = False


@dataclass(frozen=True)
class Computed:
    """What analysis computes by a rule of its own: CPU time, energy, undelegated nodes, parity."""

    rule: Rule


@dataclass(frozen=True)
class Change:
    """How a variant is compared with its baseline.

    Attributes:
        kind: ``ratio`` is how many times better: the baseline's value over the variant's where
            lower is better, else the inverse. ``difference`` is the variant's value less the
            baseline's. Of metrics that each block measures, it is the median over the blocks.
        column: its name in ``summary.csv``.
        title: its heading in tables; empty: in no table.
        paper: its heading in LaTeX; empty: left out there.
        terminal: how long a narrow terminal keeps it, as of a ``Metric``.
    """

    kind: Literal["ratio", "difference"]
    column: str
    title: str = ""
    paper: str = ""
    terminal: int = 0


@dataclass(frozen=True)
class Judged:
    """The gate's default policy for a metric.

    Attributes:
        margin: how much worse the candidate may be: a share of the baseline's value, a difference
            of shares (``share``), of decibels (``dB``), or a number (``count``, ``value``).
        missing: what it means that there is no value: nothing, or that verdict.
        floor: a change of less than that is never a regression, in the metric's unit.
        relative: whether the margin of a ``value`` is a share of the baseline's: of an error, which
            is in the data's own unit.
    """

    margin: float = 0.0
    missing: Literal["ignore", "inconclusive", "fail"] = "ignore"
    floor: float = 0.0
    relative: bool = False


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: how policies, history and the API call it.
        title: its heading in tables.
        column: its name in ``summary.csv`` and JSON, in base units.
        description: what it is, in a few words.
        unit: of its value.
        direction: which way is better.
        kind: the trial that measures it.
        read: where a trial or an artifact has it.
        test: how the gate judges it.
        change: how it is compared with the baseline's; None: not at all.
        judged: the gate's default policy; None: no gate looks at it.
        table: the table that shows it: the main one, the one of details, or none.
        interval: whether tables and ``summary.csv`` give its interval.
        unit_of: the metric whose readable unit its column shares, so that both can be compared.
        noun: what a ``count`` counts, in the plural.
        paper: its heading in LaTeX; empty: left out there.
        terminal: how long a narrow terminal keeps its column: that with the lowest number goes
            first; 0: a terminal never has it.
        occasional: it belongs to some tasks alone: where no variant of a run has a value, neither
            ``summary.csv`` has its column nor a gate's verdict its line.
    """

    name: str
    title: str
    column: str
    description: str
    unit: Unit
    direction: Literal["lower", "higher"]
    kind: Kind
    read: Quantile | Counter | StoredSize | Score | Computed
    test: Test = "descriptive"
    change: Change | None = None
    judged: Judged | None = None
    table: Literal["main", "details", "none"] = "details"
    interval: bool = False
    unit_of: str = ""
    noun: str = ""
    paper: str = ""
    terminal: int = 0
    occasional: bool = False

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        if not isinstance(self.read, Score):
            return self.name.replace("_", " ")
        # A word, and no abbreviation, begins with a small letter: accuracy, but MAE and mIoU.
        word = self.title[1:2].islower()
        return self.title[0].lower() + self.title[1:] if word else self.title

    @property
    def is_quality(self) -> bool:
        """Whether it scores answers against labels."""
        return isinstance(self.read, Score)

    @property
    def scale(self) -> str:
        """How a gate's effect and margin are to be read.

        ``ratio`` is a share of the baseline's value, ``points`` a difference of shares, ``dB`` one
        of decibels, ``value`` one of plain numbers; anything else is a difference of so many of
        that noun.
        """
        if self.test == "paired":
            return "ratio"
        if self.unit == "value" and not (self.judged and self.judged.relative):
            return "value"
        if self.unit == "count":
            return self.noun or "count"
        return {"share": "points", "dB": "dB"}.get(self.unit, "ratio")

    @property
    def disturbed_by_load(self) -> bool:
        """Whether other processes' load changes it: times and energies; all else is its own."""
        return self.kind in ("latency", "energy") and self.unit in ("ns", "J")
