"""Runs as tests need them: what a test says of one, and the rest made up."""

from __future__ import annotations

from typing import Any

from mobilebench.records.run import Run, read_run

DEVICE = {"kind": "local", "agent": "0.1.0", "runtime": "made-up", "runtime_version": "1.0"}


def run_of(**parts: Any) -> Run:
    """A run that is finished and empty but for those parts, which are written in format 1.

    What a part must have besides is filled in; a part that is no list of tables is taken as it is.
    """
    document = {
        "format": 1, "run": "r", "state": "finished", "created": "2026-11-24T22:59:00Z",
        "suite": {}, "seed": 0, "devices": [], "runtimes": [], "models": [], "artifacts": [],
        "failures": [], "plan": [], "warnings": [], **parts,
    }  # fmt: skip
    if isinstance(document["suite"], dict):
        document["suite"] = {"name": "made-up", "protocol": {}, **document["suite"]}
    document["devices"] = _filled(document["devices"], DEVICE)
    document["models"] = _filled(document["models"], {"source": "made-up.tflite"})
    document["plan"] = _filled(document["plan"], {"kind": "latency", "block": 0})
    return read_run(document, "a test's run")


def _filled(part: Any, defaults: dict[str, Any]) -> Any:
    if not isinstance(part, list):
        return part
    return [{**defaults, **entry} if isinstance(entry, dict) else entry for entry in part]
