"""Stored runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench.api.arguments import StrPath

if TYPE_CHECKING:
    from mobilebench.runs.compare import StoredComparison
    from mobilebench.runs.history import History


def compare(*runs: StrPath, metric: str = "latency") -> StoredComparison:
    """Compares stored runs with the first of them: advice, never a verdict.

    Args:
        runs: at least two runs or their folders.
        metric: what they are compared by: the name of any registered metric.

    Returns:
        A row for each variant, and what was refused, with the reason; ``frame()`` is a table.

    Raises:
        BadInputError: there is no such metric, a folder holds no run, or nothing at all can be
            compared.
    """
    from mobilebench.runs import compare as comparing

    return comparing.compare([Path(run) for run in runs], metric)


def history(
    *folders: StrPath,
    metric: str = "latency",
    model: str | None = None,
    recipe: str | None = None,
    device: str | None = None,
    runtime: str | None = None,
) -> History:
    """Follows each variant over many stored runs, and finds where its numbers changed for good.

    Only runs that can be compared with the newest one are in a series. It is advice, never a
    verdict.

    Args:
        folders: runs, and folders that hold runs; none: ``results``.
        metric: the name of any registered metric.
        model: only this model.
        recipe: only this recipe.
        device: only this device, by its name in the runs.
        runtime: only this runtime.

    Returns:
        The series with their steps, and what was refused, with the reason; ``frame()`` is a table.

    Raises:
        BadInputError: there is no such metric, run or series; the message says what there is.
    """
    from mobilebench.runs import history as histories

    wanted = histories.Wanted(model, recipe, device, runtime)
    return histories.history([Path(f) for f in folders or ("results",)], metric, wanted)
