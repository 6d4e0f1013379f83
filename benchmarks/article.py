"""The article's pipeline beside ours: distil a student, prune it, retrain it.

    python benchmarks/article.py [--seeds 1 2 3 4 5]

The article trains Dense(128) → Dense(10) and Dense(64) → Dense(10) on MNIST, five epochs each,
and reports test accuracy 0.9750 after distillation and 0.9500 after pruning and retraining; it
names no seed, no sparsity and no size. Ours runs on the shipped subset (8,000 training and 2,000
test digits) and is evaluated by the agent, on the .tflite file, as every accuracy of ours is.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

from common import heading

from device_agent.contract import PROTOCOL_VERSION, Job
from harness.cache import cache_folder
from harness.compress.artifact import Artifact
from harness.compress.recipe import parse_recipe
from harness.compress.service import compress_variants
from harness.devices.local import LocalDevice
from harness.models.spec import ModelSpec

ROWS = {
    "float32": ("teacher", None),
    "student": ("student, labels alone", None),
    "distill": ("student, distilled", 0.9750),
    "distill → prune(0.5)": ("… pruned 50 %, retrained", 0.9500),
    "distill → prune(0.8)": ("… pruned 80 %, retrained", 0.9500),
    "distill → prune(0.9)": ("… pruned 90 %, retrained", 0.9500),
    "distill → prune(0.8) → int8": ("… and int8", None),
}


def accuracy(device: LocalDevice, artifact: Artifact) -> float:
    """The share of test digits that the file on the device gets right."""
    evaluation = artifact.evaluation
    assert evaluation is not None
    job = Job(
        protocol=PROTOCOL_VERSION,
        trial="article",
        kind="accuracy",
        model=str(artifact.path),
        model_sha256=artifact.sha256,
        dataset=str(evaluation.path),
        dataset_sha256=evaluation.sha256,
    )
    (metric,) = device.run(job, lambda _: None, 300).metrics
    assert metric.value is not None
    return metric.value


def main() -> None:
    """Prints a row a stage: accuracy over the seeds, sparsity reached, file sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    heading("The article's pipeline on the shipped digits")
    device = LocalDevice("local", None, cache_folder())
    spec = ModelSpec(name="digits", source="zoo:digits-teacher")
    found: dict[str, list[float]] = defaultdict(list)
    last: dict[str, Artifact] = {}
    for seed in arguments.seeds:
        outcome = compress_variants(
            [(spec, parse_recipe(recipe)) for recipe in ROWS],
            seed=seed,
            cache=cache_folder(),
            on_progress=lambda _: None,
        )
        for failure in outcome.failures:
            print(f"seed {seed}: {failure.recipe}: {failure.reason}")
        for artifact in outcome.artifacts:
            found[artifact.recipe].append(accuracy(device, artifact))
            last[artifact.recipe] = artifact
    print(f"2,000 test digits: standard error 0.004; seeds {arguments.seeds}\n")
    head = ("stage", "article", "ours", "lowest", "highest", "zeros", "bytes", "gzip")
    print("{:<28}{:>8}{:>8}{:>8}{:>8}{:>7}{:>9}{:>9}".format(*head))
    for recipe, (stage, published) in ROWS.items():
        values = found[recipe]
        steps = last[recipe].provenance["steps"]
        zeros = [step["zeros"] for step in steps if "zeros" in step]
        print(
            f"{stage:<28}{published or '—':>8}{statistics.median(values):8.4f}"
            f"{min(values):8.4f}{max(values):8.4f}"
            f"{f'{zeros[-1]:.0%}' if zeros else '—':>7}"
            f"{last[recipe].bytes:9,}{last[recipe].gzip_bytes:9,}"
        )


if __name__ == "__main__":
    main()
