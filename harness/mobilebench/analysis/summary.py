"""What a run found, as plain values: the types that tables, pictures and CI read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mobilebench.analysis.disturbance import Load
from mobilebench.analysis.estimates import PAIRED, unlike_medians
from mobilebench.analysis.requirement import QualityRequirement, RequirementStatus
from mobilebench.records.key import Key, Place
from mobilebench.records.runtime import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobilebench.analysis.estimates import Estimate
    from mobilebench.analysis.modes import Modes
    from mobilebench.analysis.sustained import Sustained
    from mobilebench.analysis.warmup import Convergence
    from mobilebench.metrics import Metric
    from mobilebench.records.answers import Answers
    from mobilebench.records.conditions import Conditions
    from mobilebench.records.interface import Interface


#: Block and value of each trial of a metric.
Blocks = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Remark:
    """A sentence, and the code by which it is recognised whatever its words."""

    code: str
    text: str

    def __str__(self) -> str:
        """The sentence."""
        return self.text


@dataclass(frozen=True)
class LatencyDetails:
    """What the samples of a variant's latency trials say beside their quantiles; nanoseconds.

    ``band`` has the 5th, 25th, 75th and 95th percentile, medians over the trials. ``outliers`` is
    the share of flagged samples, ``drift`` the median over trials of the change within a trial.
    ``modes_within`` has the two modes of each trial that has two, ``modes_over`` those of the trial
    medians. ``convergence`` says of each trial that kept its warm-up whether that had settled.
    """

    band: tuple[float, float, float, float] | None = None
    samples: int = 0
    outliers: float | None = None
    drift: float | None = None
    modes_within: tuple[Modes, ...] = ()
    modes_over: Modes | None = None
    convergence: tuple[Convergence, ...] = ()


@dataclass(frozen=True)
class EnergyDetails:
    """How the energy of an inference was measured.

    ``source`` names the counter, ``resolution`` is its step in joules a window; ``idle_watts`` and
    ``load_watts`` are what the counter saw, for a look at whether that can be. ``asked``: whether a
    trial was run at all.
    """

    asked: bool = False
    source: str = ""
    resolution: float | None = None
    idle_watts: float | None = None
    load_watts: float | None = None


@dataclass(frozen=True)
class Delegation:
    """How many of a model's nodes the delegate took, and which operators it left.

    ``sparse`` of those left are layers that the file is made to have computed without it.
    """

    nodes: int
    delegated: int
    partitions: int
    left: tuple[tuple[str, int], ...] = ()
    sparse: int = 0


@dataclass(frozen=True)
class Variant:
    """A row: a model × recipe on one device and runtime.

    Attributes:
        recipe: its recipe.
        is_baseline: whether the others are compared with it.
        artifact: the SHA-256 of its file.
        failure: why there is no latency, or no file at all; empty otherwise.
        invalid: why nothing is claimed of it: the device computes something else than its file
            says; empty otherwise. Its numbers are there all the same.
        estimates: the value of every registered metric, by its name.
        changes: how it compares with the baseline, by name, as the metric's ``change`` says.
        blocks: the value of each trial with its block, by name, of what trials measure.
        latency: what the samples say beside their quantiles. Of a sustained run it is that of all
            inferences together.
        energy: how energy was measured.
        answers: what came of its ``outputs`` trial; None where there is none.
        delegation: what the delegate took; None where it is not reported.
        conditions: those of its latency trials.
        load: what other processes did to them.
        disturbed: why nothing is concluded from its latency beside the baseline's; empty otherwise.
        sustained: there if the run's trials were sustained.
        valid_trials: of all kinds.
        failed_trials: likewise, with the invalid ones.
        best_tradeoff: whether it is on the Pareto front of the point estimates of latency, size
            and (where scored) quality, and is not shown to miss its requirement.
        requirement: the status by the quality that the suite asks for; None if it asks for none.
        findings: what one should know of its numbers.
        warnings: what was noticed while it was made and measured.
    """

    recipe: str
    is_baseline: bool
    artifact: str
    failure: str
    estimates: Mapping[str, Estimate]
    changes: Mapping[str, Estimate] = field(default_factory=dict)
    blocks: Mapping[str, Blocks] = field(default_factory=dict)
    latency: LatencyDetails = field(default_factory=LatencyDetails)
    energy: EnergyDetails = field(default_factory=EnergyDetails)
    answers: Answers | None = None
    delegation: Delegation | None = None
    conditions: tuple[Conditions, ...] = ()
    load: Load = field(default_factory=Load)
    disturbed: str = ""
    invalid: str = ""
    sustained: Sustained | None = None
    valid_trials: int = 0
    failed_trials: int = 0
    best_tradeoff: bool = False
    requirement: RequirementStatus | None = None
    findings: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()

    def __getitem__(self, metric: str) -> Estimate:
        """The value of a metric; KeyError if none of that name is registered."""
        return self.estimates[metric]


@dataclass(frozen=True)
class Advice:
    """A sentence for the head of the report, and its topic."""

    topic: str
    text: str


@dataclass(frozen=True)
class Comparison:
    """A table: what may be compared, the variants of one model on one device with one runtime.

    ``executor`` is who measured: ``agent``, or another program of that name.
    ``requirement`` is what the suite asks of the model's quality. ``run_as`` is which signature and
    input shapes were run, where the model leaves that open; ``interface`` is what it takes and
    gives, None in older runs. ``own_unit`` is that of a score by the data's own ``evaluate``.
    ``library`` is the inference library that ran it, with its version: another one may rank the
    variants otherwise.
    """

    model: str
    device: str
    runtime: str
    virtual: bool
    executor: str
    baseline: str
    variants: tuple[Variant, ...]
    advice: tuple[Advice, ...] = ()
    cpus: tuple[int, ...] = ()
    requirement: QualityRequirement = field(default_factory=QualityRequirement)
    own_unit: str = ""
    run_as: str = ""
    interface: Interface | None = None
    library: str = ""
    cluster: str = ""

    @property
    def batch(self) -> int:
        """How many samples an inference takes."""
        return 1 if self.interface is None else self.interface.batch

    @property
    def subject(self) -> str:
        """The model, with all that must be known of what was run of it."""
        said = [*([self.run_as] if self.run_as else ())]
        if self.batch > 1:
            said.append(f"{self.batch} samples an inference")
        return f"{self.model} ({', '.join(said)})" if said else self.model

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known to read its table: a sentence each."""
        base = next((v["latency"].value for v in self.variants if v.is_baseline), None)
        per_inference = f"Latency and energy are per inference, of {self.batch} samples."
        return (
            *([per_inference] if self.batch > 1 else ()),
            *(
                [f"Speed-up: {PAIRED}."]
                if any(
                    unlike_medians(v.changes["latency"].value, base, v["latency"].value)
                    for v in self.variants
                    if "latency" in v.changes
                )
                else ()
            ),
        )

    @property
    def quality(self) -> Metric:
        """The metric by which its answers are compared first."""
        return self.requirement.metric

    @property
    def is_scored(self) -> bool:
        """Whether any variant has a value of it."""
        return any(v[self.quality.name].value is not None for v in self.variants)

    @property
    def place(self) -> Place:
        """Where."""
        return Place(self.model, self.device, self.runtime)

    @property
    def runtime_label(self) -> str:
        """The runtime's name, its CPUs if it was kept to some, and the library behind it."""
        label = " ".join(filter(None, (self.runtime, place_of(self.cpus, self.cluster))))
        return f"{label} ({self.library})" if self.library else label


