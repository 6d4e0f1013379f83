"""The command's face: help, version, devices, and what is not imported for them."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from mobilebench import __version__
from mobilebench.cli.main import main

HEAVY = ("tensorflow", "keras", "litert_quantizer", "scipy", "pandas", "matplotlib", "pyarrow")


def test_version() -> None:
    assert __version__ in CliRunner().invoke(main, ["--version"]).output


@pytest.mark.parametrize("command", [[], ["run"], ["compress"], ["report"], ["devices"]])
def test_help_has_examples(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Examples:\n" in result.output
    assert "mobilebench " in result.output


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    script = (
        "import sys\nfrom mobilebench.cli.main import main\n"
        f"try: main({command})\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_a_ready_suite_imports_no_tensorflow_in_the_host() -> None:
    script = (
        "import sys, mobilebench.runs.run, mobilebench.runs.compress_files\n"
        "import mobilebench.report, mobilebench.cli.terminal\n"
        f"print([m for m in {HEAVY[:3]} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_devices_names_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    # No adb server is there, and none is started: this test sees no phone of yours.
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    result = CliRunner().invoke(main, ["devices", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    (device,) = document["devices"]
    assert (device["serial"], device["kind"], device["virtual"]) == ("local", "local", False)
    assert device["info"]["runtime"] in ("ai-edge-litert", "tflite-runtime")
    (note,) = document["notes"]
    assert note.startswith("no android or board device was looked for: ")


def test_an_unknown_option_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["run", "--blockz", "3"]).exit_code == 2
