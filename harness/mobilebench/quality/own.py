"""A user's own measure of answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from mobilebench.errors import first_line
from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError, Rows, Task


def own(
    evaluate: Callable[[Any, Array], Any] | None, metric: Literal["score", "loss"] = "score"
) -> Task:
    """The task of a function ``evaluate(outputs, labels)``.

    It is given the only output, or a list of several, each (count, *shape of one sample), and
    returns a value a sample, of which the mean is scored and an interval drawn; or one number for
    all samples, without an interval.

    Args:
        evaluate: the function; None where kept rows are scored again.
        metric: ``score`` if higher is better, ``loss`` if lower is.
    """

    def fits(_labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]) -> tuple[int, ...]:
        return tuple(range(len(outputs)))

    def rows(outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]) -> dict[str, Array]:
        if evaluate is None:
            raise QualityError("the function evaluate is not at hand")
        return _evaluated(evaluate, outputs, labels)

    return Task(
        name="own",
        metrics=(metric,),
        fits=fits,
        rows=rows,
        score=lambda rows: {metric: _mean(rows)},
        gather=_gather,
    )


def _evaluated(
    evaluate: Callable[[Any, Array], Any], outputs: Sequence[Array], labels: Array
) -> dict[str, Array]:
    count = len(outputs[0])
    try:
        given = evaluate(outputs[0] if len(outputs) == 1 else list(outputs), labels)
        values = np.asarray(given, dtype=np.float64)
    except Exception as error:  # a user's function raises whatever it likes
        raise QualityError(
            f"evaluate failed: {type(error).__name__}: {first_line(error)}"
        ) from error
    if values.size == 1 and (count > 1 or not values.ndim):
        name, values = "number", np.full(count, float(values.reshape(())))
    elif values.shape in ((count,), (count, 1)):
        name, values = "value", values.reshape(count)
    else:
        raise QualityError(
            f"evaluate returned the shape {list(values.shape)} for {count} samples, and it must be "
            "a value a sample, or one number"
        )
    if not np.isfinite(values).all():
        raise QualityError(f"evaluate returned {values[~np.isfinite(values)][0]}, not a number")
    return {name: values}


def _gather(rows: Rows) -> Rows:
    if "number" in rows and np.unique(rows["number"]).size > 1:
        raise QualityError(
            "evaluate returned one number for each of several batches, which cannot be made one; "
            "return a value a sample"
        )
    return rows


def _mean(rows: Rows) -> float:
    (values,) = rows.values()
    return float(values.mean())
