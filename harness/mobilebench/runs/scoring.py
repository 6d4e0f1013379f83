"""The quality of a trial's answers, reduced a batch at a time; or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models.array import Array
from mobilebench.models.hooks import HookError, Hooks
from mobilebench.quality.own import own
from mobilebench.quality.scoring import estimates
from mobilebench.quality.several import outputs_of, own_rows, together
from mobilebench.quality.task import QualityError, Task
from mobilebench.quality.tasks import find_task
from mobilebench.records.answers import Score
from mobilebench.records.interface import Interface
from mobilebench.runs import samples as batches
from mobilebench.runs.samples import OpenSamples, Samples

#: The labels that a task is found by take no more than that: looking at them takes much more.
_LABEL_BYTES = 8 << 20


@dataclass(frozen=True)
class Scored:
    """How well samples were answered: the task and its scores, or the reason why there is none.

    ``rows`` has what the task made of the answers, a row a sample.
    """

    task: str = ""
    reason: str = ""
    scores: tuple[Score, ...] = ()
    rows: Mapping[str, Array] = field(default_factory=dict)


class Scoring:
    """Takes the answers batch by batch. Whatever cannot be scored leaves quality out.

    Args:
        samples: what was asked.
        opened: the same.
        interface: of the file.
        hooks: what the data's own file says of decoding and evaluating.
    """

    def __init__(
        self, samples: Samples, opened: OpenSamples, interface: Interface, hooks: Hooks
    ) -> None:
        self._samples = samples
        self._opened = opened
        self._interface = interface
        self._hooks = hooks
        self._task: Task | None = None
        self._of_outputs: list[tuple[str, int, Task]] = []
        self._parts: list[Mapping[str, Array]] = []
        self._reason = samples.reason
        if samples.source == "noise" and not self._reason:
            self._reason = "the samples are noise, and have no labels"

    def add(self, start: int, end: int, outputs: Sequence[Array]) -> None:
        """Takes the answers to those samples."""
        if self._reason:
            return
        try:
            self._parts.append(self._reduced(start, end, outputs))
        except (QualityError, HookError, BadInputError) as error:
            self._leave_out(str(error))
        except Exception as error:  # a task meets whatever labels and outputs people have
            self._leave_out(self._failed(error))

    def found(self, seed: int) -> Scored:
        """The scores of all answers; ``seed``: of their intervals."""
        if self._reason or self._task is None:
            return Scored(reason=self._reason or "there are no answers")
        try:
            names = self._parts[0].keys()
            rows = {name: np.concatenate([part[name] for part in self._parts]) for name in names}
            return Scored(self._task.name, "", estimates(self._task, rows, seed=seed), rows)
        except QualityError as error:
            return Scored(reason=str(error))
        except Exception as error:  # as above
            return Scored(reason=self._failed(error))

    def _reduced(self, start: int, end: int, outputs: Sequence[Array]) -> Mapping[str, Array]:
        decoded = self._hooks.decoded(outputs)
        labels = self._opened.labels(start, end)
        if self._hooks.evaluate is not None and self._samples.task in ("", "own"):
            lower = self._hooks.direction == "lower"
            self._task = own(self._hooks.evaluate, "loss" if lower else "score")
            # Where there are no labels the function is given None.
            return self._task.reduce(decoded, cast(Array, labels))
        inputs = batches.real_inputs(self._opened.inputs(start, end), self._interface)
        if labels is None and self._samples.task == "reconstruction" and len(inputs) == 1:
            (labels,) = inputs  # what is to be restored, where nothing else is said
        if labels is None:
            raise QualityError("the data have no labels")
        known = self._known_labels() if self._task is None else None
        if isinstance(labels, dict):
            return self._of_each(labels, known, decoded, inputs)
        if self._task is None:
            first = labels if known is None else cast(Array, known)
            self._task = find_task(first, decoded, inputs, name=self._samples.task)
        return self._task.reduce(decoded, labels, inputs)

    def _of_each(
        self,
        labels: Mapping[str, Array],
        known: Array | Mapping[str, Array] | None,
        outputs: Sequence[Array],
        inputs: Sequence[Array],
    ) -> Mapping[str, Array]:
        """The rows of all outputs that have labels."""
        if self._task is None:
            names = [end.name for end in self._interface.outputs]
            if len(names) != len(outputs):  # what decode gives has no names
                names = list(map(str, range(len(outputs))))
            first = known if isinstance(known, dict) else labels
            found = sorted(zip(outputs_of(labels, names), labels, strict=True))
            for position, name in found:
                try:
                    task = find_task(
                        first[name], [outputs[position]], inputs, name=self._samples.task
                    )
                except QualityError as error:
                    raise QualityError(f"output {names[position]!r}: {error}") from None
                self._of_outputs.append((name, position, task))
            self._task = together([task for _, _, task in self._of_outputs])
        return {
            key: rows
            for place, (name, position, task) in enumerate(self._of_outputs)
            for key, rows in own_rows(
                place, task.reduce([outputs[position]], labels[name], inputs)
            ).items()
        }

    def _known_labels(self) -> Array | Mapping[str, Array] | None:
        """The labels of all samples, or of the first ones if they are large."""
        most = max(1, _LABEL_BYTES // max(1, self._opened.label_bytes))
        return self._opened.labels(0, min(self._samples.count, most))

    def _failed(self, error: Exception) -> str:
        what = f"the task {self._task.name}" if self._task else "finding the task"
        return f"{what} failed with {type(error).__name__}: {first_line(error)}"

    def _leave_out(self, reason: str) -> None:
        self._reason = reason
        self._parts.clear()
