"""The names of tasks."""

from __future__ import annotations

from pathlib import Path

from mobilebench.models.tasks import TASKS
from mobilebench.quality import tasks
from mobilebench.suite.choose import choose_suite


def test_every_task_that_can_be_named_can_be_scored() -> None:
    assert set(TASKS) == {*tasks.TASKS, "own"}


def test_the_task_of_files_on_the_command_line(model_file: Path) -> None:
    suite = choose_suite([model_file], "data.npz", task="segmentation")
    assert suite.models[0].task == "segmentation"
    assert choose_suite([model_file]).models[0].task is None
