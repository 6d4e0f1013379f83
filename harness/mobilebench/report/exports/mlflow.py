"""A run in an MLflow tracking store: a run there for each variant in each place."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.analysis.rows import frame
from mobilebench.errors import BadInputError, first_line
from mobilebench.metrics import registry
from mobilebench.store.folder import MANIFEST, PAGE, TABLE, TEXT
from mobilebench.version import __version__

if TYPE_CHECKING:
    from mobilebench.analysis.summary import Summary

#: What distinguishes a variant in a place; MLflow calls it parameters.
_PARAMETERS = ("suite", "model", "recipe", "device", "runtime")
_TAGS = ("is_baseline", "virtual_device", "artifact_sha256")
_FILES = (PAGE, TEXT, TABLE, MANIFEST)
#: MLflow takes no longer parameter or tag.
_LONGEST = 500
_RUN_TAG = "mobilebench.run"


@dataclass(frozen=True)
class Sent:
    """The run of a store that has the report; ``is_new``: it was not there before."""

    id: str
    is_new: bool


def send(
    summary: Summary, folder: Path, name: str, created: str, uri: str | None, experiment: str
) -> Sent:
    """Writes a run into a tracking store; one that is there already is not written again.

    Args:
        summary: of the run.
        folder: the run's, whose report files become artifacts.
        name: the run's.
        created: when the run began (ISO 8601).
        uri: of the store; None: as MLflow itself finds it (``MLFLOW_TRACKING_URI``).
        experiment: its name there; it is made if need be.

    Returns:
        The run that has the report; the variants' runs are nested in it.

    Raises:
        BadInputError: MLflow is missing, or the store cannot be written; what was begun is deleted.
    """
    try:
        import mlflow
    except ImportError as error:
        raise BadInputError("MLflow is not installed: pip install 'mobilebench[mlflow]'") from error
    begin = round(datetime.fromisoformat(created).timestamp() * 1000)
    try:
        client = mlflow.MlflowClient(uri)
        found = client.get_experiment_by_name(experiment)
        where = found.experiment_id if found else client.create_experiment(experiment)
        query = f"tags.`{_RUN_TAG}` = '{name}'"
        if there := client.search_runs([where], query, max_results=1):
            return Sent(str(there[0].info.run_id), is_new=False)
        return Sent(_written(client, where, name, summary, folder, begin), is_new=True)
    # A small installation of MLflow misses what some stores need, and says so only then.
    except (mlflow.MlflowException, OSError, ImportError) as error:
        raise BadInputError(
            f"the run cannot be written to MLflow: {first_line(error)}; name the store with "
            "--tracking-uri or MLFLOW_TRACKING_URI"
        ) from error


def _written(
    client: Any, experiment: str, name: str, summary: Summary, folder: Path, begin: int
) -> str:
    begun: list[str] = []
    try:
        parent = client.create_run(experiment, start_time=begin, run_name=name)
        begun.append(parent.info.run_id)
        client.set_tag(parent.info.run_id, "mobilebench.version", __version__)
        for file in _FILES:
            if (folder / file).is_file():
                client.log_artifact(parent.info.run_id, str(folder / file))
        for row in frame(summary).to_dict("records"):
            title = f"{row['model']} · {row['recipe']} · {row['device']} · {row['runtime']}"
            tags = {"mlflow.parentRunId": parent.info.run_id}
            run = client.create_run(experiment, start_time=begin, tags=tags, run_name=title)
            begun.append(run.info.run_id)
            _log(client, run.info.run_id, row, begin)
        client.set_terminated(parent.info.run_id)
        # Last, so that a run that was begun and broke off is not taken for a whole one.
        client.set_tag(parent.info.run_id, _RUN_TAG, name)
    except BaseException:
        for run_id in begun:
            with contextlib.suppress(Exception):  # the others are deleted all the same
                client.delete_run(run_id)
        raise
    return str(parent.info.run_id)


def _log(client: Any, run: str, row: dict[Any, Any], begin: int) -> None:
    from mlflow.entities import Metric, Param, RunTag

    metrics = []
    for metric in registry().values():
        for part in ("", "_low", "_high"):
            value = _number(row.get(f"{metric.column}{part}"))
            if value is not None:
                metrics.append(Metric(f"{metric.column}{part}", value, begin, 0))
    parameters = [Param(key, str(row[key])[:_LONGEST]) for key in _PARAMETERS if key in row]
    tags = [RunTag(f"mobilebench.{key}", str(row[key])) for key in _TAGS if key in row]
    tags += [
        RunTag(f"mobilebench.reason.{metric.column}", str(reason)[:_LONGEST])
        for metric in registry().values()
        if isinstance(reason := row.get(f"{metric.column}_reason"), str) and reason
    ]
    client.log_batch(run, metrics=metrics, params=parameters, tags=tags)
    client.set_terminated(run)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
