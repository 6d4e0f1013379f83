"""What a search makes and measures its candidates with."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mobilebench.compress.artifact import Artifact, Failure
from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.compress.service import Compressor
from mobilebench.devices.base import InvalidTrialError, TrialError
from mobilebench.errors import BadInputError, DeviceError
from mobilebench.metrics import Metric, registry
from mobilebench.models.array import Array
from mobilebench.models.hooks import Hooks
from mobilebench.models.spec import ModelSpec
from mobilebench.quality import own as own_task
from mobilebench.quality.scoring import change
from mobilebench.quality.task import QualityError, Task
from mobilebench.quality.tasks import task_named
from mobilebench.runs.answers import Found
from mobilebench.runs.measure_files import FileMeasurer
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import GZIP, Candidate, Measure
from mobilebench.search.ladder import Judged
from mobilebench.tflite.inspect.layers import macs_of

#: Fresh processes of a file and of what it is compared with, in turn: at most so many of each.
ROUNDS = 4
#: No more are needed where so many agree that well: by the largest ratio over the smallest.
_FEWEST_ROUNDS = 2
_AGREEING = 1.03
#: So many files are made by one process: TensorFlow's memory grows with each.
_MOST_MADE = 40
#: Half of a 95 % interval, in standard errors.
_HALF_WIDTH = 1.96
_REDUCED = "reduced/"
_POINTS = 100.0


@dataclass(frozen=True)
class Quality:
    """A file's answers, scored: by which task and metric, how well, and the rows behind it."""

    task: str
    metric: Metric
    value: float
    samples: int
    rows: Mapping[str, Array] = field(repr=False)


