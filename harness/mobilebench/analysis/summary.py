"""What a run found, as plain values: the types that tables, pictures and CI read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mobilebench.analysis.disturbance import Load
from mobilebench.analysis.requirement import AccuracyRequirement, RequirementStatus

if TYPE_CHECKING:
    from mobilebench.analysis.estimates import Estimate
    from mobilebench.analysis.modes import Modes
    from mobilebench.analysis.sustained import Sustained
    from mobilebench.analysis.warmup import Convergence
    from mobilebench.records.conditions import Conditions


@dataclass(frozen=True)
class Latency:
    """The latency of a variant; times in nanoseconds.

    ``median`` is the median of the trial medians; ``p90``, ``p95`` and ``p99`` are medians over
    the trials of each trial's percentile, descriptive. ``band`` has the 5th, 25th, 75th and 95th
    percentile likewise. ``by_block`` has one trial median a block. ``outliers`` is the share of
    flagged samples, ``drift`` the median over trials of the change within a trial.
    ``modes_within`` has the two modes of each trial that has two, ``modes_over`` those of the trial
    medians. ``convergence`` says of each trial that kept its warm-up whether that had settled.
    """

    median: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate
    first: Estimate
    initialization: Estimate
    band: tuple[float, float, float, float] | None = None
    by_block: tuple[tuple[int, float], ...] = ()
    samples: int = 0
    outliers: float | None = None
    drift: float | None = None
    modes_within: tuple[Modes, ...] = ()
    modes_over: Modes | None = None
    convergence: tuple[Convergence, ...] = ()


@dataclass(frozen=True)
class Memory:
    """Memory over the empty runtime, bytes, each from a counter of its own."""

    peak: Estimate
    pss: Estimate
    anonymous: Estimate
    file: Estimate


@dataclass(frozen=True)
class Energy:
    """What an inference takes beyond the idle device, in joules.

    ``per_inference`` is the median over the window pairs of a trial; over several trials, the
    median of their medians. ``n`` of it counts accordingly. ``source`` names the counter,
    ``resolution`` is its step in joules a window; ``idle_watts`` and ``load_watts`` are what the
    counter saw, for a look at whether that can be. ``asked``: whether a trial was run at all.
    """

    per_inference: Estimate
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
    """A model × recipe on one device and runtime.

    ``failure`` says why there is no latency, or no file at all; it is empty otherwise.
    ``speedup`` is the baseline's latency over this one's, paired by block; ``accuracy_change`` a
    difference of shares; ``smaller`` and ``gzip_smaller`` the baseline's size over this one's.
    ``best_tradeoff`` marks the Pareto front of the point estimates of latency, size and (where
    measured) accuracy, without those that are shown to miss their requirement.
    ``requirement`` is the status by the accuracy that the suite asks for; None if it asks for none.
    ``conditions`` are those of its latency trials, ``load`` is what others did to them, and
    ``disturbed`` says why nothing is concluded of its latency beside the baseline's; it is empty
    otherwise. ``sustained`` is there if the run's trials were; ``latency`` is then that of all
    their inferences together.
    """

    recipe: str
    is_baseline: bool
    artifact: str
    failure: str
    size: Estimate
    gzip_size: Estimate
    zstd_size: Estimate
    xz_size: Estimate
    smaller: Estimate
    gzip_smaller: Estimate
    latency: Latency
    speedup: Estimate
    accuracy: Estimate
    accuracy_change: Estimate
    memory: Memory
    energy: Energy
    delegation: Delegation | None = None
    conditions: tuple[Conditions, ...] = ()
    load: Load = field(default_factory=Load)
    disturbed: str = ""
    sustained: Sustained | None = None
    valid_trials: int = 0
    failed_trials: int = 0
    best_tradeoff: bool = False
    requirement: RequirementStatus | None = None
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Advice:
    """A sentence for the head of the report, and what it is about."""

    topic: str
    text: str


@dataclass(frozen=True)
class Comparison:
    """What may be compared: the variants of one model on one device with one runtime.

    ``executor`` is who measured: ``agent``, or another program of that name.
    ``requirement`` is what the suite asks of the model's accuracy.
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
    requirement: AccuracyRequirement = field(default_factory=AccuracyRequirement)

    @property
    def runtime_label(self) -> str:
        """The runtime's name and, if it was kept to some, its CPUs."""
        if not self.cpus:
            return self.runtime
        word = "CPU" if len(self.cpus) == 1 else "CPUs"
        return f"{self.runtime} on {word} {', '.join(map(str, self.cpus))}"


@dataclass(frozen=True)
class FailedTrial:
    """A trial that does not count, and why.

    ``state`` is ``failed`` (it has no result) or ``invalid`` (the device's state spoilt it, after
    so many ``attempts``).
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
