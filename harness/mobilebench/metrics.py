"""Every metric, defined once.

Tables, ``summary.csv``, JSON, LaTeX, history, the gate's policy and comparisons walk this registry,
so that a metric is added by one entry here (``docs/adding.md`` has an example), or by an installed
package's entry point in the group ``mobilebench.metrics``, which names a ``Metric`` or a list
of them.
"""

from __future__ import annotations

import functools
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import Literal, get_args

from mobilebench.errors import BadInputError, did_you_mean, first_line

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


def _quality(
    name: str,
    title: str,
    description: str,
    unit: Unit,
    margin: float,
    *,
    direction: Literal["lower", "higher"] = "higher",
    relative: bool = False,
    counted: bool = False,
    occasional: bool = True,
) -> Metric:
    """A score of answers against labels: its change is the difference on the same samples."""
    words = title[0].lower() + title[1:] if title[1:2].islower() else title
    change = Change("difference", f"{name}_change", f"Δ {words}", paper="Δ", terminal=3)
    return Metric(
        name=name,
        title=title,
        column=name,
        description=description,
        unit=unit,
        direction=direction,
        kind="outputs",
        read=Score(name, counted),
        test="interval",
        change=change,
        judged=Judged(margin=margin, relative=relative),
        table="main",
        interval=True,
        paper=title,
        terminal=6,
        occasional=occasional,
    )


#: By task: classification, binary, multilabel, regression, segmentation, detection, reconstruction,
#: embedding, transcription, and a user's own.
_QUALITY = (
    _quality(
        "accuracy",
        "Accuracy",
        "right answers (top 1) on the labelled samples",
        "share",
        0.01,
        counted=True,
        occasional=False,
    ),
    _quality(
        "top5",
        "Top-5 accuracy",
        "samples whose right class is among the five likeliest",
        "share",
        0.01,
        counted=True,
    ),
    _quality("auc", "AUC", "area under the receiver operating characteristic", "value", 0.01),
    _quality("f1", "F1", "F1 score; of several labels their mean", "share", 0.01),
    _quality("mae", "MAE", "mean absolute error", "value", 0.05, direction="lower", relative=True),
    _quality(
        "rmse",
        "RMSE",
        "root of the mean squared error",
        "value",
        0.05,
        direction="lower",
        relative=True,
    ),
    _quality("r2", "R²", "coefficient of determination", "value", 0.01),
    _quality("miou", "mIoU", "mean intersection over union of the classes", "share", 0.01),
    _quality("pixel_accuracy", "Pixel accuracy", "pixels that have the right class", "share", 0.01),
    _quality(
        "map",
        "mAP",
        "mean average precision over overlaps of 0.50 to 0.95",
        "share",
        0.01,
    ),
    _quality("map50", "mAP@.5", "mean average precision at an overlap of 0.5", "share", 0.01),
    _quality("mse", "MSE", "mean squared error", "value", 0.1, direction="lower", relative=True),
    _quality("psnr", "PSNR", "peak signal-to-noise ratio", "dB", 0.5),
    _quality(
        "anomaly_auc",
        "Anomaly AUC",
        "area under the curve where the reconstruction's error tells anomalies",
        "value",
        0.01,
    ),
    _quality(
        "cosine",
        "Cosine similarity",
        "mean cosine between an embedding and its label",
        "value",
        0.01,
    ),
    _quality(
        "recall_at_1",
        "Recall@1",
        "samples whose nearest neighbour has their label",
        "share",
        0.01,
        counted=True,
    ),
    _quality(
        "recall_at_5",
        "Recall@5",
        "samples with their label among the five nearest neighbours",
        "share",
        0.01,
        counted=True,
    ),
    _quality("wer", "WER", "word error rate", "share", 0.01, direction="lower"),
    _quality("cer", "CER", "character error rate", "share", 0.01, direction="lower"),
    _quality("score", "Score", "what the data's own evaluate gives", "value", 0.01, relative=True),
    _quality(
        "loss",
        "Loss",
        "what the data's own evaluate gives, where lower is better",
        "value",
        0.05,
        direction="lower",
        relative=True,
    ),
)

