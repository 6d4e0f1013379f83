"""Somebody else's run folder starts nothing before its user is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError
from mobilebench.runs import gate
from mobilebench.runs import run as runs
from mobilebench.runs.own_code import UntrustedRunError
from mobilebench.runs.run import Quiet
from mobilebench.store.folder import MANIFEST, TRIALS, RunFolder

GOLDEN = Path(__file__).parents[1] / "golden" / "runs" / "gate-fail"


def foreign(folder: Path, **device: Any) -> Path:
    """An interrupted run whose first device is said to be started by a program of its author's."""
    shutil.copytree(GOLDEN, folder)
    path = folder / MANIFEST
    document = json.loads(path.read_text("utf-8"))
    document["state"] = "interrupted"
    (first, *_) = document["suite"]["devices"]
    first.update({"kind": "local", **device})
    path.write_text(json.dumps(document), "utf-8")
    # With something left to measure.
    trials = folder / TRIALS
    trials.write_text("".join(trials.read_text("utf-8").splitlines(True)[:-1]), "utf-8")
    return folder


def program(folder: Path) -> tuple[Path, Path]:
    """A program, and the file that is there once it was started."""
    started, path = folder / "started", folder / "evil"
    path.write_text(f"#!/bin/sh\ntouch {started}\n")
    path.chmod(0o755)
    return path, started


@pytest.mark.parametrize(
    "settings",
    [{"python": "evil"}, {"kind": "ssh", "address": "ssh://evil@x"},
     {"kind": "android", "executor": "benchmark_model", "binary": "evil"}],
)  # fmt: skip
def test_nothing_is_started(tmp_path: Path, settings: dict[str, str]) -> None:
    path, started = program(tmp_path)
    settings = {key: str(path) if value == "evil" else value for key, value in settings.items()}
    folder = foreign(tmp_path / "run", **settings)
    for resume in (runs.resume, gate.resume):
        with pytest.raises(UntrustedRunError, match="was not begun here by you"):
            resume(folder, Quiet())
    done = CliRunner().invoke(main, ["gate", "--resume", str(folder)])
    assert done.exit_code == 2
    assert "repeat the command with --trust" in done.stderr
    assert not started.exists()


def test_a_user_can_trust_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The stored run is without its models.
    monkeypatch.setattr(runs, "_ensure_whole", lambda *_: None)
    path, started = program(tmp_path)
    folder = foreign(tmp_path / "run", python=str(path))
    done = CliRunner().invoke(main, ["gate", "--resume", str(folder), "--trust"])
    assert started.exists(), done.output
    # What was agreed to is that program, and no other.
    other = tmp_path / "other"
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text("utf-8").replace(str(path), str(other)), "utf-8")
    with pytest.raises(UntrustedRunError, match="other"):
        runs.resume(folder, Quiet())


def test_a_run_without_programs_needs_no_trust(tmp_path: Path) -> None:
    runs.ensure_trusted(foreign(tmp_path / "run"))
    with pytest.raises(BadInputError, match="no results folder"):
        runs.ensure_trusted(tmp_path)


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a\\b", "", ".", "..", "a\nb", "x" * 999])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = foreign(tmp_path / "run")
    path = folder / MANIFEST
    document = json.loads(path.read_text("utf-8"))
    document["plan"][0]["trial"] = name
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(BadInputError, match=r"plan\[1\]\.trial"):
        RunFolder.open(folder)
