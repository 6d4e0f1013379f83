"""What becomes of the confirming run: whether limits are kept, and the files handed over."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mobilebench.analysis.estimates import Estimate
from mobilebench.errors import BadInputError
from mobilebench.metrics import registry
from mobilebench.search import confirm, search
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate
from mobilebench.search.search import Found
from mobilebench.search.settings import Settings, read_settings
from mobilebench.search.space import read_space

AIM = Aim(("size",), {}, 1.0)


class Variant:
    """A variant of a summary, of known size and loss."""

    failure = invalid = ""

    def __init__(self, recipe: str, change: Estimate, is_baseline: bool = False) -> None:
        self.recipe = recipe
        self.is_baseline = is_baseline
        self.changes = {"accuracy": change}

    def __getitem__(self, name: str) -> Estimate:
        return Estimate(10.0) if name == "size" else Estimate(None, reason="it was not measured")


def test_the_baseline_loses_nothing_and_what_has_no_interval_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variants = [
        Variant("float32", Estimate(None, reason="it is the baseline"), is_baseline=True),
        Variant("int8", Estimate(-0.005)),
    ]
    summary = SimpleNamespace(comparisons=[SimpleNamespace(variants=variants)])
    monkeypatch.setattr(confirm, "summary_of", lambda _: summary)
    candidates = [Candidate(v.recipe, "measured") for v in variants]
    folder: Any = None
    base, own = confirm.read_confirmed(folder, AIM, registry()["accuracy"], candidates)
    assert (base.holds, base.reason, base.low) == ("shown", "", None)
    assert (own.holds, own.reason) == ("estimated", "the loss has no interval")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "name": "digits",
            "model": {"name": "digits", "source": str(tmp_path / "m.tflite")},
            "device": {"name": "local"},
            "runtime": {"name": "cpu-1"},
            "minimize": ["size"],
            "limits": {},
            "max_loss": 1.0,
            "space": read_space(None).within({"float", "calibration"}).model_dump(),
            "budget": 60.0,
        }
    )


def test_files_are_named_by_what_they_are_and_older_ones_go(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "int8").write_bytes(b"int8")
    (tmp_path / "float16").write_bytes(b"float16")
    made = [SimpleNamespace(recipe=name, sha256=name) for name in ("int8", "float16")]
    run: Any = SimpleNamespace(
        run=lambda: SimpleNamespace(artifacts=made),
        artifact=lambda name: tmp_path / name.removesuffix(".tflite"),
    )
    folder = tmp_path / "search"
    folder.mkdir()

    def delivered(recipes: list[str], first: Any) -> Found:
        files = confirm.deliver(settings, folder, run, "as_is", recipes, first)
        view: Any = None
        return Found(view, tuple(files))

    found = delivered(["int8", "float16"], "chosen")
    assert found.chosen_file == found.files[0] == folder / "files" / "digits.chosen.tflite"
    (folder / "files" / "mine.tflite").touch()
    # A chosen one that the run did not make is not replaced by another.
    found = delivered(["dynamic_int8", "int8"], "chosen")
    assert (found.chosen_file, len(found.files)) == (None, 1)
    found = delivered(["float16"], "nearest")
    assert found.chosen_file is None
    assert found.files[0].read_bytes() == b"float16"
    names = {path.name for path in (folder / "files").iterdir()}
    assert names == {"digits.nearest.tflite", "mine.tflite"}


def test_a_budget_that_is_none_is_refused_and_keeps_the_search(
    settings: Settings, tmp_path: Path
) -> None:
    settings.write(tmp_path)
    assert read_settings(tmp_path) == settings
    with pytest.raises(BadInputError, match="budget"):
        search.resume(tmp_path, search.QuietSearch(), budget=0)
    assert read_settings(tmp_path) == settings
