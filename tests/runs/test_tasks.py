"""The suite of tasks: each model is scored by its task's metrics, and answers as its file says.

Its models are trained for a few steps here: what they are worth does not matter, that it is
measured does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mobilebench.runs import run as runs
from mobilebench.runs.pair import settings, suite_of_file
from mobilebench.store.folder import RunFolder

TASKS = Path(__file__).parents[2] / "suites" / "tasks"

#: The metrics of each model.
METRICS = {
    "binary": {"accuracy", "auc"},
    "multilabel": {"auc", "f1"},
    "regression": {"mae", "rmse", "r2"},
    "segmentation": {"miou", "pixel_accuracy"},
    "detection": {"map", "map50"},
    "reconstruction": {"mse", "psnr"},
    "embedding": {"recall_at_1", "recall_at_5"},
    "two inputs": {"accuracy", "top5"},
    "two outputs": {"score"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """One block of the suite, without the zoo's models, which other tests train."""
    folder = tmp_path_factory.mktemp("tasks")
    shutil.copytree(TASKS, folder / "tasks", ignore=shutil.ignore_patterns("models", "__pycache__"))
    done = subprocess.run(
        [sys.executable, folder / "tasks" / "train.py", "--steps", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path = folder / "tasks" / "tasks.toml"
    first, *models = path.read_text("utf-8").split("[[models]]")
    kept = [text for text in models if "zoo:" not in text]
    path.write_text("[[models]]".join([first, *kept]), "utf-8")
    asked = settings(seconds=0.02, threads=None, seed=None, devices=())
    asked["protocol"]["blocks"] = 1
    suite = suite_of_file(path, {**asked, "recipes": ["float32", "dynamic_int8"]})
    return runs.start(suite, folder / "results", ("test",), runs.Quiet())


@pytest.mark.tensorflow
@pytest.mark.parametrize("model", METRICS)
def test_a_model_is_scored_by_the_metrics_of_its_task(run: RunFolder, model: str) -> None:
    trials = [t for t in run.trials() if (t.model, t.kind) == (model, "outputs")]
    assert len(trials) == 2
    for trial in trials:
        answers = trial.answers
        assert answers is not None, trial.reason
        assert {score.name for score in answers.scores} == METRICS[model], answers.reason
        assert answers.source == "data"
        assert answers.parity, answers.parity_reason
        assert min(output.snr_db for output in answers.parity) > 20
