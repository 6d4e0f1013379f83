"""What is measured on a lab's devices by search and watch; test_lab.py has a gate."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import mobilebench as mb
import pytest
from click.testing import CliRunner
from mobilebench import api
from mobilebench.cli import options
from mobilebench.cli.main import main
from mobilebench.lab import certificates
from mobilebench.lab.client import lab_at
from mobilebench.store.folder import RunFolder

from tests.support.laboratory import Laboratory
from tests.support.models import MODELS

SMALL = str(MODELS / "small.tflite")


def test_watch_and_files_in_turn(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory.join("a")
    suite, results = tmp_path / "suite.toml", tmp_path / "results"
    suite.write_text(
        f'name = "watched"\nprotocol = {{ blocks = 1, seconds = 0.01 }}\n'
        f'[[models]]\nname = "small"\nsource = "{SMALL}"\nrecipes = ["as_is"]\n'
    )
    there = ("--lab", laboratory.address, "--device", "lab:host=A")
    watch = laboratory.client("watch", "watch", str(suite), "--results", str(results), *there)
    watch.waits_for("a/local is ready")
    watch.waits_for("small on")
    watch.end(signal.SIGINT)
    assert watch.process.returncode == 130, watch.said()
    (run,) = results.glob("*/run.json")
    assert {t.state for t in RunFolder.open(run.parent).trials()} == {"valid"}

    # What a search measures with.
    monkeypatch.setenv(certificates.VARIABLE, str(laboratory.certificates))
    address = f"{laboratory.address}/a/local"
    try:
        (found,) = mb.measure(SMALL, device=address, rounds=2, seconds=0.01)
    finally:
        lab_at(laboratory.address).close()
    assert len(found.latency_ns) == 2
    assert found.memory_bytes is not None


def test_a_search_has_one_device_of_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    class There:
        address = "tls://lab:1"

    given: dict[str, Any] = {}

    def search(*_: Any, **arguments: Any) -> None:
        given.update(arguments)
        raise KeyboardInterrupt

    meant = ["tls://lab:1/a/P1", "tls://lab:1/a/P2"]
    monkeypatch.setattr(options, "require_lab", lambda *_: There())
    monkeypatch.setattr("mobilebench.lab.client.choose", lambda *_: tuple(meant))
    monkeypatch.setattr(api, "search", search)
    command = ["search", "zoo:digits-teacher", "--lab", "tls://lab:1", "--device", "lab:*"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert "lab:* means 2 devices, and one measures: lab:any(1) is one of them" in done.output
    meant.pop()
    CliRunner().invoke(main, command)
    assert given["device"] == "tls://lab:1/a/P1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "lab:*"), "lab:* is of a lab: name it by --lab tls://HOST:PORT"),
        (("--device", "R5CT"), "R5CT is of no lab: without --device every phone"),
        (("--lab", "lab:8786", "--device", "lab:*"), "'lab:8786' is no lab, as tls://HOST:PORT"),
        (("--lab", "tls://lab:1"), "none of its devices is asked for: add --device 'lab:*'"),
    ],
)
def test_what_watch_refuses(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOBILEBENCH_LAB", raising=False)
    suite = tmp_path / "suite.toml"
    suite.write_text(f'name = "s"\n[[models]]\nname = "m"\nsource = "{SMALL}"\n')
    done = CliRunner().invoke(main, ["watch", str(suite), *arguments])
    assert done.exit_code == 2
    assert words in done.output


def test_a_lab_without_a_device_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def run(_what: object, **given: Any) -> None:
        asked.append(given)
        raise KeyboardInterrupt

    monkeypatch.delenv("MOBILEBENCH_LAB", raising=False)
    monkeypatch.setattr(api, "run", run)
    for command in (["run", SMALL], ["gate", "--baseline", SMALL, "--candidate", SMALL]):
        done = CliRunner().invoke(main, [*command, "--lab", "tls://lab:1"])
        assert done.exit_code == 2
        assert "none of its devices is asked for: add --device 'lab:*'" in done.output
    done = CliRunner().invoke(main, ["run", "--lab", "tls://lab:1", "--resume", "results/x"])
    assert "results/x is no results folder" in done.output
    # It may be named for all commands, without a word of any of them.
    monkeypatch.setenv("MOBILEBENCH_LAB", "tls://lab:1")
    CliRunner().invoke(main, ["run", SMALL])
    assert [given["devices"] for given in asked] == [()]
