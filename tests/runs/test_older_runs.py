"""Runs of earlier formats are resumed; what is then written is today's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mobilebench.errors import InterruptedRunError
from mobilebench.records.run import FORMAT
from mobilebench.runs import gate
from mobilebench.runs import run as runs
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, TRIALS, RunFolder

from tests.support.gates import run_gate
from tests.support.scripted_device import Open, ScriptedDevice, slower
from tests.support.watcher import BEGIN, Watcher, interrupt

KEYS = {"file": "bytes", "gzip": "gzip_bytes", "zstd": "zstd_bytes", "xz": "xz_bytes"}


def make_format_1(folder: Path) -> None:
    """Writes a run as version 0.1 wrote it, before there were executors, CPUs and packed files."""
    document: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    old = {**document, "format": 1, "run": document.pop("name")}
    del old["name"]
    for artifact in old["artifacts"]:
        sizes = artifact.pop("sizes")
        artifact |= {KEYS[packing]: size for packing, size in sizes.items() if packing != "xz"}
    for device in old["devices"]:
        for key in ("executor", "battery_current", "power_counter"):
            del device[key]
    for runtime in (*old["runtimes"], *old["suite"]["runtimes"]):
        for key in ("packed", "cpus"):
            del runtime[key]
    for model in old["models"]:
        del model["min_accuracy"], model["max_accuracy_loss"]
    if pair_gate := old["gate"]:
        pair_gate["places"] = pair_gate.pop("pairs")
    else:
        del old["gate"]
    (folder / MANIFEST).write_text(json.dumps(old), "utf-8")
    lines = [json.loads(line) for line in (folder / TRIALS).read_text("utf-8").splitlines()]
    for line in lines:
        for key in ("windows", "power", "conditions", "traces", "attempt"):
            del line[key]
        line["delegation"] = line["delegation"] or {}
    (folder / TRIALS).write_text("".join(f"{json.dumps(x)}\n" for x in lines), "utf-8")


def test_an_interrupted_gate_of_format_1_is_resumed(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(slower(0)))
    with pytest.raises(InterruptedRunError):
        run_gate(tmp_path, watcher=Watcher(interrupt, 9, BEGIN))
    (folder,) = (tmp_path / "results").iterdir()
    before = RunFolder.open(folder).trials()
    make_format_1(folder)
    assert RunFolder.open(folder).trials() == before
    assert summary_of(RunFolder.open(folder)).state == "interrupted"
    result = gate.resume(folder, runs.Quiet())
    assert result.passed
    assert RunFolder.open(folder).trials()[:9] == before
    assert json.loads((folder / MANIFEST).read_text("utf-8"))["format"] == FORMAT
