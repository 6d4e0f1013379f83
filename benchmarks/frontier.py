"""Our recipes against plain int8: accuracy, latency and size, and who is on the frontier.

    python benchmarks/frontier.py [--models resnet-8] [--samples 12000] [--picture frontier.svg]
    python benchmarks/frontier.py --minutes 10      as far as ten minutes go; again: goes on

Plain int8 is what anybody has without us: the network's .tflite quantized by TensorFlow's
converter (``Optimize.DEFAULT`` with representative samples), and by litert-quantizer's own recipe
``static_wi8_ai8``. All variants are made of the same trained network with the same calibration
samples, and are then measured in one run: latency in interleaved blocks of fresh processes,
accuracy by the agent on all 10,000 test images of Fashion-MNIST. Recipes that retrain have seen
the training data more often than plain int8; ``fine_tune → int8`` is there to tell that from what
the recipe does.

What has been made is a line of ``outcomes.jsonl`` in ``--folder``, and is not made again.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common import Journal, heading
from mobilebench import host
from mobilebench.analysis import pareto
from mobilebench.analysis.summarise import summarise
from mobilebench.cli.terminal import RunDisplay
from mobilebench.compress.pipeline.cache import key_of
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.models.datasets import load_dataset
from mobilebench.models.spec import ModelSpec
from mobilebench.runs import run
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import validate
from rich.console import Console

if TYPE_CHECKING:
    from mobilebench.analysis.estimates import Estimate
    from mobilebench.analysis.summary import Comparison, Variant

CONVERTER = "plain int8, TensorFlow's converter"
LITERT = "plain int8, litert-quantizer's static_wi8_ai8"
TOLERANCE = 0.005  # of accuracy, a share
CALIBRATION_SAMPLES = 100  # what our int8 takes unless told otherwise
SEED = 0

#: Narrower, in eights of channels, and taught by the network that it was made of.
NARROW = "prune_channels({share}, multiple=8, epochs=0) → distill(epochs=10)"
#: The first layer of each, a convolution over one channel, which is slow in int8.
FIRST = {"resnet-8": "stem", "mobilenet-v2-small": "Conv1"}

PLAIN = """
import json, sys
import keras
import numpy as np
import tensorflow as tf
from litert_quantizer import quantizer, recipe

keras_file, float_file, samples_file, converted, quantized = sys.argv[1:]
samples = np.load(samples_file)
model = keras.models.load_model(keras_file, compile=False)
shape = (1, *model.inputs[0].shape[1:])
folder = converted + ".saved_model"
model.export(folder, format="tf_saved_model", verbose=False,
             input_signature=[keras.InputSpec(shape=shape, dtype="float32")])
converter = tf.lite.TFLiteConverter.from_saved_model(folder)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
open(converted, "wb").write(converter.convert())

