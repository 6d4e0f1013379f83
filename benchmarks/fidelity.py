"""Our median against litert-benchmark's, on MobileNetV2: ten interleaved pairs a model.

    python benchmarks/fidelity.py [--pairs 10] [--runs 200]

Both sides run in a fresh process each time, with one thread, the same number of warm-up and
timed runs, and the order drawn anew for every pair. The ratio is taken within a pair.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

from common import LITERT_BENCHMARK, heading, sha256, zoo
from mobilebench.analysis import estimates
from mobilebench.cache import cache_folder
from mobilebench.devices.local.device import LocalDevice
from mobilebench_agent.contract import PROTOCOL_VERSION, Job


def ours(device: LocalDevice, model: Path, runs: int, warmup: int) -> float:
    """Our agent's median in milliseconds."""
    job = Job(
        protocol=PROTOCOL_VERSION,
        trial="fidelity",
        kind="latency",
        model=str(model),
        model_sha256=sha256(model),
        warmup_runs=warmup,
        warmup_seconds=0,
        runs=runs,
        seconds=0,
    )
    return statistics.median(device.run(job, lambda _: None, 300).samples_ns) / 1e6


def theirs(model: Path, runs: int, warmup: int, scratch: Path) -> float:
    """litert-benchmark's median in milliseconds (it rounds to 0.01)."""
    result = scratch / "result.json"
    command = [LITERT_BENCHMARK, f"--model={model}", "--num_threads", "1"]
    command += ["--num_runs", str(runs), "--warmup_runs", str(warmup)]
    subprocess.run(
        [*command, "--result_json", str(result)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return float(json.loads(result.read_text())["latency"]["median_ms"])


def main() -> None:
    """Prints a line a model: both medians, and the ratio with its interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--warmup", type=int, default=50)
    arguments = parser.parse_args()
    heading("Fidelity: our median latency over litert-benchmark's", quiet=True)
    order = random.Random(1)
    device = LocalDevice("local", None, cache_folder())
    print(f"{arguments.pairs} pairs of {arguments.runs} runs, 1 thread, XNNPACK\n")
    print(f"{'model':<24}{'ours ms':>9}{'theirs ms':>11}{'ratio':>8}   95 % interval")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for recipe, model in zoo("mobilenet-v2", ["float32", "int8"], scratch).items():
            pairs = []
            for _ in range(arguments.pairs):
                sides = {
                    "ours": lambda m=model: ours(device, m, arguments.runs, arguments.warmup),
                    "theirs": lambda m=model: theirs(m, arguments.runs, arguments.warmup, scratch),
                }
                pairs.append({name: sides[name]() for name in order.sample(list(sides), 2)})
            ratio = estimates.median([pair["ours"] / pair["theirs"] for pair in pairs])
            shown = (
                f"{ratio.interval.low:.3f} to {ratio.interval.high:.3f}"
                if ratio.interval
                else ratio.reason
            )
            print(
                f"{'MobileNetV2 ' + recipe:<24}"
                f"{statistics.median(p['ours'] for p in pairs):9.2f}"
                f"{statistics.median(p['theirs'] for p in pairs):11.2f}"
                f"{ratio.value:8.3f}   {shown}",
                flush=True,
            )


if __name__ == "__main__":
    main()
