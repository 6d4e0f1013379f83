"""Deep Compression (Han, Mao and Dally 2016, table 1) beside ours: how small, at what error.

    python benchmarks/deep_compression.py [--networks lenet-5] [--data fashion-mnist] [--seeds 1 2]
    python benchmarks/deep_compression.py --minutes 30    as far as that goes; again: goes on

The paper compresses LeNet-300-100 40x (error 1.64 -> 1.58 %) and LeNet-5 39x (0.80 -> 0.74 %) into
a format of its own, which no runtime reads. Every file here runs: its size on disk, its download
(xz) and its latency are those of the .tflite file that the agent evaluates.

A tenth of the training data is held out: of all settings the one with the smallest download is
chosen whose mean error there, over the seeds, is at most 0.1 points above the uncompressed
network's. The test data are looked at once, by the chosen files and the table of all settings.

Every file's numbers are a line of ``outcomes.jsonl`` in ``--folder`` as soon as it is judged.
"""

from __future__ import annotations

import argparse
import heapq
import lzma
import math
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import Journal, accuracy, heading, sha256
from mobilebench import host
from mobilebench.cache import cache_folder
from mobilebench.compress.pipeline.cache import key_of
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.devices.local.device import LocalDevice
from mobilebench.models.array import Array
from mobilebench.models.datasets import load_dataset
from mobilebench.models.spec import ModelSpec
from mobilebench.runs.samples import Samples
from mobilebench.tflite import inspect as inspection
from mobilebench.tflite.graph import UNPACKING, parse
from mobilebench_agent.contract import PROTOCOL_VERSION, Job
from safetensors.numpy import save_file
from scipy import stats

#: What may be added to the error, as a share.
TOLERANCE = 0.001
#: The share of the training data that chooses the setting.
HELD_OUT = 0.1
BASE = "float32"

#: Widths of whole blocks, so that every Dense layer but the last can be sparse.
WHOLE = "prune_channels(0.04, multiple=16, epochs=0)"
#: A first convolution of one channel is slow in int8; and it is the weights that are to be small.
NARROW = "prune_channels(max_parameters={share}, scope=sensitivity, importance=taylor, epochs=0)"
BLOCKS = (
    f"{WHOLE} → prune({{sparsity}}, pattern='1x16', epochs={{prune}}) → distill(epochs={{distill}})"
    " → cluster({clusters}) → dynamic_int8 → sparse(size)"
)
SHARED = (
    f"{NARROW} → distill(epochs={{distill}}) → prune({{sparsity}}, epochs={{prune}})"
    " → cluster → weight_only_int8"
)
#: Each network's settings for each set of data: all of Fashion-MNIST needs fewer passes.
SETTINGS: dict[tuple[str, str], list[str]] = {
    ("lenet-300-100", "mnist-subset"): [
        "int8",
        BLOCKS.format(sparsity=0.91, prune=80, distill=80, clusters="16, epochs=20"),
        *(
            BLOCKS.format(sparsity=sparsity, prune=80, distill=50, clusters=32)
            for sparsity in (0.92, 0.94)
        ),
    ],
    ("lenet-300-100", "fashion-mnist"): [
        "int8",
        *(
            BLOCKS.format(sparsity=sparsity, prune=16, distill=10, clusters=32)
            for sparsity in (0.6, 0.85, 0.92)
        ),
    ],
    ("lenet-5", "mnist-subset"): [
        "int8",
        "prune(0.95) → cluster → int8",
        *(
            SHARED.format(share=0.085, sparsity=sparsity, prune=60, distill=120)
            for sparsity in (0.7, 0.8)
        ),
    ],
    ("lenet-5", "fashion-mnist"): [
        "int8",
        *(
            SHARED.format(share=share, sparsity=0.7, prune=10, distill=20)
            for share in (0.4, 0.2, 0.085)
        ),
    ],
}
NETWORKS = ("lenet-300-100", "lenet-5")
DATA = ("mnist-subset", "fashion-mnist")
AIMS = {"lenet-300-100": (60, 30, 3), "lenet-5": (100, 40, 2)}
PAPER = {"lenet-300-100": (40, 0.0164, 0.0158), "lenet-5": (39, 0.0080, 0.0074)}
#: Gaps between weights are numbers of so many bits, as the paper has them.
GAP_BITS = {"CONV_2D": 8, "FULLY_CONNECTED": 5}


