"""What ``mobilebench history`` takes over many stored runs: 10,000 by default.

    python benchmarks/history.py [--runs 10000] [--most-mib 200]

The runs are copies of one of the tests', each with numbers of its own; writing them is not timed.
The command runs in a process of its own, whose peak memory the kernel reports; more than
``--most-mib`` of it ends this script with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench.analysis.rows import frame
from mobilebench.metrics import registry
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder

_RUN = Path(__file__).parents[1] / "tests/golden/runs/measured"
_CHILD = """
import resource, sys, time
start = time.perf_counter()
from mobilebench.cli.main import main
try:
    main(["history", sys.argv[1], "--html", sys.argv[2]])
finally:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(time.perf_counter() - start, time.process_time(), peak)
"""


def main() -> int:
    """Makes the runs, shows their history, and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--most-mib", type=float, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory, "results")
        variants = generate(folder, options.runs)
        command = [sys.executable, "-c", _CHILD, str(folder), str(Path(directory, "page.html"))]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        page = Path(directory, "page.html").stat().st_size
    if done.returncode:
        raise SystemExit(done.stderr)
    *table, last = done.stdout.splitlines()
    seconds, cpu, peak = map(float, last.split())
    print(f"machine   {platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"command   {' '.join([Path(sys.executable).name, *sys.argv])}")
    print(f"runs      {options.runs:,} of {variants} variants each")
    print(f"shown     {len(table)} lines, a page of {page / 1e6:.1f} MB")
    print(f"seconds   {seconds:.1f}, {cpu:.1f} of them on a CPU")
    print(f"memory    {peak / 2**20:.0f} MiB at its peak")
    return int(peak / 2**20 > options.most_mib)


def generate(folder: Path, runs: int) -> int:
    """Writes so many runs, half an hour apart, and returns how many variants each has."""
    document: dict[str, Any] = json.loads((_RUN / "run.json").read_text("utf-8"))
    table = frame(summary_of(RunFolder.open(_RUN)))
    column = registry()["latency"].column
    rows, latency = len(table), table[column].to_numpy(dtype=float)
    # What is measured beside other work is in no history.
    table["disturbed_by_load"] = False
    table[column] = [f"<{row}>" for row in range(rows)]
    form = table.to_csv(index=False)
    errors = np.random.default_rng(1).normal(0, 0.01, (runs, rows))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(runs):
        created = begin + timedelta(minutes=30 * number)
        name = f"{created:%Y%m%dT%H%M%SZ}-history"
        path = folder / name
        path.mkdir(parents=True)
        changed = {**document, "name": name, "created": created.isoformat(), "run": name}
        (path / "run.json").write_text(json.dumps(changed), "utf-8")
        (path / "trials.jsonl").write_text("")
        text = form
        for row, error in enumerate(errors[number]):
            value = latency[row] * np.exp(error)
            text = text.replace(f"<{row}>", "" if np.isnan(value) else f"{value:.6g}")
        (path / "summary.csv").write_text(text, "utf-8")
    return rows


if __name__ == "__main__":
    sys.exit(main())
