"""Kinds of device: the built-in ones, and those of installed packages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mobilebench.devices import kinds
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.runs import selection
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import validate

from tests.support.command import mobilebench
from tests.support.models import MODELS
from tests.support.plug_in import install, install_documented

SUITE = """
[protocol]
blocks = 2
warmup_seconds = 0
seconds = 0
runs = 5

[[models]]
name = "small"
source = "{model}"

[[devices]]
name = "below"
kind = "background"
"""

#: A kind whose devices cannot be opened; what is to be varied is inserted by ``format``.
KIND = """
from mobilebench.devices.found import Found
from mobilebench.devices.kind import DeviceKind
from mobilebench.errors import BadInputError

def search():
    {search}

KIND = DeviceKind(
    "{name}", "a tiny computer", open=None, discover=search, takes=frozenset({{"address"}})
)
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of this process, whose modules are forgotten, and of the next ones."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    # No adb server is there, and none is started.
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def tiny(
    path: Path,
    entry: str = "tiny",
    name: str = "tiny",
    search: str = "return [Found('tiny-1', kind='tiny', address='tiny-1', model='Tiny')]",
    package: str = "tiny",
) -> None:
    install(
        path,
        {f"{package}.py": KIND.format(search=search, name=name)},
        {entry: f"{package}:KIND"},
        group=kinds.GROUP,
        name=package,
    )


def suite_of(kind: str) -> object:
    document = {
        "models": [{"name": "m", "source": "m.tflite"}],
        "devices": [{"name": "d", "kind": kind}],
    }
    return validate(document, "suite.toml", Path()).devices[0].kind


def command(*arguments: object) -> str:
    done = mobilebench(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_documented_kind_is_found_and_measured(path: Path, tmp_path: Path) -> None:
    install_documented(path, "mobilebench_background")
    found = json.loads(command("devices", "--json"))["devices"]
    assert {"local", "background"} <= {device["serial"] for device in found}
    suite = tmp_path / "suite.toml"
    suite.write_text(SUITE.format(model=MODELS / "small.tflite"))
    command("run", suite, "--results", tmp_path / "results")
    (run,) = (tmp_path / "results").iterdir()
    trials = RunFolder.open(run).trials()
    assert {(trial.device, trial.state) for trial in trials} == {("below", "valid")}
    assert {"latency", "memory", "outputs"} <= {trial.kind for trial in trials}
    (device,) = json.loads((run / "run.json").read_text("utf-8"))["devices"]
    assert (device["name"], device["kind"]) == ("below", "background")
    assert device["runtime"] in ("ai-edge-litert", "tflite-runtime")


def test_the_documented_kind_on_the_command_line(path: Path) -> None:
    install_documented(path, "mobilebench_background")
    (spec,) = selection.choose_devices(["background"], ["thermal"])
    assert spec == DeviceSpec(name="under-nice", kind="background", allow=("thermal",))
    # It shares this machine, and is not what `all` means.
    with pytest.raises(BadInputError, match="no device is ready"):
        selection.choose_devices(["all"], [])


def test_every_built_in_kind_is_known() -> None:
    assert kinds.names()[:5] == ("local", "android", "board", "ssh", "lab")
    assert [kinds.get(name).name for name in kinds.names()] == list(kinds.names())
    assert [kind.name for kind in kinds.every()[0] if kind.measured_alone] == ["local"]


def test_a_device_that_a_plug_in_finds_is_among_all(path: Path) -> None:
    tiny(path)
    for chosen in ("all", "tiny-1"):
        (spec,) = selection.choose_devices([chosen], [])
        assert (spec.name, spec.kind, spec.address) == ("Tiny", "tiny", "tiny-1")
    assert suite_of("tiny") == "tiny"


def test_a_misspelt_kind(path: Path) -> None:
    tiny(path)
    with pytest.raises(
        BadInputError,
        match=r"^suite\.toml: devices\[1\]: unknown kind of device 'tinny', did you mean 'tiny'\? "
        r"Known kinds are local, android, board, ssh, lab, tiny\.$",
    ):
        suite_of("tinny")


def broken(path: Path) -> None:
    install(path, {"tiny.py": "1 / 0"}, {"tiny": "tiny:KIND"}, group=kinds.GROUP)


def no_kind(path: Path) -> None:
    install(path, {"tiny.py": "KIND = 3"}, {"tiny": "tiny:KIND"}, group=kinds.GROUP)


def twice(path: Path) -> None:
    tiny(path)
    tiny(path, package="other")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (broken, "the plug-in tiny:KIND of the group mobilebench.devices cannot be loaded: Zero"),
        (no_kind, "is not a DeviceKind: it is of type int"),
        (lambda path: tiny(path, name="huge"), "registered as 'tiny' and calls its kind 'huge'"),
        (twice, "'tiny' is defined by .* and by .*: uninstall one of them"),
    ],
)
def test_a_plug_in_that_is_none_costs_nobody_else(path: Path, make: object, words: str) -> None:
    assert callable(make)
    make(path)
    with pytest.raises(BadInputError, match=words):
        suite_of("tiny")
    assert suite_of("local") == "local"
    known, (problem,) = kinds.every()
    assert [kind.name for kind in known] == ["local", "android", "board", "ssh", "lab"]
    with pytest.raises(BadInputError, match=words):
        selection.choose_devices(["tiny-1"], [])
    assert selection.choose_devices(["ssh://berry"], [])[0].kind == "ssh"
    assert problem in selection.find_devices().notes


def test_a_plug_in_does_not_replace_what_is_built_in(path: Path) -> None:
    tiny(path, entry="android", name="android")
    with pytest.raises(BadInputError, match="by tiny:KIND and by MobileBench itself"):
        suite_of("android")


def test_a_search_that_fails_hides_no_other_device(path: Path) -> None:
    tiny(path)
    tiny(path, "huge", "huge", search="raise BadInputError('the shelf is locked')", package="huge")
    assert [spec.kind for spec in selection.choose_devices(["all"], [])] == ["tiny"]
    with pytest.raises(BadInputError) as caught:
        selection.choose_devices(["tiny-2"], [])
    assert "there is no device 'tiny-2'; connected are: tiny-1" in str(caught.value)
    assert "no huge device was looked for: the shelf is locked" in str(caught.value)