@dataclass(frozen=True)
class FailedTrial:
    """A trial that does not count, and why.

    ``state`` is ``failed`` (it has no result) or ``invalid`` (the device's state invalidated it,
    after so many ``attempts``).
    """

    trial: str
    kind: str
    model: str
    recipe: str
    device: str
    runtime: str
    code: str
    reason: str
    state: str = "failed"
    attempts: int = 1


@dataclass(frozen=True)
class Summary:
    """A whole run. ``warnings`` say what is missing from it or must not be read into it.

    ``disturbed`` is what must be read first: of which latency nothing is concluded, since others'
    load disturbed it.

    ``failed_trials`` has the invalid ones, too; ``repeated_trials`` counts the valid trials whose
    first attempt was not.
    """

    run: str
    suite: str
    state: str
    comparisons: tuple[Comparison, ...] = ()
    planned_trials: int = 0
    valid_trials: int = 0
    samples: int = 0
    failed_trials: tuple[FailedTrial, ...] = ()
    repeated_trials: int = 0
    warnings: tuple[str, ...] = field(default=())
    disturbed: tuple[str, ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether any variant's answers were kept, as newer runs do."""
        return any(v.answers for c in self.comparisons for v in c.variants)

    @property
    def is_scored_anew(self) -> bool:
        """Whether answers were scored by another metric than accuracy."""
        return any(c.is_scored and c.quality.name != "accuracy" for c in self.comparisons)

    @property
    def rows(self) -> Mapping[Key, Variant]:
        """Every variant of every comparison, by its key."""
        return {
            Key(c.model, v.recipe, c.device, c.runtime): v
            for c in self.comparisons
            for v in c.variants
        }

    def __getitem__(self, key: Key) -> Variant:
        """One row; KeyError if the run has none of that key."""
        return self.rows[key]