job = quantizer.Quantizer(float_file)
job.load_quantization_recipe(recipe.static_wi8_ai8())
from ai_edge_litert.interpreter import Interpreter
((key, signature),) = Interpreter(float_file).get_signature_list().items()
(name,) = signature["inputs"]
seen = job.calibrate({key: [{name: sample[None]} for sample in samples]})
open(quantized, "wb").write(bytes(job.quantize(seen).quantized_model))
"""


def groups(model: str) -> tuple[tuple[str, ...], ...]:
    """The recipes in groups that share their training; between two groups a piece may end."""
    mixed = f"int8(keep_float={FIRST[model]})"
    narrow = NARROW.format(share=0.25)
    return (
        (
            "float32",
            "float16",
            "dynamic_int8",
            "weight_only_int8",
            "int8",
            "int8(min_snr=40)",
            mixed,
            "int8(weight_bits=4, algorithm=octav)",
        ),
        (f"{narrow} → int8", f"{narrow} → int8(min_snr=40)", f"{narrow} → {mixed}"),
        (f"{NARROW.format(share=0.5)} → {mixed}",),
        ("fine_tune(epochs=10) → int8", f"fine_tune(epochs=10) → {mixed}"),
        ("quantization_aware(epochs=3) → int8",),
        ("prune(0.8, epochs=5) → int8", "prune(0.8, epochs=5) → sparse(size)"),
    )


@dataclass(frozen=True)
class Made:
    """One variant: its file, how long it took (s), or why there is none."""

    model: str
    name: str
    file: str
    seconds: float
    failure: str = ""


class Outcomes(Journal):
    """The variants that have been made."""

    def __init__(self, path: Path, samples: int) -> None:
        """Reads the file, if there is one; it must be of this code, these versions and samples."""
        here = {"code": key_of({"versions": host.versions()}), "samples": samples, "seed": SEED}
        super().__init__(path, here, "code, versions or --samples")
        self.all = [Made(**line) for line in self.lines]

    def add(self, made: Made) -> None:
        """Keeps one more variant."""
        self.keep(asdict(made))
        self.all.append(made)

    def of(self, model: str) -> dict[str, Made]:
        """The variants of one model by name."""
        return {made.name: made for made in self.all if made.model == model}


def write_data(samples: int, folder: Path) -> tuple[Path, Path]:
    """Training data, of which the first file has so many; the test images for ready files."""
    train, test = folder / f"fashion-mnist-{samples}.npz", folder / "fashion-mnist-test.npz"
    if not (train.exists() and test.exists()):
        whole = load_dataset("fashion-mnist")
        assert whole.train is not None
        assert whole.evaluation is not None
        x, y = whole.train.x, whole.train.y
        x_test, y_test = whole.evaluation.x, whole.evaluation.y
        chosen = np.sort(np.random.default_rng(SEED).permutation(len(x))[:samples])
        np.savez(train, x_train=x[chosen], y_train=y[chosen], x_test=x_test, y_test=y_test)
        np.savez(test, x_test=x_test.astype(np.float32) / 255, y_test=y_test)
    return train, test


def make_ours(
    model: str, recipes: Sequence[str], data: Path, folder: Path, files: Path
) -> Iterator[Made]:
    """Makes some recipes of a model in one child process."""
    parsed = [parse_recipe(recipe) for recipe in recipes]
    began = time.monotonic()
    with RunDisplay(Console(stderr=True)) as display:
        outcome = compress_variants(
            [(ModelSpec(name=model, source=f"zoo:{model}", data=str(data)), one) for one in parsed],
            seed=SEED,
            cache=folder / "cache" / model,
            on_progress=display.compressing,
        )
    took = round(time.monotonic() - began, 1)
    for artifact in outcome.artifacts:
        file = files / f"{artifact.sha256}.tflite"
        shutil.copyfile(artifact.path, file)
        yield Made(model, artifact.recipe, file.name, took)
    for failure in outcome.failures:
        yield Made(model, failure.recipe, "", took, f"{failure.step}: {failure.reason}")


def make_plain(
    model: str, float_file: Path, data: Path, folder: Path, files: Path
) -> Iterator[Made]:
    """Both plain int8 files of the trained network, calibrated with the samples that ours get."""
    (keras_file,) = (folder / "cache" / model / "models").glob("*.keras")
    samples = (
        load_dataset(str(data))
        .for_model((28, 28, 1), 10, scale=True)
        .calibration_samples(CALIBRATION_SAMPLES, SEED)
    )
    assert samples is not None
    samples_file = folder / "calibration.npy"
    np.save(samples_file, samples)
    made = {CONVERTER: f"{model}.converter.tflite", LITERT: f"{model}.litert-quantizer.tflite"}
    began = time.monotonic()
    outputs = [str(files / file) for file in made.values()]
    subprocess.run(
        [
            sys.executable,
            "-c",
            PLAIN,
            str(keras_file),
            str(float_file),
            str(samples_file),
            *outputs,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "plain.log").open("w"),
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    took = round(time.monotonic() - began, 1)
    for name, file in made.items():
        yield Made(model, name, file, took)


def make(
    models: Sequence[str], outcomes: Outcomes, data: Path, folder: Path, minutes: float
) -> bool:
    """Makes what is missing, a group of each model in turn; whether all is there then."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * minutes
    for together in zip(*map(groups, models), strict=True):
        for model, group in zip(models, together, strict=True):
            there = outcomes.of(model)
            wanted = [name for name in group if parse_recipe(name).text not in there]
            if wanted:
                if there and time.monotonic() > end:
                    return False
                print(f"making    {model}: {'; '.join(wanted)}", flush=True)
                for made in make_ours(model, wanted, data, folder, files):
                    outcomes.add(made)
                    if made.failure:
                        print(f"          {made.name}: {made.failure}")
            if CONVERTER not in outcomes.of(model):
                float_file = files / outcomes.of(model)["float32"].file
                for made in make_plain(model, float_file, data, folder, files):
                    outcomes.add(made)
    return True


def measure(
    models: Sequence[str], outcomes: Outcomes, test: Path, folder: Path, settings: Mapping[str, Any]
) -> RunFolder:
    """All files in one run; one that was interrupted goes on, one that is finished stays."""
    files = folder / "files"
    tables = []
    for model in models:
        recipes = [parse_recipe(name).text for group in groups(model) for name in group]
        wanted = [CONVERTER, LITERT, *recipes]
        there = outcomes.of(model)
        made = {n: str(files / there[n].file) for n in wanted if n in there and there[n].file}
        baseline = made.pop(CONVERTER)
        tables.append(
            {
                "name": model,
                "source": baseline,
                "data": str(test),
                "recipes": [{"name": CONVERTER, "recipe": "as_is"}],
                "ready": made,
            }
        )
    document = {"name": "frontier", "seed": SEED, "models": tables, "protocol": dict(settings)}
    suite = validate(document, "this benchmark", Path())
    results = folder / "results" / key_of({"suite": suite.model_dump(mode="json")})
    with RunDisplay(Console(stderr=True)) as display:
        for path in results.glob("*-frontier"):
            return run.resume(path, display)
        return run.start(suite, results, ["frontier"], display)


