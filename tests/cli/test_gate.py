"""``mobilebench gate``, and the options that ``calibrate`` shares with it."""

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main

from tests.support.command import mobilebench
from tests.support.models import BASELINE, CANDIDATE, labelled
from tests.support.tflite_files import with_input

#: A machine that is busy meanwhile makes latency INVALID: that is judged on scripted devices.
WIDE = (
    "[latency]\nenabled = false\n[memory]\nmargin = 1.0\n"
    '[accuracy]\nmargin = 1.0\nmissing = "fail"\n'
)


def test_a_gate_of_two_files(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(WIDE)
    (tmp_path / "summary.md").write_text("earlier\n")
    done = mobilebench(
        "gate", "--baseline", BASELINE, "--candidate", BASELINE, "--data", labelled(tmp_path),
        "--policy", tmp_path / "policy.toml", "--seconds", "0", "--results", tmp_path / "results",
        "--junit", tmp_path / "gate.xml", "--summary", tmp_path / "summary.md", "--json",
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    document = json.loads(done.stdout)
    assert document["verdict"] == "PASS"
    metrics = {m["metric"]: m for m in document["comparisons"][0]["metrics"]}
    assert metrics["accuracy"]["effect"] == 0
    assert metrics["delegation"]["verdict"] == "PASS"
    assert 'failures="0"' in (tmp_path / "gate.xml").read_text()
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("earlier\n## ✅ PASS")
    again = mobilebench("gate", "--resume", document["folder"])
    assert again.returncode == 0
    assert "PASS" in again.stdout


def test_a_gate_of_a_suite(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(
        "[protocol]\nwarmup_seconds = 0.0\nseconds = 0.0\nruns = 10\n"
        f'[[models]]\nname = "small"\nsource = "{CANDIDATE}"\n'
        f'[models.ready]\nbigger = "{BASELINE}"\n'
    )
    (tmp_path / "policy.toml").write_text(WIDE.replace('missing = "fail"\n', ""))
    done = mobilebench(
        "gate", path, "--policy", tmp_path / "policy.toml", "--results", tmp_path / "results"
    )
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "bigger against as_is" in done.stdout
    assert "+38.4 %" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give --baseline and --candidate"),
        (("--baseline", BASELINE), "give --baseline and --candidate"),
        (("--baseline", BASELINE, "--candidate", "gone.tflite"), "gone.tflite does not exist"),
        (("--baseline", BASELINE, "--candidate", __file__), "is no .tflite file"),
        (("gone.toml",), "no suite file"),
        (("x.toml", "--data", "y.npz"), "a suite file alone"),
        (("--resume", "nowhere"), "no results folder"),
        (("--resume", "nowhere", "--data", "x"), "give it alone"),
        (("--policy", "gone.toml", "x.toml"), "no policy file"),
        (("x.toml", "--junit", "/nowhere/x.xml"), "its folder does not exist"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: Sequence[object], words: str) -> None:
    command = ["gate", *map(str, arguments), "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert not list((tmp_path / "results").glob("*"))


def other_input(tmp_path: Path) -> Path:
    path = tmp_path / "other.tflite"
    path.write_bytes(with_input(BASELINE.read_bytes(), [1, 16, 16, 1]))
    return path


def test_another_interface_is_invalid(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main,
        [
            "gate", "--baseline", str(BASELINE), "--candidate", str(other_input(tmp_path)),
            "--data", str(labelled(tmp_path)), "--results", str(tmp_path / "results"), "--json",
            "--junit", str(tmp_path / "gate.xml"), "--summary", str(tmp_path / "summary.md"),
        ],
    )  # fmt: skip
    assert done.exit_code == 4, done.output
    document = json.loads(done.stdout)
    assert (document["verdict"], document["exit_code"]) == ("INVALID", 4)
    words = "input 'args_0' is [1, 8, 8, 1] in the baseline and [1, 16, 16, 1] in the candidate"
    assert words in document["invalid"]
    assert document["folder"] is None
    assert not list((tmp_path / "results").glob("*"))
    root = ElementTree.fromstring((tmp_path / "gate.xml").read_text())  # noqa: S314 (our own)
    assert root.get("errors") == "1"
    assert words in root.findall(".//error")[0].get("message", "")
    assert "INVALID" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("command", ["gate", "calibrate"])
def test_cpus_that_are_no_list(command: str) -> None:
    wrong = CliRunner().invoke(main, [command, str(BASELINE), "--cpus", "4..5"])
    assert wrong.exit_code == 2
    assert "'4..5' is no list of CPUs, as 4,5 or 4-7" in wrong.output