def split(data: str, into: Path) -> tuple[Path, Path]:
    """Files of the data without what is held out, and of that alone."""
    files = into / f"{data}.npz", into / f"{data}.held-out.npz"
    if not all(file.exists() for file in files):
        whole = load_dataset(data)
        assert whole.train is not None
        assert whole.evaluation is not None
        x, y = whole.train.x, whole.train.y
        order = np.random.default_rng(0).permutation(len(x))
        held, rest = np.split(order, [round(HELD_OUT * len(x))])
        x_test, y_test = whole.evaluation.x, whole.evaluation.y
        np.savez(files[0], x_train=x[rest], y_train=y[rest], x_test=x_test, y_test=y_test)
        np.savez(files[1], x=x[held], y=y[held])
    return files


def latency(device: LocalDevice, files: Sequence[dict[str, Any]], blocks: int = 7) -> list[float]:
    """Each file's median latency (ns): trials in blocks, a fresh process each."""
    medians: list[list[float]] = [[] for _ in files]
    for block in range(blocks):
        for number in range(len(files)):
            which = (number + block) % len(files)
            job = Job(
                protocol=PROTOCOL_VERSION,
                trial=f"deep-{block}-{which}",
                kind="latency",
                model=files[which]["file"],
                model_sha256=files[which]["sha256"],
                warmup_seconds=0.1,
                seconds=0.2,
            )
            medians[which].append(statistics.median(device.run(job, lambda _: None, 60).samples_ns))
    return [statistics.median(values) for values in medians]


def papers_count(content: bytes) -> float:
    """Bytes as the paper counts them.

    Huffman codes of the values that are not zero and of the gaps between them, with their tables,
    and 32 bits for each scale and bias.
    """
    bits = 0.0
    graph = parse(content, "file")
    stored = {o.outputs[0].index: o.inputs[0] for o in graph.operators if o.kind in UNPACKING}
    for operator in graph.operators:
        if operator.kind not in GAP_BITS:
            continue
        for used in operator.inputs[1:]:
            tensor = used
            while tensor is not None and tensor.content is None:
                tensor = stored.get(tensor.index)
            if tensor is None:
                continue
            values = tensor.values()
            assert values is not None
            if len(tensor.shape) == 1:
                bits += 32 * values.size
                continue
            bits += 32 * tensor.scales
            symbols, gaps = list(_with_gaps(values, 2 ** GAP_BITS[operator.kind]))
            bits += huffman(symbols) + huffman(gaps)
    return bits / 8


def _with_gaps(values: Array, most: int) -> Iterator[list[Any]]:
    """The values that are not zero, and the zeros before each; a longer gap has fillers."""
    symbols: list[Any] = []
    gaps: list[int] = []
    last = -1
    for index in np.flatnonzero(values):
        gap = int(index) - last - 1
        while gap >= most:
            symbols.append(0)
            gaps.append(most - 1)
            gap -= most
        symbols.append(values[index].item())
        gaps.append(gap)
        last = int(index)
    yield symbols
    yield gaps


def huffman(symbols: Sequence[Any]) -> int:
    """Bits of the symbols in their best prefix code, and of a table with a byte a symbol."""
    counts = Counter(symbols)
    if len(counts) < 2:
        return len(symbols) + 8 * len(counts)
    heap = list(counts.values())
    heapq.heapify(heap)
    bits = 0
    while len(heap) > 1:  # each merge puts one more bit on all symbols below it
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        bits += merged
        heapq.heappush(heap, merged)
    return bits + 8 * len(counts)


def judge(
    network: str, data: str, seed: int, recipes: Sequence[str], folder: Path
) -> Iterator[dict[str, Any]]:
    """Makes each file and gives its numbers."""
    train, held = split(data, folder)
    device = LocalDevice("local", None, cache_folder())
    spec = ModelSpec(name=network, source=f"zoo:{network}", data=str(train))
    made = compress_variants(
        [(spec, parse_recipe(recipe)) for recipe in recipes],
        seed=seed,
        cache=cache_folder(),
        on_progress=lambda _: None,
    )
    for failure in made.failures:
        print(f"  {network} {data} seed {seed}: {failure.recipe}: {failure.reason}", flush=True)
    if not made.artifacts:
        return
    (shape,) = {parse(a.path.read_bytes(), network).inputs[0].shape[1:] for a in made.artifacts}
    sets = []
    for path, keys in ((held, ("x", "y")), (train, ("x_test", "y_test"))):
        with np.load(path) as file:
            x, y = (file[key] for key in keys)
        data_file = folder / f"{network}.{path.stem}.safetensors"
        pictures = x.reshape(len(x), *shape).astype(np.float32) / 255
        save_file({"0": pictures, "labels": y.astype(np.int64)}, data_file)
        sets.append(Samples(data_file, sha256(data_file), len(x), "data", "classification"))
    for artifact in made.artifacts:
        content = artifact.path.read_bytes()
        errors = [1 - accuracy(device, artifact.path, artifact.sha256, part) for part in sets]
        facts = inspection.read(content, network)
        yield {
            "network": network,
            "data": data,
            "seed": seed,
            "recipe": artifact.recipe,
            "error_held_out": errors[0],
            "error": errors[1],
            "bytes": artifact.bytes,
            "xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)),
            "gzip": artifact.sizes["gzip"],
            "paper": papers_count(content),
            "weights": facts.weights,
            "macs": facts.macs,
            "sha256": artifact.sha256,
            "file": str(artifact.path),
        }


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % interval of Student's t, in per cent."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{100 * mean:.2f}"
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{100 * mean:.2f} ± {100 * half:.2f}"