_BUILT_IN = (
    *_QUALITY,
    Metric(
        name="similarity",
        title="Similarity",
        column="similarity_db",
        description="signal-to-noise ratio of the answers against the baseline's, about their mean",
        unit="dB",
        direction="higher",
        kind="outputs",
        read=Computed("similarity"),
        table="main",
        paper="Similarity",
        terminal=4,
        occasional=True,
    ),
    Metric(
        name="agreement",
        title="Same class",
        column="class_agreement",
        description="samples to which it gives the baseline's class",
        unit="share",
        direction="higher",
        kind="outputs",
        read=Computed("agreement"),
        table="main",
        terminal=1,
        occasional=True,
    ),
    Metric(
        name="parity",
        title="Parity",
        column="parity_db",
        description="signal-to-noise ratio of the device's answers against the file's reference "
        "answers",
        unit="dB",
        direction="higher",
        kind="outputs",
        read=Computed("parity"),
        table="main",
        terminal=2,
        occasional=True,
    ),
    Metric(
        name="size",
        title="File",
        column="size_bytes",
        description="size of the file",
        unit="B",
        direction="lower",
        kind="artifact",
        read=StoredSize("file"),
        test="exact",
        change=Change("ratio", "size_ratio", "Smaller", terminal=2),
        judged=Judged(margin=0.01, missing="inconclusive"),
        table="main",
        paper="File",
        terminal=5,
    ),
    Metric(
        name="download",
        title="gzip",
        column="gzip_bytes",
        description="size of the file after gzip, level 9",
        unit="B",
        direction="lower",
        kind="artifact",
        read=StoredSize("gzip"),
        test="exact",
        change=Change("ratio", "gzip_ratio"),
        judged=Judged(margin=0.01),
        table="main",
        unit_of="size",
    ),
    Metric(
        name="zstd",
        title="zstd",
        column="zstd_bytes",
        description="size of the file after Zstandard, level 19",
        unit="B",
        direction="lower",
        kind="artifact",
        read=StoredSize("zstd"),
        table="none",
        unit_of="size",
    ),
    Metric(
        name="xz",
        title="xz",
        column="xz_bytes",
        description="size of the file after xz, level 9",
        unit="B",
        direction="lower",
        kind="artifact",
        read=StoredSize("xz"),
        table="none",
        unit_of="size",
    ),
    Metric(
        name="latency",
        title="Latency",
        column="latency_ns",
        description="median inference of a trial",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Quantile(0.5),
        test="paired",
        change=Change("ratio", "speedup", "Speed-up", paper="Speed-up", terminal=4),
        judged=Judged(margin=0.03, missing="inconclusive"),
        table="main",
        interval=True,
        paper="Latency",
        terminal=8,
    ),
    Metric(
        name="p5",
        title="p5",
        column="latency_p5_ns",
        description="5th percentile of a trial's inferences",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Quantile(0.05),
        table="main",
        unit_of="latency",
    ),
    Metric(
        name="cpu_time",
        title="CPU time",
        column="cpu_time_ns",
        description="median CPU time of an inference, of one thread: what load adds to latency "
        "is not in it",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Computed("cpu_time"),
        table="main",
        unit_of="latency",
        occasional=True,
    ),
    Metric(
        name="p90",
        title="p90",
        column="latency_p90_ns",
        description="90th percentile of a trial's inferences",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Quantile(0.9),
        table="main",
        unit_of="latency",
    ),
    Metric(
        name="p95",
        title="p95",
        column="latency_p95_ns",
        description="95th percentile of a trial's inferences",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Quantile(0.95),
        unit_of="latency",
    ),
    Metric(
        name="p99",
        title="p99",
        column="latency_p99_ns",
        description="99th percentile of a trial's inferences",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Quantile(0.99),
        table="main",
        unit_of="latency",
    ),
    Metric(
        name="first_inference",
        title="First inference",
        column="first_inference_ns",
        description="the first inference after the model was loaded",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Counter("first_inference"),
        interval=True,
        unit_of="latency",
    ),
    Metric(
        name="initialization",
        title="Load",
        column="initialization_ns",
        description="loading the model, until its first inference can begin",
        unit="ns",
        direction="lower",
        kind="latency",
        read=Counter("initialization_time"),
        interval=True,
    ),
    Metric(
        name="memory",
        title="Peak memory",
        column="memory_peak_bytes",
        description="highest resident set, over that of the empty runtime",
        unit="B",
        direction="lower",
        kind="memory",
        read=Counter("memory_peak"),
        test="paired",
        judged=Judged(margin=0.05, missing="inconclusive", floor=256 * 1024),
        table="main",
        paper="Memory",
        terminal=1,
    ),
    Metric(
        name="pss",
        title="PSS",
        column="memory_pss_bytes",
        description="proportional set size, over that of the empty runtime",
        unit="B",
        direction="lower",
        kind="memory",
        read=Counter("memory_pss"),
    ),
    Metric(
        name="anonymous_memory",
        title="Anonymous",
        column="memory_anonymous_bytes",
        description="resident anonymous memory, over that of the empty runtime",
        unit="B",
        direction="lower",
        kind="memory",
        read=Counter("memory_anonymous"),
        unit_of="pss",
    ),
    Metric(
        name="file_memory",
        title="File-backed",
        column="memory_file_bytes",
        description="resident file-backed memory, over that of the empty runtime",
        unit="B",
        direction="lower",
        kind="memory",
        read=Counter("memory_file"),
        unit_of="pss",
    ),
    Metric(
        name="energy",
        title="Energy",
        column="energy_per_inference_joules",
        description="energy of an inference beyond the idle device",
        unit="J",
        direction="lower",
        kind="energy",
        read=Computed("energy"),
        test="paired",
        judged=Judged(margin=0.05),
        table="main",
        interval=True,
        paper="Energy",
        terminal=7,
    ),
    Metric(
        name="delegation",
        title="Nodes not delegated",
        column="nodes_left",
        description="nodes that the delegate left to the built-in kernels",
        unit="count",
        direction="lower",
        kind="any",
        read=Computed("delegation"),
        test="exact",
        judged=Judged(),
        table="none",
        noun="nodes",
    ),
)

