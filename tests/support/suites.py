"""Suite files of the small models, and a run of one that can be interrupted."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.support.command import start
from tests.support.models import MODELS

QUICK = "[protocol]\nblocks = 2\nwarmup_seconds = 0.0\nseconds = 0.0\nruns = 10\n"


def suite(folder: Path, models: str, protocol: str = QUICK, rest: str = "") -> Path:
    """Writes a suite file of these tables into the folder."""
    path = folder / "suite.toml"
    path.write_text(f"{protocol}{rest}\n{models}", "utf-8")
    return path


def model(name: str, file: str, more: str = "") -> str:
    """A suite's table of one of the small models."""
    return f'[[models]]\nname = "{name}"\nsource = "{MODELS / file}"\n{more}\n'


def start_a_long_run(folder: Path, blocks: int = 4) -> tuple[subprocess.Popen[str], Path]:
    """A run in a process of its own that has finished a trial or more and has many left."""
    protocol = f"[protocol]\nblocks = {blocks}\nwarmup_seconds = 0.0\nseconds = 0.3\nruns = 10\n"
    models = model("a", "small.tflite") + model("b", "small_int8.tflite")
    path = suite(folder, models, protocol)
    results = folder / "results"
    process = start("run", path, "--results", results)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        found = list(results.glob("*/trials.jsonl"))
        if found and found[0].read_bytes().count(b"\n") >= 4:
            return process, found[0].parent
        time.sleep(0.02)
    process.kill()
    raise AssertionError("the run did not start: " + process.communicate()[1])