class DeviceBench:
    """One model on one device.

    Args:
        spec: the model, with the half of its evaluation data to choose on.
        compressor: makes its files.
        measurer: measures them.
        hooks: what the data's own file says of decoding and evaluating.
        seed: of resamples.
        nanoseconds: what the baseline took at the first look, in an earlier session of the search.
        turn: has the device within it, where other processes measure on it as well.
        on_step: is given what is under way.

    Raises:
        BadInputError: the baseline cannot be made, or its quality cannot be measured.
        DeviceError: the device is lost, or its state disturbs whatever is measured; from each
            method, too, since no candidate is to blame.
    """

    def __init__(
        self,
        spec: ModelSpec,
        compressor: Compressor,
        measurer: FileMeasurer,
        hooks: Hooks,
        seed: int,
        nanoseconds: float | None = None,
        turn: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._turn = turn
        self._spec = spec
        self._compressor = compressor
        self._measurer = measurer
        self._hooks = hooks
        self._seed = seed
        self._on_step = on_step
        self._made = 0
        self._files: dict[str, Path] = {}
        ready = spec.source.endswith(".tflite")
        self._recipe = parse_recipe("as_is" if ready else "float32")
        made = self.make(self._recipe)
        if isinstance(made, Failure):
            raise BadInputError(f"model {spec.name!r}: {made.reason}")
        self._file = made
        try:
            self._quality = self._scored(made)
            if nanoseconds is None and not measurer.facts.emulated:
                with self._passing_trouble():
                    (medians,) = measurer.latency([made.path], ROUNDS)
                nanoseconds = statistics.median(medians)
        except TrialError as error:
            raise BadInputError(f"model {spec.name!r} cannot be searched for: {error}") from error
        self._nanoseconds = nanoseconds

    @property
    def metric(self) -> Metric:
        """What quality is measured by."""
        return self._quality.metric

    @property
    def samples(self) -> int:
        """How many samples choose."""
        return self._quality.samples

    def baseline(self, aim: Aim) -> Candidate:
        """The model as it is, with all that is to be known of candidates.

        Raises:
            BadInputError: the device does not measure something of it.
        """
        sizes = self._file.sizes
        values: dict[Measure, float] = {"size": self._file.bytes, "download": sizes[GZIP]}
        for name in aim.measures:
            if name not in values:
                try:
                    values[name] = self.measure(name, self._file)
                except TrialError as error:
                    raise BadInputError(f"{name} cannot be measured: {error}") from error
        return Candidate(
            self._recipe.text,
            "measured",
            values=values,
            quality=self._shown(self._quality.value),
            loss=0.0,
            error=0.0,
            sha256=self._file.sha256,
            given=True,
        )

    def make(self, recipe: Recipe) -> Artifact | Failure:
        """See ``Bench``."""
        self._on_step(f"make {recipe.text}")
        if self._made >= _MOST_MADE:
            self._compressor.close()
            self._made = 0
        self._made += 1
        outcome = self._compressor.make([(self._spec, recipe)])
        if not outcome.artifacts:
            return outcome.failures[0]
        artifact = outcome.artifacts[0]
        self._files[artifact.sha256] = artifact.path
        return artifact

    def judge(self, artifact: Artifact) -> Judged:
        """See ``Bench``."""
        self._on_step(f"answers of {artifact.recipe}")
        own, base = self._scored(artifact), self._quality
        if own.task != base.task or own.samples != base.samples:
            raise TrialError("unscored", "it cannot be scored as the baseline is")
        task = _task_of(own.task, own.metric)
        sign = 1.0 if own.metric.direction == "lower" else -1.0
        error = None
        if task is not None and own.rows and base.rows:
            try:
                found = change(task, own.metric.name, base.rows, own.rows, seed=self._seed)
            except QualityError as wrong:
                raise TrialError("unscored", str(wrong)) from wrong
            if found.low is not None and found.high is not None:
                error = self._shown((found.high - found.low) / 2 / _HALF_WIDTH)
        loss = sign * (own.value - base.value)
        return Judged(self._shown(own.value), self._shown(loss), error)

    def measure(self, name: Measure, artifact: Artifact, best: Candidate | None = None) -> float:
        """See ``Bench``."""
        if name == "macs":
            return _macs(artifact)
        self._on_step(f"{name} of {artifact.recipe}")
        with self._passing_trouble():
            if name == "memory":
                return self._measurer.memory(artifact.path)
            if name == "energy":
                return self._measurer.energy(artifact.path)
            return self._latency(artifact, best)

    def _latency(self, artifact: Artifact, best: Candidate | None) -> float:
        """By its ratio to the best so far, in turn with it: drift must not decide which is faster.

        What the best took is relative to the baseline's first look, by ratios as well.
        """
        if artifact.sha256 == self._file.sha256 and self._nanoseconds is not None:
            return self._nanoseconds
        beside, its = self._file.path, self._nanoseconds
        if best is not None and (file := self._file_of(best)) is not None:
            beside, its = file, best.values["latency"]
            if best.sha256 == artifact.sha256:
                return its
        ratios: list[float] = []
        others: list[float] = []
        while len(ratios) < ROUNDS:
            (other,), (own,) = self._measurer.latency([beside, artifact.path], 1)
            ratios.append(own / other)
            others.append(other)
            if len(ratios) >= _FEWEST_ROUNDS and max(ratios) <= _AGREEING * min(ratios):
                break
        return statistics.median(ratios) * (its or statistics.median(others))

    def _file_of(self, best: Candidate) -> Path | None:
        """Its file, from the cache if an earlier session made it; None: it cannot be had."""
        if "latency" not in best.values or best.sha256 == self._file.sha256:
            return None
        if best.sha256 not in self._files:
            with contextlib.suppress(BadInputError):
                self.make(parse_recipe(best.recipe))
        return self._files.get(best.sha256)

    def _scored(self, artifact: Artifact) -> Quality:
        if artifact.evaluation is None or artifact.interface is None:
            said = "; ".join(artifact.warnings) or "it has no evaluation data"
            raise TrialError("unscored", f"quality cannot be measured: {said}")
        with self._passing_trouble():
            found: Found = self._measurer.answers(
                artifact.path, artifact.interface, artifact.evaluation, self._hooks
            )
        if not found.answers.scores:
            raise TrialError("unscored", f"quality cannot be measured: {found.answers.reason}")
        first = found.answers.scores[0]
        rows = {
            name.removeprefix(_REDUCED): array
            for name, array in found.arrays.items()
            if name.startswith(_REDUCED)
        }
        metric = registry()[first.name]
        return Quality(found.answers.task, metric, first.value, first.n, rows)

    @contextlib.contextmanager
    def _passing_trouble(self) -> Iterator[None]:
        """Ends the search for what is the device's: what was under way is tried again later."""
        try:
            with self._turn():
                yield
        except TrialError as error:
            if not isinstance(error, InvalidTrialError) and error.code != "link_lost":
                raise
            code = "unfit" if isinstance(error, InvalidTrialError) else "lost"
            name = self._measurer.device.name
            raise DeviceError(f"device {name!r}: {error.reason}", code) from error

    def _shown(self, value: float) -> float:
        return value * shown_factor(self._quality.metric)


def shown_factor(metric: Metric) -> float:
    """By what a value is multiplied to be in the unit in which reports show it."""
    return _POINTS if metric.unit == "share" else 1.0


def _macs(artifact: Artifact) -> float:
    found = macs_of(artifact.path.read_bytes(), artifact.recipe)
    if found is None:
        raise TrialError("unavailable", "one of its operators has multiply-accumulates of its own")
    return found


def _task_of(name: str, metric: Metric) -> Task | None:
    if name == "own":
        return own_task.own(None, "loss" if metric.name == "loss" else "score")
    return task_named(name)
