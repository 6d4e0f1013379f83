"""A run in a real MLflow store, of files."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.store.folder import TABLE, RunFolder

GOLDEN = Path(__file__).parents[2] / "golden" / "runs"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "store").as_uri()


def test_each_variant_is_a_run_with_its_intervals(store: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(GOLDEN / "gate-fail", folder)
    command = ["report", str(folder), "--to", "mlflow", "--tracking-uri", store]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    client = mlflow.MlflowClient(store)
    suite = RunFolder.open(folder).run().suite.name
    experiment = client.get_experiment_by_name(suite).experiment_id
    parent = client.get_run(done.stdout.strip())
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} >= {
        "report.html", TABLE, "run.json",
    }  # fmt: skip
    runs = client.search_runs([experiment], "tags.`mobilebench.is_baseline` != ''")
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        rows = {row["recipe"]: row for row in csv.DictReader(file)}
    assert {run.data.params["recipe"] for run in runs} == set(rows)
    for run in runs:
        row = rows[run.data.params["recipe"]]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        for name in ("latency_ns", "latency_ns_low", "latency_ns_high", "size_bytes"):
            assert run.data.metrics[name] == pytest.approx(float(row[name]))
        # What is unavailable is no metric, and never 0.
        assert "energy_j" not in run.data.metrics
        assert not any(value == "" for value in run.data.tags.values())

    # Once more changes nothing.
    again = CliRunner().invoke(main, command)
    assert again.stdout == done.stdout
    assert "is there already; nothing was written" in again.stderr
    assert len(client.search_runs([experiment])) == 1 + len(rows)


def test_a_store_that_cannot_be_written(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(GOLDEN / "gate-fail", folder)
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    to = ["--to", "mlflow", "--tracking-uri", store]
    done = CliRunner().invoke(main, ["report", str(folder), *to])
    assert done.exit_code == 2
    assert "the run cannot be written to MLflow" in done.stderr
    done = CliRunner().invoke(main, ["report", str(folder), "--experiment", "x"])
    assert done.exit_code == 2


def test_what_was_begun_is_deleted_one_by_one(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(GOLDEN / "gate-fail", folder)
    deleted: list[str] = []

    def fail(*_: object, **__: object) -> None:
        raise ImportError("No module named 'sqlalchemy'")

    def refuse(_: object, run_id: str) -> None:
        deleted.append(run_id)
        raise mlflow.MlflowException("it cannot be deleted")

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", fail)
    monkeypatch.setattr(mlflow.MlflowClient, "delete_run", refuse)
    done = CliRunner().invoke(
        main, ["report", str(folder), "--to", "mlflow", "--tracking-uri", store]
    )
    assert done.exit_code == 2
    assert "sqlalchemy'; name the store with --tracking-uri" in done.stderr
    assert len({*deleted}) == 2
