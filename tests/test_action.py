"""The GitHub Action: its script, run as GitHub runs it, with a gate that is none."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".github" / "action" / "gate.sh"

_BASH = shutil.which("bash") or ""
pytestmark = pytest.mark.skipif(not _BASH, reason="needs bash")


class Action:
    """Runs the script in a folder; the gate notes its arguments and ends with ``code``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output, self.summary = folder / "output", folder / "summary"

    def run(self, code: int = 0, **inputs: str) -> subprocess.CompletedProcess[str]:
        gate = self.folder / "gate"
        gate.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{self.folder}/given"\nexit {code}\n')
        gate.chmod(gate.stat().st_mode | stat.S_IXUSR)
        self.output.unlink(missing_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "MOBILEBENCH": str(gate),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.folder),
            **inputs,
        }
        return subprocess.run(
            [_BASH, SCRIPT], env=environment, cwd=self.folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    @property
    def given(self) -> list[str]:
        return (self.folder / "given").read_text().splitlines()

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def action(tmp_path: Path) -> Action:
    return Action(tmp_path)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, "PASS"), (1, "FAIL"), (3, "INCONCLUSIVE"), (4, "INVALID"), (2, "ERROR"), (70, "ERROR")],
)
def test_the_verdict_is_the_steps_output(action: Action, code: int, verdict: str) -> None:
    done = action.run(code, BASELINE="a.tflite", CANDIDATE="b.tflite")
    assert done.returncode == code, done.stderr
    assert action.outputs == {"verdict": verdict, "code": str(code)}
    assert (f"::error::mobilebench gate: {verdict}" in done.stdout) == (code != 0)


def test_inconclusive_may_be_allowed_and_nothing_else(action: Action) -> None:
    assert action.run(3, SUITE="s.toml", ALLOW_INCONCLUSIVE="true").returncode == 0
    assert action.outputs["verdict"] == "INCONCLUSIVE"
    assert action.run(1, SUITE="s.toml", ALLOW_INCONCLUSIVE="true").returncode == 1


def test_inputs_are_arguments_whatever_is_in_them(action: Action) -> None:
    hostile = 'a b"; touch gone; $(touch gone) `touch gone`'
    done = action.run(
        BASELINE=hostile, CANDIDATE="b.tflite", DEVICES="R5CT1\nadb://h:5037/X\n",
        ARGUMENTS="--seconds\n2\n", RESULTS="my results",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert action.given == [
        "gate", "--results", "my results", "--junit", "my results/gate.xml",
        "--summary", str(action.summary), "--baseline", hostile, "--candidate", "b.tflite",
        "--device", "R5CT1", "--device", "adb://h:5037/X", "--seconds", "2",
    ]  # fmt: skip
    assert not (action.folder / "gone").exists()


def test_a_suite_is_no_option(action: Action) -> None:
    action.run(SUITE="--help")
    assert action.given[-2:] == ["--", "--help"]


def test_no_input_is_part_of_a_script() -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    scripts = re.findall(r"^ *run:.*$", text, re.MULTILINE)
    assert scripts
    assert not any("${{" in script for script in scripts)
    # What the script reads is what the action passes on.
    passed = set(re.findall(r"^ {8}([A-Z_]+): \$\{\{ inputs\.", text, re.MULTILINE))
    read = set(re.findall(r"\$\{([A-Z_]+):", SCRIPT.read_text("utf-8")))
    assert passed == read - {"MOBILEBENCH", "RUNNER_TEMP"}