def percent(estimate: Estimate, digits: int, factor: float = 100, sign: str = "") -> str:
    """A value with its interval."""
    if estimate.value is None:
        return "—"
    shown = f"{factor * estimate.value:{sign}.{digits}f}"
    if estimate.interval is None:
        return shown
    ends = (estimate.interval.low, estimate.interval.high)
    return f"{shown} [{', '.join(f'{factor * end:{sign}.{digits}f}' for end in ends)}]"


def costs(variant: Variant) -> list[float | None]:
    """What is to be small: latency relative to plain int8, file, error."""
    accuracy, speedup = variant["accuracy"].value, variant.changes["latency"].value
    return [
        1.0 if variant.is_baseline else None if speedup is None else 1 / speedup,
        variant["size"].value,
        None if accuracy is None else -accuracy,
    ]


def status(variants: Sequence[Variant]) -> list[str]:
    """Of each variant: on the frontier, or the number of one that dominates it."""
    table = [costs(variant) for variant in variants]
    said = []
    for row, on_it in zip(table, pareto.front(table), strict=True):
        if on_it:
            said.append("frontier")
            continue
        worse = [
            number
            for number, other in enumerate(table, 1)
            if pareto.front([row, other]) == [False, True]
        ]
        said.append(f"dominated by {', '.join(map(str, worse[:4]))}" if worse else "no number")
    return said


def beats_plain(variant: Variant, variants: Sequence[Variant]) -> bool:
    """Whether it is smaller than any plain int8, surely faster, and surely about as accurate."""
    plain = [v for v in variants if v.recipe in (CONVERTER, LITERT)]
    size, speedup, change = (
        variant["size"].value,
        variant.changes["latency"],
        variant.changes["accuracy"],
    )
    if variant in plain or size is None or speedup.interval is None or change.interval is None:
        return False
    return (
        all(size < (v["size"].value or 0) for v in plain)
        and all(speedup.interval.low > (v.changes["latency"].value or 1) for v in plain)
        and change.interval.low > -TOLERANCE
    )


def show(comparison: Comparison) -> None:
    """The table of one model."""
    print(f"\n## {comparison.model}\n")
    print("| | variant | accuracy, % | Δ points | file, KB | xz, KB | speed-up | |")
    print("|--:|---|---|---|--:|--:|---|---|")
    said = status(comparison.variants)
    for number, (variant, where) in enumerate(zip(comparison.variants, said, strict=True), 1):
        size, download = ((e.value or math.nan) / 1000 for e in (variant["size"], variant["xz"]))
        change = percent(variant.changes["accuracy"], 2, sign="+")
        print(
            f"| {number} | {variant.recipe} | {percent(variant['accuracy'], 2)} |"
            f" {'baseline' if variant.is_baseline else change} | {size:.1f} | {download:.1f} |"
            f" {'1' if variant.is_baseline else percent(variant.changes['latency'], 2, 1)}"
            f" | {where} |"
        )
    better = [
        str(number)
        for number, variant in enumerate(comparison.variants, 1)
        if beats_plain(variant, comparison.variants)
    ]
    print(
        f"\nsmaller and faster than both plain int8 files, and with 95 % confidence less than"
        f" {100 * TOLERANCE:g} points behind the first: {', '.join(better) or 'none'}"
    )
    for variant in comparison.variants:
        if variant.failed_trials:
            print(f"{variant.recipe}: {variant.failed_trials} trials failed")


def main() -> None:
    """Makes, measures, prints a table a model, and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", default=list(FIRST), choices=list(FIRST), help="of the zoo"
    )
    parser.add_argument("--samples", type=int, default=60_000, help="so many training images")
    parser.add_argument("--blocks", type=int, default=12, help="fresh processes a variant")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no recipe after so long"
    )
    parser.add_argument("--picture", type=Path, metavar="PATH", help="write an .svg or .png")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/frontier"))
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    heading("Recipes against plain int8")
    outcomes = Outcomes(folder / "outcomes.jsonl", arguments.samples)
    train, test = write_data(arguments.samples, folder)
    if not make(arguments.models, outcomes, train, folder, arguments.minutes):
        print("left      some recipes are not made yet: the same command goes on")
    protocol = {"blocks": arguments.blocks, "warmup_seconds": 0.1, "seconds": 0.3}
    measured = measure(arguments.models, outcomes, test, folder, protocol)
    summary = summarise(measured.run(), measured.trials(), measured.timings())
    print(
        f"data      {arguments.samples:,} training images of Fashion-MNIST, 10,000 test images;"
        f" seed {SEED}\nmeasured  {arguments.blocks} blocks, {protocol['seconds']} s a trial,"
        f" load now {os.getloadavg()[0]:.1f}"
    )
    for comparison in summary.comparisons:
        show(comparison)
    for made in outcomes.all:
        if made.failure and made.model in arguments.models:
            print(f"not made: {made.model}: {made.name}: {made.failure}")
    if arguments.picture:
        from frontier_picture import draw

        draw(summary.comparisons, arguments.picture)
        print(f"\npicture   {arguments.picture}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: what has been made is kept; the same command goes on")
