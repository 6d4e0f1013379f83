"""Exceptions that nobody expected: an exit code of their own, one sentence, and a crash log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner, Result
from mobilebench.cli.main import main
from mobilebench.report.exports import gate as gate_outputs
from mobilebench.runs import gate, run, selection, session, verdict
from mobilebench.runs.run import Quiet
from mobilebench.store.folder import RunFolder

from tests.support.command import mobilebench
from tests.support.gates import QUIET, two_files
from tests.support.models import MODELS
from tests.support.scripted_device import Open, ScriptedDevice

MODEL = MODELS / "small.tflite"


def broken(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("the moon is full\nand the tide is high")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def crash_log(stderr: str) -> str:
    (told,) = [line for line in stderr.splitlines() if line.startswith("mobilebench: ")]
    assert "Traceback" not in stderr
    assert "a fault of MobileBench, not of the models: RuntimeError: the moon is full" in told
    assert "the tide" not in told
    found = re.search(r"report it with the crash log (\S+)$", told)
    assert found
    path = Path(found.group(1))
    assert path.stat().st_mode & 0o077 == 0
    return path.read_text("utf-8")


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("mobilebench.runs.compress_files.make_files", ("compress", MODEL, "float16")),
        ("mobilebench.runs.history.history", ("history", ".")),
        ("mobilebench.runs.compare.compare", ("compare", "a", "b")),
        (
            "mobilebench.runs.selection.choose_devices",
            ("gate", "--baseline", "a", "--candidate", "b"),
        ),
        ("mobilebench.runs.selection.choose_devices", ("run", MODEL)),
        ("mobilebench.runs.selection.choose_devices", ("calibrate", MODEL)),
        ("mobilebench.store.folder.RunFolder.open", ("report", MODELS)),
    ],
)
def test_any_command_ends_with_70(
    monkeypatch: pytest.MonkeyPatch, place: str, arguments: tuple[object, ...]
) -> None:
    monkeypatch.setattr(place, broken)
    monkeypatch.setattr("sys.argv", ["mobilebench", "x", "--data=/home/me/secret/d.npz", "/a/b.t"])
    done = invoke(*arguments)
    assert done.exit_code == 70, done.output
    log = crash_log(done.stderr)
    assert "command: mobilebench x --data=…/d.npz …/b.t\n" in log
    assert "and the tide is high" in log
    assert "in broken" in log
    assert "numpy " in log
    assert str(Path.home()) not in log or len(str(Path.home())) < 2


@pytest.mark.parametrize(
    "error",
    [EOFError("x"), OSError(32, "Broken pipe"), MemoryError(), RecursionError("deep")],
)
def test_what_click_would_end_with_1(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(selection, "choose_devices", fail)
    done = invoke("run", MODEL)
    assert done.exit_code == 70, done.output
    assert type(error).__name__ in done.stderr


def test_options_are_read_with_the_same_care(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", broken)
    assert invoke("gate", "--policy", "x").exit_code == 70
    monkeypatch.undo()
    assert invoke("gate", "--polizy", "x").exit_code == 2


def test_without_a_place_for_the_log_the_traceback_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(selection, "choose_devices", broken)
    done = invoke("run", MODEL)
    assert done.exit_code == 70
    assert "no crash log could be written" in done.stderr
    assert "Traceback" in done.stderr


def test_a_gate_that_breaks_in_a_lane(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the thread that talks to the device, after some trials."""
    real: Any = session.run_session
    ended: list[object] = []

    def lane(*arguments: Any) -> None:
        def on_record(record: object) -> None:
            ended.append(record)
            if len(ended) == 3:
                broken()

        real(*arguments[:9], on_record, *arguments[10:])

    monkeypatch.setattr(run, "run_session", lane)
    junit, summary = tmp_path / "gate.xml", tmp_path / "summary.md"
    done = invoke("gate", "--baseline", MODEL, "--candidate", MODEL, "--seconds", 0,
                  "--results", tmp_path / "results", "--junit", junit, "--summary", summary,
                  "--json")  # fmt: skip
    assert done.exit_code == 70, done.output
    (path,) = (tmp_path / "results").iterdir()
    crash_log(done.stderr)
    assert f"go on with: mobilebench gate --resume {path}" in done.stderr
    error = ElementTree.parse(junit).find(".//testcase/error")  # noqa: S314 (our own)
    assert error is not None
    assert "a fault of MobileBench" in error.get("message", "")
    assert "INVALID" in summary.read_text("utf-8")
    told = json.loads(done.stdout)
    assert (told["verdict"], told["exit_code"]) == ("INVALID", 70)
    kept = json.loads((path / "gate.json").read_text("utf-8"))
    assert (kept["verdict"], kept["exit_code"]) == ("INVALID", 70)
    assert "the moon is full" in kept["invalid"]
    assert RunFolder.open(path).run().state == "interrupted"


def test_a_gate_whose_report_breaks(
    on: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The verdict was written already: it must not stay beside an exit code of another kind."""
    on(ScriptedDevice())
    monkeypatch.setattr("mobilebench.report.write.build", broken)
    result = gate.start(two_files(), QUIET, tmp_path, ["t"], Quiet())
    path = result.folder
    done = invoke("gate", "--resume", path)
    assert done.exit_code == 70, done.output
    assert json.loads((path / "gate.json").read_text("utf-8"))["verdict"] == "INVALID"


def test_a_gate_whose_outputs_break(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mobilebench.runs.run.ensure_trusted", lambda _: None)
    monkeypatch.setattr(gate, "resume", lambda *_: verdict.GateResult("r", tmp_path, (), ()))
    monkeypatch.setattr(gate_outputs, "terminal", broken)
    done = invoke("gate", "--resume", tmp_path, "--junit", tmp_path / "gate.xml")
    assert done.exit_code == 70, done.output
    assert 'errors="1"' in (tmp_path / "gate.xml").read_text("utf-8")


def test_a_reader_that_has_gone_does_not_change_the_verdict() -> None:
    """A gate that did not pass, through `| head`."""
    script = (
        "from mobilebench.runs import gate, run, verdict; from mobilebench.cli.main import main\n"
        "from pathlib import Path\n"
        "run.ensure_trusted = lambda _: None\n"
        "gate.resume = lambda *_: verdict.GateResult('r', Path('r'), (), (), invalid='x' * 10**6)\n"
        "main(['gate', '--resume', 'x', '--json'])"
    )
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=stdout, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (4, b"")


def test_a_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    """A module that Python imports by itself breaks what the policy is read with."""
    (tmp_path / "sitecustomize.py").write_text(
        "import mobilebench.suite.policy\n"
        "def broken(path):\n"
        "    raise RuntimeError('the moon is full')\n"
        "mobilebench.suite.policy.read_policy = broken\n"
    )
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = mobilebench(
        "gate", "--baseline", MODEL, "--candidate", MODEL, "--junit", tmp_path / "gate.xml",
        env={"PYTHONPATH": paths}, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (70, "")
    assert "the moon is full" in crash_log(done.stderr)
    assert "<error" in (tmp_path / "gate.xml").read_text("utf-8")