GROUP = "mobilebench.metrics"

#: A key of a policy, a value of ``--metric`` and a column of ``summary.csv``.
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def registry() -> Mapping[str, Metric]:
    """All metrics by name: the built-in ones in the tables' order, then those of plug-ins.

    Raises:
        BadInputError: a plug-in cannot be loaded, is no metric, or takes a name or column that
            another metric has.
    """
    return _registry(tuple(sys.path))


@functools.lru_cache(maxsize=4)
def _registry(_path: tuple[str, ...]) -> Mapping[str, Metric]:
    """The registry with the packages on the path; looking costs tens of milliseconds."""
    found: dict[str, Metric] = {}
    _add(found, "MobileBench", _BUILT_IN)
    for offer in sorted(metadata.entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        whose = f"the metric plug-in {offer.value!r} of {_package(offer)}"
        try:
            loaded = offer.load()
        except (Exception, SystemExit) as error:  # a plug-in's import raises whatever it likes
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise BadInputError(
                f"{whose} cannot be loaded ({reason}); repair or uninstall the package"
            ) from error
        _add(found, whose, loaded if isinstance(loaded, list | tuple) else (loaded,))
    return MappingProxyType(found)


def _package(offer: metadata.EntryPoint) -> str:
    return offer.dist.name if offer.dist is not None else "an unnamed package"


def metric_named(name: str) -> Metric:
    """The metric of that name.

    Raises:
        BadInputError: there is none; the message lists those that there are.
    """
    known = registry()
    if name not in known:
        hint = did_you_mean(name, list(known))
        raise BadInputError(f"there is no metric {name!r}; {hint}known are {', '.join(known)}")
    return known[name]


def with_changes() -> Iterator[tuple[Metric, Change | None]]:
    """Each metric, and each change, in the order of columns.

    What is read from one source stands together, and its changes follow.
    """
    for _, group in itertools.groupby(registry().values(), key=lambda m: (m.kind, type(m.read))):
        alike = list(group)
        yield from ((metric, None) for metric in alike)
        yield from ((metric, metric.change) for metric in alike if metric.change is not None)


def judged() -> dict[str, Metric]:
    """The metrics that a gate judges, by name: those that it tests come first."""
    found = [metric for metric in registry().values() if metric.judged is not None]
    return {m.name: m for m in sorted(found, key=lambda m: m.test != "paired")}


def _add(found: dict[str, Metric], origin: str, metrics: Iterable[Metric]) -> None:
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise BadInputError(f"{origin} is no Metric and no list of them, but {metric!r:.60}")
        taken = {column for known in found.values() for column in _columns(known)}
        if metric.name in found or taken & set(_columns(metric)):
            raise BadInputError(
                f"{origin} defines the metric {metric.name!r} (column {metric.column!r}), "
                "but there is already one of that name or column"
            )
        for fault in _faults(metric, {*found, metric.name}):
            raise BadInputError(f"{origin} defines the metric {metric.name!r}: {fault}")
        found[metric.name] = metric


def _columns(metric: Metric) -> tuple[str, ...]:
    return (metric.column, *([metric.change.column] if metric.change else []))


def _faults(metric: Metric, known: set[str]) -> Iterator[str]:
    """What is wrong with a metric."""
    for name in (metric.name, *_columns(metric)):
        if not _NAME.fullmatch(name):
            yield f"{name!r} is no name: lower-case letters, digits and '_', a letter first"
    for field, allowed in (("unit", Unit), ("test", Test), ("kind", Kind)):
        if getattr(metric, field) not in get_args(allowed):
            choices = ", ".join(get_args(allowed))
            yield f"{field} is one of {choices}, not {getattr(metric, field)!r}"
    if isinstance(metric.read, Computed) and metric.read.rule not in get_args(Rule):
        yield f"analysis has no rule {metric.read.rule!r}"
    if isinstance(metric.read, Quantile) and metric.kind != "latency":
        yield "quantiles are read from latency trials"
    if isinstance(metric.read, StoredSize) != (metric.kind == "artifact"):
        yield "stored sizes are read from artifacts, and nothing else is"
    if metric.test == "paired" and metric.kind not in REPEATED_KINDS:
        yield f"only {', '.join(REPEATED_KINDS)} trials come in blocks that can be paired"
    if isinstance(metric.read, Score) and metric.kind != "outputs":
        yield "scores are read from outputs trials"
    if metric.test == "interval":
        yield from _interval_faults(metric)
    if metric.judged is not None and metric.test == "descriptive":
        yield "a gate that judges it needs a test"
    if metric.unit_of and metric.unit_of not in known:
        yield f"there is no metric {metric.unit_of!r} to share its unit with"


def _interval_faults(metric: Metric) -> Iterator[str]:
    if not isinstance(metric.read, Score | Computed):
        yield "only scores and what analysis computes have an interval of their samples"
    if metric.change is None or metric.change.kind == "ratio":
        yield "an interval is one of the difference to the baseline: it needs that as its change"
