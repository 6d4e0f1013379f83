"""A whole search of a ready file: chosen on one half, confirmed on the other, handed over."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError, InterruptedRunError
from mobilebench.models.datasets import load_dataset
from mobilebench.search import search
from mobilebench.search.settings import Settings, read_settings
from mobilebench.search.space import read_space
from mobilebench.search.view import SearchView
from mobilebench.store.folder import RunFolder

pytestmark = pytest.mark.tensorflow

SPACE = """
[[slots]]
name = "numbers"
[[slots.choices]]
name = "dynamic_int8"
steps = [{ step = "dynamic_int8" }]
[[slots.choices]]
name = "float16"
steps = [{ step = "float16" }]
[[start]]
recipe = "float16"
"""


class Watching(search.QuietSearch):
    """Keeps what it was shown; interrupts when the second candidate is under way."""

    def __init__(self, interrupt: bool = False) -> None:
        self.views: list[SearchView] = []
        self.interrupt = interrupt

    def step(self, text: str) -> None:
        if self.interrupt and text.startswith("try ") and self.views[-1].candidates:
            raise KeyboardInterrupt

    def view(self, view: SearchView) -> None:
        self.views.append(view)


@pytest.fixture(scope="module")
def found(digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search that was interrupted and went on."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "space.toml").write_text(SPACE)
    settings = Settings.model_validate(
        {
            "name": "digits",
            "model": {"name": "digits", "source": str(digits.tflite), "data": str(digits.data)},
            "device": {"name": "local"},
            "runtime": {"name": "cpu-1"},
            "minimize": ["size"],
            "limits": {},
            "max_loss": 2.0,
            "space": read_space(folder / "space.toml").model_dump(),
            "budget": 600.0,
            "most": 2,
            "blocks": 1,
        }
    )
    first = Watching(interrupt=True)
    with pytest.raises(InterruptedRunError, match="1 candidates tried; go on with") as error:
        search.begin(settings, folder / "results", first)
    assert error.value.folder is not None
    assert first.views[-1].state == "interrupted"
    assert first.views[-1].spent > 0
    watching = Watching()
    return search.resume(error.value.folder, watching), watching, settings


def test_nothing_finished_was_tried_again(found: Any) -> None:
    done, watching, _ = found
    assert [c.recipe for c in done.view.candidates] == ["float16", "dynamic_int8"]
    assert watching.views[0].state == "searching"
    assert [v.state for v in watching.views][-2:] == ["confirming", "finished"]
    assert done.view.end == "candidates"


def test_the_smallest_within_the_limit_is_chosen_and_handed_over(found: Any) -> None:
    done, _, settings = found
    view = done.view
    assert view.chosen.recipe == "dynamic_int8"
    assert view.chosen.values["size"] < 0.4 * view.baseline.values["size"]
    assert [c.candidate.recipe for c in view.confirmed] == ["dynamic_int8"]
    assert view.holds == (view.confirmed[0].loss <= 2.0)
    assert done.files[0].stat().st_size == view.chosen.values["size"]
    suite = tomllib.loads((view.folder / "suite.toml").read_text())
    assert suite["models"][0]["recipes"] == ["as_is", "dynamic_int8"]
    assert suite["models"][0]["data"] == settings.model.data
    assert read_settings(view.folder).most == 2


def test_the_run_is_an_ordinary_one_on_samples_that_did_not_choose(found: Any, digits: Any) -> None:
    done, _, _ = found
    run = RunFolder.open(done.view.run).run()
    assert run.state == "finished"
    assert "found by a search of 2 candidates, and chosen on 250 samples" in run.warnings[0]
    assert "on average they lose" in run.warnings[1]
    assert {a.dataset.count for a in run.artifacts if a.dataset} == {250}
    data = load_dataset(str(digits.data)).evaluation
    assert data is not None
    halves = [data.half("validation"), data.half("test")]
    rows = [{row.tobytes() for row in half.x} for half in halves]
    assert not rows[0] & rows[1]
    assert rows[0] | rows[1] == {row.tobytes() for row in data.x}


def test_optimism_is_the_mean_of_what_is_lost_in_addition(found: Any) -> None:
    view = found[0].view
    (only,) = view.confirmed
    assert view.optimism == pytest.approx(only.loss - only.candidate.loss)


def test_data_without_labels_are_refused(tmp_path: Path, found: Any) -> None:
    settings = found[2]
    np.savez(tmp_path / "bare.npz", x_test=np.zeros((30, 784), np.float32))
    model = settings.model.model_copy(update={"data": str(tmp_path / "bare.npz")})
    with pytest.raises(BadInputError, match="a search chooses by quality, and"):
        search.begin(settings.model_copy(update={"model": model}), tmp_path / "results", Watching())
    assert not (tmp_path / "results").exists()


def test_the_command_shows_a_finished_search(found: Any) -> None:
    done, _, _ = found
    shown = CliRunner().invoke(main, ["search", "--resume", str(done.view.folder), "--json"])
    document = json.loads(shown.stdout)
    assert shown.exit_code == (0 if done.view.holds else 1)
    assert document["chosen"] == "dynamic_int8"
    assert document["samples_to_choose_on"] == 250
    assert document["confirmed"][0]["loss"] == done.view.confirmed[0].loss
    page = (done.view.folder / "search.html").read_text("utf-8")
    assert "http-equiv" not in page
    assert "<svg" in page
    assert "dynamic_int8" in page
    shown = CliRunner().invoke(main, ["search", "--resume", str(done.view.folder)])
    assert "Chosen: dynamic_int8" in shown.stdout
    assert "On data that no choice has seen" in shown.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a model to search for"),
        (["m.tflite", "--max-latency", "5"], "is no time: write 5ms"),
        (["m.tflite", "--budget", "soon"], "is no span of time: write 2h"),
        (["m.tflite", "--max-size", "0KB"], "is no size: write 300KB"),
        (["gone.tflite"], "gone.tflite does not exist"),
        (["--resume", "."], "is no folder of a search"),
        (["--resume", ".", "--max-size", "3KB"], "as it was begun"),
        (["zoo:mobilenet-v2"], "a search chooses by quality, and"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["search", *words])
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not list(tmp_path.iterdir())