def show(network: str, data: str, outcomes: Sequence[dict[str, Any]]) -> None:
    """The frontier of all settings, and the one that the held-out data choose."""
    mine = [o for o in outcomes if (o["network"], o["data"]) == (network, data)]
    by_recipe: dict[str, list[dict[str, Any]]] = {}
    shown = {parse_recipe(recipe).text for recipe in (BASE, *SETTINGS[network, data])}
    for outcome in (o for o in mine if o["recipe"] in shown):
        by_recipe.setdefault(outcome["recipe"], []).append(outcome)
    base = by_recipe.get(BASE)
    if not base:
        return
    seeds = {o["seed"] for o in base}

    def mean(recipe: str, key: str) -> float:
        return statistics.mean(o[key] for o in by_recipe[recipe])

    times, download, disk, speed = PAPER[network][0], *AIMS[network]
    print(f"\n## {network} on {data}, {len(seeds)} seeds")
    before, after = (f"{100 * e:.2f}" for e in PAPER[network][1:])
    print(f"paper: {times}x as it counts, error {before} -> {after} % (MNIST)")
    print(f"aim: download {download}x, disk {disk}x, {speed}x faster\n")
    head = ("setting", "held out %", "test error %", "paper's", "xz", "disk", "MACs")
    print("{:<78}{:>15}{:>15}{:>9}{:>7}{:>7}{:>7}".format(*head))
    allowed = mean(BASE, "error_held_out") + TOLERANCE
    fit = [
        r
        for r, found in by_recipe.items()
        if {o["seed"] for o in found} == seeds and mean(r, "error_held_out") <= allowed
    ]
    chosen = min(fit, key=lambda r: mean(r, "xz"))
    for recipe in sorted(by_recipe, key=lambda r: -mean(r, "xz")):
        found = by_recipe[recipe]
        ratios = [
            statistics.mean(b["bytes"] for b in base) / mean(recipe, key)
            for key in ("paper", "xz", "bytes")
        ]
        print(
            f"{'* ' if recipe == chosen else '  '}{recipe:<76}"
            f"{interval([o['error_held_out'] for o in found]):>15}"
            f"{interval([o['error'] for o in found]):>15}"
            + "{:>8.0f}x{:>6.0f}x{:>6.0f}x".format(*ratios)
            + f"{mean(BASE, 'macs') / mean(recipe, 'macs'):>6.1f}x",
            flush=True,
        )
    pair = [
        [next(o for o in by_recipe[r] if o["seed"] == seed) for r in (BASE, chosen)]
        for seed in sorted(seeds)
    ]
    added = [chosen_one["error"] - base_one["error"] for base_one, chosen_one in pair]
    print(f"\n* chosen; error added on the test data, points: {interval(added)}")
    device = LocalDevice("local", None, cache_folder())
    if all(Path(o["file"]).exists() for o in pair[0]):
        slow, fast = latency(device, pair[0])
        print(f"  latency {slow / 1000:.1f} -> {fast / 1000:.1f} us: {slow / fast:.2f}x faster")


def main() -> None:
    """Prints the paper's table, the settings, and which was chosen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--recipes", nargs="+", help="instead of the settings")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/deep_compression"))
    arguments = parser.parse_args()
    heading("Deep Compression beside ours")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    here = {"code": key_of({"versions": host.versions()})}
    outcomes = Journal(arguments.folder / "outcomes.jsonl", here, "code or versions")
    end = time.monotonic() + 60 * arguments.minutes
    for data in arguments.data:
        for seed in arguments.seeds:
            for network in arguments.networks:
                there = {
                    o["recipe"]
                    for o in outcomes.lines
                    if (o["network"], o["data"], o["seed"]) == (network, data, seed)
                }
                settings = arguments.recipes or SETTINGS[network, data]
                recipes = [r for r in (BASE, *settings) if parse_recipe(r).text not in there]
                if not recipes or time.monotonic() > end:
                    continue
                for outcome in judge(network, data, seed, recipes, arguments.folder):
                    outcomes.keep(outcome)
    for data in arguments.data:
        for network in arguments.networks:
            show(network, data, outcomes.lines)


if __name__ == "__main__":
    main()
