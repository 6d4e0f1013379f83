"""The tasks by name, and which of them labels and outputs are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from mobilebench.errors import did_you_mean
from mobilebench.models.array import Array
from mobilebench.quality.classes import BINARY, CLASSIFICATION, MULTILABEL
from mobilebench.quality.detection import DETECTION
from mobilebench.quality.embedding import EMBEDDING
from mobilebench.quality.regression import RECONSTRUCTION, REGRESSION, marks_anomalies
from mobilebench.quality.segmentation import SEGMENTATION
from mobilebench.quality.several import AND, together
from mobilebench.quality.task import QualityError, Task
from mobilebench.quality.transcription import TRANSCRIPTION
from mobilebench.quality.values import AmbiguousError, is_whole, is_yes_or_no, squeezed

#: By name, in the order of the documentation.
TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            CLASSIFICATION,
            BINARY,
            MULTILABEL,
            REGRESSION,
            SEGMENTATION,
            DETECTION,
            RECONSTRUCTION,
            EMBEDDING,
            TRANSCRIPTION,
        )
    }
)


def task_named(name: str) -> Task | None:
    """The task that answers were scored by, also that of several outputs; None: there is none."""
    tasks = [TASKS.get(part) for part in name.split(AND)]
    known = [task for task in tasks if task is not None]
    if len(known) < len(tasks):
        return None
    return known[0] if len(known) == 1 else together(known)


def find_task(
    labels: Array, outputs: Sequence[Array], inputs: Sequence[Array] = (), *, name: str = ""
) -> Task:
    """The task that labels and outputs are of.

    Args:
        labels: of all samples, (count, ...).
        outputs: the model's answers, each (count, *shape of one sample), real numbers where they
            were quantized; the first batch will do.
        inputs: what it was given, likewise; only labels of anomalies need them.
        name: of the task that a user asks for; empty: it is found.

    Raises:
        QualityError: none fits, or the one named does not; the sentence says why.
    """
    labels = np.asarray(labels)
    if not len(labels):
        raise QualityError("there are no labels")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise QualityError("labels contain NaN or infinity")
    if name:
        if name not in TASKS:
            hint = did_you_mean(name, TASKS)
            raise QualityError(f"there is no task {name!r}; {hint}known are {', '.join(TASKS)}")
        try:
            return TASKS[name].fitted(labels, outputs, inputs)
        except QualityError as error:
            raise QualityError(f"the task {name} does not fit: {error}") from None
    for task in _likely(labels, outputs):
        try:
            return task.fitted(labels, outputs, inputs)
        except AmbiguousError:
            # Whole numbers of a real type may be targets of another task as well.
            if labels.dtype.kind != "f":
                raise
        except QualityError:
            continue
    raise QualityError(f"no task fits: {_reason(labels, outputs, inputs)}")


def _likely(labels: Array, outputs: Sequence[Array]) -> Iterator[Task]:
    """The tasks to try, the more particular ones first; ``embedding`` must be named."""
    if labels.dtype.kind in "US":
        yield TRANSCRIPTION
        return
    yield from (DETECTION, SEGMENTATION)
    # As long an output as the input, and a yes or no beside it: no row of two scores.
    if marks_anomalies(labels) and all(output[0].size > 2 for output in outputs):
        yield RECONSTRUCTION
    yield from (BINARY, CLASSIFICATION, MULTILABEL, REGRESSION)
    if not marks_anomalies(labels):
        yield RECONSTRUCTION


def _reason(labels: Array, outputs: Sequence[Array], inputs: Sequence[Array]) -> str:
    """Why not the task that such labels most often mean."""
    flat = squeezed(labels)
    if labels.dtype.kind in "US":
        task = TRANSCRIPTION
    elif labels.ndim == 3 and labels.shape[2] == 5 and len(outputs) > 2:
        task = DETECTION
    elif flat.ndim > 2:
        task = SEGMENTATION if is_whole(labels) else RECONSTRUCTION
    elif flat.ndim == 2:
        task = MULTILABEL if is_yes_or_no(labels) else REGRESSION
    else:
        task = CLASSIFICATION if is_whole(labels) else REGRESSION
    try:
        task.fitted(labels, outputs, inputs)
    except QualityError as error:
        return str(error)
    return "labels and outputs are of several tasks; name one"
