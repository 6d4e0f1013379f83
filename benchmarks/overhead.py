"""What a run costs beside what it measures, and beside calling litert-benchmark by hand.

    python benchmarks/overhead.py [--blocks 6]

A suite of ready .tflite files, default protocol, from `mobilebench run` to the written report:
its wall time against the sum of its own warm-up and measuring times; and the same number of
litert-benchmark calls with as many runs as ours did, one call a model and block.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from common import LITERT_BENCHMARK, MOBILEBENCH, heading, zoo
from mobilebench.records.trial import Trial
from mobilebench.store.folder import RunFolder

SUITE = {
    "mobilenet-v2": ["float32", "float16", "dynamic_int8", "weight_only_int8", "int8"],
    "lenet-5": ["float32", "dynamic_int8", "int8"],
}


def metric(record: Trial, name: str) -> float:
    """A metric's value of one trial."""
    return float(next(m.value or 0.0 for m in record.metrics if m.name == name))


def main() -> None:
    """Prints both wall times and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=6)
    arguments = parser.parse_args()
    heading("Overhead: wall time of a run over its own measuring", quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        files = [
            file
            for model, recipes in SUITE.items()
            for file in zoo(model, recipes, Path(folder)).values()
        ]
        results = Path(folder) / "results"
        start = time.monotonic()
        subprocess.run(
            [
                MOBILEBENCH,
                "run",
                *map(str, files),
                "--blocks",
                str(arguments.blocks),
                "--results",
                str(results),
                "--json",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wall = time.monotonic() - start
        run = RunFolder.open(next(results.iterdir()))
        samples = dict(run.samples())
        latency = [r for r in run.trials() if r.kind == "latency"]
        measured = (
            sum(metric(r, "warmup_time") + float(samples[r.trial].sum()) for r in latency) / 1e9
        )
        made = run.run()
        artifacts = {artifact.recipe: artifact.sha256 for artifact in made.artifacts}

        runs: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for record in latency:
            runs[record.recipe].append((record.samples, int(metric(record, "warmup_runs"))))
        start = time.monotonic()
        for recipe, counts in runs.items():
            model = run.artifact(f"{artifacts[recipe]}.tflite")
            for timed, warmup in counts:
                command = [LITERT_BENCHMARK, f"--model={model}", "--num_threads", "1"]
                command += ["--num_runs", str(timed), "--warmup_runs", str(warmup)]
                subprocess.run(
                    [*command, "--result_json", str(Path(folder) / "r.json")],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
        theirs = time.monotonic() - start

    protocol = made.suite.protocol.model_dump_json()
    print(f"suite     {len(files)} models × {arguments.blocks} blocks, protocol {protocol}\n")
    print(f"warm-up and measuring       {measured:7.2f} s")
    print(f"mobilebench run             {wall:7.2f} s   {wall / measured:.3f} × the measuring")
    print(f"litert-benchmark by hand    {theirs:7.2f} s   {theirs / measured:.3f} × the measuring")
    print(f"ours / theirs               {wall / theirs:7.3f}")
    print("\nOurs also measures memory in processes of its own, and writes the report.")


if __name__ == "__main__":
    main()
