"""How long a report of a large run takes: 10,000 trials and 10 million samples by default.

    python benchmarks/scale.py [--trials 10000] [--samples 1000]
    python benchmarks/scale.py --models 200 800

With --models it is runs of so many models instead, with 24 latency trials each, whose reports' CPU
times must be linear: each below 1.5 times the first one's for as many models.

The run is synthetic and written by the results folder's own code; writing it is not timed. The
report is built in a process of its own, whose peak memory the kernel tells.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench.records.run import Run, read_run
from mobilebench.records.timings import Timings
from mobilebench.records.trial import Trial
from mobilebench.store.folder import PARTS, SAMPLES, TRIALS, RunFolder
from mobilebench.store.samples import to_part
from mobilebench_agent.contract import Metric

BLOCKS = 6
RUNTIMES = ("cpu-1", "cpu-4")
MODELS = tuple(f"model-{number}" for number in range(8))

_CHILD = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from mobilebench.report import build
from mobilebench.store.folder import RunFolder
loaded = time.perf_counter()
build(RunFolder.open(Path(sys.argv[1])))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(loaded - start, time.perf_counter() - loaded, peak, time.process_time())
"""


def main() -> None:
    """Generates the run, builds its report, and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=1_050, help="a latency trial")
    parser.add_argument("--models", type=int, nargs="+", help="runs of so many models instead")
    options = parser.parse_args()
    if options.models:
        raise SystemExit(_linear(options.models))
    with tempfile.TemporaryDirectory() as directory:
        folder, trials, samples = generate(Path(directory) / "run", options.trials, options.samples)
        command = [sys.executable, "-c", _CHILD, str(folder.path)]
        start = time.perf_counter()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall = time.perf_counter() - start
        imports, build, peak, _ = map(float, output.split())
        sizes = {
            name: (folder.path / name).stat().st_size
            for name in (TRIALS, SAMPLES, "report.html", "report.md", "summary.csv")
        }
    print(f"machine   {platform.platform()}, {_cpu()}, {os.cpu_count()} cores")
    versions = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "jinja2")
    print(f"versions  Python {platform.python_version()}, " + ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in versions
    ))  # fmt: skip
    print(f"command   {' '.join([Path(sys.executable).name, *sys.argv])}")
    print(f"run       {trials:,} trials, {samples:,} samples")
    print("files     " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()))
    print(f"seconds   {wall:.1f} (imports {imports:.1f}, report {build:.1f})")
    print(f"memory    {peak / 2**20:.0f} MiB at its peak")


#: Trials of each model with --models, and how much more a report may take than in proportion.
_OF_EACH, _SLACK = 25, 1.5


def _linear(counts: list[int]) -> int:
    """Prints what a report takes for each number of models; 1 if it is not linear, else 0."""
    print(f"machine   {platform.platform()}, {_cpu()}, {os.cpu_count()} cores")
    print(f"load      {os.getloadavg()[0]:.1f}")
    seconds = []
    for count in counts:
        with tempfile.TemporaryDirectory() as directory:
            models = tuple(f"model-{number}" for number in range(count))
            folder, _, _ = generate(Path(directory) / "run", _OF_EACH * count, 20, models)
            command = [sys.executable, "-c", _CHILD, str(folder.path)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds.append(float(output.split()[3]))
            size = (folder.path / "report.html").stat().st_size
        allowed = _SLACK * count / counts[0] * seconds[0]
        print(
            f"{count:>6} models  {seconds[-1]:6.1f} s of CPU (linear: below {allowed:.1f}), "
            f"page {size / 1e6:.1f} MB, {float(output.split()[2]) / 2**20:.0f} MiB",
            flush=True,
        )
    return int(
        any(s > _SLACK * c / counts[0] * seconds[0] for c, s in zip(counts, seconds, strict=True))
    )


def generate(
    path: Path, trials: int, samples: int, models: tuple[str, ...] = MODELS
) -> tuple[RunFolder, int, int]:
    """A run of ``trials`` trials, 96 of 100 of them latency trials in six blocks.

    Returns:
        The folder, and how many trials and samples it holds.
    """
    random = np.random.default_rng(2026)
    places = len(models) * len(RUNTIMES)
    recipes = max(1, round(trials * 0.96 / BLOCKS / places))
    names = ["float32", *(f"prune({n / 1000:g})" for n in range(1, recipes))]
    records: list[Trial] = []
    batches: list[tuple[str, Any]] = []
    for model in models:
        for recipe in names:
            centre = 1e6 * random.lognormal(0, 0.5)
            for runtime in RUNTIMES:
                key: dict[str, Any] = {"model": model, "recipe": recipe, "runtime": runtime}
                for block in range(1, BLOCKS + 1):
                    trial = f"t{len(records):06}"
                    values = centre * random.normal(1, 0.01) * random.lognormal(0, 0.03, samples)
                    batches.append((trial, values.astype(np.int64)))
                    records.append(_record(trial, "latency", block, key, samples=samples))
    for model in models:
        for recipe in names:
            if len(records) < trials:
                key = {"model": model, "recipe": recipe, "runtime": RUNTIMES[0]}
                right = round(float(random.uniform(0.93, 0.98)), 3)
                metric = Metric("accuracy_top1", "1", "synthetic", right, n=1000)
                record = _record(f"t{len(records):06}", "accuracy", 1, key, metrics=(metric,))
                records.append(record)
    folder = RunFolder.create(path, _run(names, records, models))
    # `append` waits for the disk after each trial; ten thousand of them are written at once here.
    (path / PARTS).mkdir()
    for trial, values in batches:
        (path / PARTS / f"{trial}.npy").write_bytes(to_part(Timings(values)))
    lines = (json.dumps(dataclasses.asdict(record)) + "\n" for record in records)
    (path / TRIALS).write_text("".join(lines), "utf-8")
    folder.fold_samples()
    return folder, len(records), len(batches) * samples


def _record(trial: str, kind: str, block: int, key: dict[str, Any], **rest: Any) -> Trial:
    return Trial(
        trial=trial, kind=kind, block=block, device="bench", artifact=trial, state="valid",
        started="2026-11-24T22:59:00Z", seconds=1.0, **key, **rest,
    )  # fmt: skip


def _run(names: list[str], records: list[Trial], models: tuple[str, ...]) -> Run:
    fields = ("trial", "kind", "block", "device", "model", "recipe", "runtime")
    document = {
        "run": "scale",
        "state": "finished",
        "format": 1,
        "created": "2026-11-24T22:59:00Z",
        "suite": {"name": "scale", "protocol": {}},
        "seed": 2026,
        "devices": [
            {"name": "bench", "kind": "local", "agent": "0", "runtime": "", "runtime_version": "",
             "virtual": True}
        ],
        "runtimes": [{"name": name} for name in RUNTIMES],
        "models": [{"name": name, "baseline": "float32"} for name in models],
        "artifacts": [
            {"model": model, "recipe": recipe, "sha256": f"{number:064x}",
             "bytes": 4_000_000 - 20_000 * number, "gzip_bytes": 3_000_000 - 20_000 * number,
             "provenance": {"steps": [{"step": recipe}]}}
            for model in models
            for number, recipe in enumerate(names)
        ],
        "plan": [{name: getattr(record, name) for name in fields} for record in records],
    }  # fmt: skip
    return read_run(document, "the benchmark's run")


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text("utf-8").splitlines() if information.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown CPU")


if __name__ == "__main__":
    main()
