"""What the benchmarks share: models to run, and a heading that says where and how."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mobilebench import host
from mobilebench.devices.local.device import LocalDevice
from mobilebench.runs import answers
from mobilebench.runs.samples import Samples
from mobilebench.tflite import interface
from mobilebench_agent.contract import PROTOCOL_VERSION, Job

_BIN = Path(sys.executable).parent
MOBILEBENCH = str(_BIN / "mobilebench")
LITERT_BENCHMARK = str(_BIN / "litert-benchmark")

#: More busy CPUs than this of others' are a busy machine.
_BUSY_CPUS = 0.2
_LOOK_SECONDS = 2.0


def heading(title: str, *, quiet: bool = False) -> None:
    """Prints machine, versions, command and load; ``quiet`` refuses a busy machine."""
    facts = host.facts()
    versions = host.versions()
    shown = ("mobilebench", "python", "ai-edge-litert", "litert-quantizer", "tensorflow")
    print(f"# {title}")
    print(f"machine   {facts['cpu']}, {facts['cores']} cores, {facts['system']}")
    print("versions  " + ", ".join(f"{name} {versions.get(name, '—')}" for name in shown))
    print("command   python " + " ".join(sys.argv))
    print(f"load      {os.getloadavg()[0]:.2f} over the last minute")
    print(flush=True)
    if quiet:
        _require_quiet()


def _require_quiet() -> None:
    """Ends the benchmark where other processes keep the CPUs busy, but for ``BUSY=1``."""
    before, begun = _busy_seconds(), time.monotonic()
    time.sleep(_LOOK_SECONDS)
    busy = (_busy_seconds() - before) / (time.monotonic() - begun)
    if busy > _BUSY_CPUS and os.environ.get("BUSY") != "1":
        sys.exit(
            f"other processes keep {busy:.1f} CPUs busy, and what is measured beside them is of no "
            "use: end them, or say BUSY=1 before the command"
        )


def _busy_seconds() -> float:
    """CPU seconds that all processes have used; idle and waiting time is not among them."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def zoo(model: str, recipes: list[str], into: Path) -> dict[str, Path]:
    """A model of the zoo: one .tflite a recipe."""
    subprocess.run(
        [MOBILEBENCH, "compress", f"zoo:{model}", *recipes, "--into", str(into)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return {recipe: into / f"{model}.{recipe}.tflite" for recipe in recipes}


def sha256(path: Path) -> str:
    """The file's hash, as a job names it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accuracy(device: LocalDevice, model: Path, model_sha256: str, samples: Samples) -> float:
    """The share of samples that a classifier's file gets right on the device."""
    question = answers.Question(interface.read(model.read_bytes(), str(model)), samples)
    job = Job(PROTOCOL_VERSION, "benchmark", "latency", str(model), model_sha256)
    found = answers.ask(device, job, question, lambda _: None, 300, seed=0).answers
    score = found.score("accuracy")
    if score is None:
        sys.exit(f"{model} has no accuracy: {found.reason or found.task}")
    return score.value


class Journal:
    """What a benchmark has found so far, in a file that grows by a line each.

    Attributes:
        lines: what was found, in order.
    """

    def __init__(self, path: Path, here: Mapping[str, Any], what: str) -> None:
        """Reads the file, if there is one.

        Args:
            path: the file.
            here: what all lines must have been found with; it is the file's first line.
            what: how an error calls that.
        """
        self._path = path
        if not path.exists():
            path.write_text(json.dumps(here) + "\n", "utf-8")
        # A line that a kill cut off is dropped: what it said is found again.
        whole, _, torn = path.read_text("utf-8").rpartition("\n")
        if torn:
            path.write_text(f"{whole}\n", "utf-8")
        first, *lines = whole.splitlines()
        if json.loads(first) != here:
            sys.exit(f"{path} is of other {what}: choose another --folder")
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def keep(self, line: dict[str, Any]) -> None:
        """Keeps one more, on the disk at once."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.lines.append(line)

    def drop(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Forgets some lines, to find them again."""
        first = self._path.read_text("utf-8").splitlines()[0]
        self.lines = [line for line in self.lines if not wanted(line)]
        text = "\n".join([first, *map(json.dumps, self.lines)])
        self._path.write_text(f"{text}\n", "utf-8")
