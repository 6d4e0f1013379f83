"""Trains the small models of tasks.toml: a minute or two.

    python suites/tasks/train.py            # all, into suites/tasks/models
    python suites/tasks/train.py --steps 5 --out DIR segmentation regression

Each is as small as its task allows; what matters is what compression does to its answers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import binary  # noqa: E402
import detection  # noqa: E402
import embedding  # noqa: E402
import pictures  # noqa: E402
import reconstruction  # noqa: E402
import regression  # noqa: E402
import two_inputs  # noqa: E402
import two_outputs  # noqa: E402

Trained = Callable[[int | None], Any]


def _convolution(x: Any, filters: int, stride: int, name: str) -> Any:
    return layers.Conv2D(
        filters, 3, stride, padding="same", activation="relu", name=name
    )(x)  # fmt: skip


def _fit(model: Any, x: Any, y: Any, batch: int, epochs: int, steps: int | None) -> None:
    """Trains for so many epochs, or for a few steps alone."""
    model.fit(x, y, batch, 1 if steps else epochs, steps_per_epoch=steps, verbose=0)


def _trunk(inputs: Any) -> Any:
    """32 × 32 pixels to 8 × 8 features."""
    x = _convolution(inputs, 16, 1, "fine")
    x = _convolution(x, 32, 2, "half")
    return _convolution(x, 64, 2, "quarter")


def _segmentation(steps: int | None) -> Any:
    inputs = keras.Input((pictures.SIZE, pictures.SIZE, 1), name="picture")
    fine = _convolution(inputs, 16, 1, "fine")
    half = _convolution(fine, 32, 2, "half")
    quarter = _convolution(_convolution(half, 64, 2, "quarter"), 64, 1, "deep")
    x = layers.Concatenate()([layers.UpSampling2D()(quarter), half])
    x = layers.Concatenate()([layers.UpSampling2D()(_convolution(x, 32, 1, "up_half")), fine])
    x = _convolution(x, 16, 1, "up_fine")
    classes = layers.Conv2D(pictures.CLASSES + 1, 1, activation="softmax", name="pixel_class")(x)
    model = keras.Model(inputs, classes, name="segmentation")
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    found = pictures.training(4000)
    _fit(model, found.pixels, found.masks, 64, 8, steps)
    return model


def _multilabel(steps: int | None) -> Any:
    inputs = keras.Input((pictures.SIZE, pictures.SIZE, 1), name="picture")
    x = layers.Flatten()(_convolution(_trunk(inputs), 32, 2, "eighth"))
    x = layers.Dense(64, activation="relu", name="hidden")(x)
    model = keras.Model(
        inputs, layers.Dense(10, activation="sigmoid", name="present")(x), name="multilabel"
    )
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    found = pictures.training(4000)
    _fit(model, found.pixels, found.present, 64, 10, steps)
    return model


def _detection(steps: int | None) -> Any:
    cells = detection.CELLS
    inputs = keras.Input((pictures.SIZE, pictures.SIZE, 1), name="picture")
    x = _convolution(_convolution(_trunk(inputs), 64, 2, "eighth"), 64, 1, "deep")
    grid = layers.Conv2D(15, 1, name="grid")(x)
    model = keras.Model(inputs, grid, name="detection")

    def loss(wanted: Any, found: Any) -> Any:
        there = wanted[..., 0]
        sure = ops.binary_crossentropy(there, found[..., 0], from_logits=True)
        place = ops.sum(ops.square(found[..., 1:5] - wanted[..., 1:5]), axis=-1)
        kind = ops.sparse_categorical_crossentropy(
            ops.cast(wanted[..., 5], "int32"), found[..., 5:], from_logits=True
        )
        return ops.mean(sure + there * (5 * place + kind))

    found = pictures.training(4000)
    wanted = np.zeros((len(found.boxes), cells, cells, 6), np.float32)
    for number, boxes in enumerate(found.boxes):
        for label, ymin, xmin, ymax, xmax in boxes:
            y, x_middle = (ymin + ymax) / 2 * cells, (xmin + xmax) / 2 * cells
            row, column = int(y), int(x_middle)
            size = (ymax - ymin, xmax - xmin)
            wanted[number, row, column] = (1, y - row, x_middle - column, *size, label)
    model.compile(keras.optimizers.Adam(2e-3), loss)
    _fit(model, found.pixels, wanted, 64, 15, steps)
    return model


def _regression(steps: int | None) -> Any:
    (x, y), _ = regression.split()
    model = keras.Sequential(
        [
            keras.Input((10,), name="measurements"),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(1, name="progress"),
            layers.Rescaling(float(y.std()), float(y.mean()), name="unit"),
        ],
        name="regression",
    )
    model.compile(keras.optimizers.Adam(3e-3), "mae")
    _fit(model, x, y, 32, 80, steps)
    return model


def _binary(steps: int | None) -> Any:
    (x, y), _ = binary.split()
    model = keras.Sequential(
        [
            keras.Input((30,), name="measurements"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="benign"),
        ],
        name="binary",
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    _fit(model, x, y, 32, 30, steps)
    return model


def _reconstruction(steps: int | None) -> Any:
    x, _ = reconstruction.split()
    model = keras.Sequential(
        [
            keras.Input((784,), name="digit"),
            layers.Dense(128, activation="relu", name="down"),
            layers.Dense(16, activation="relu", name="neck"),
            layers.Dense(128, activation="relu", name="up"),
            layers.Dense(784, activation="sigmoid", name="restored"),
        ],
        name="reconstruction",
    )
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    _fit(model, x, x, 64, 15, steps)
    return model


def _embedding(steps: int | None) -> Any:
    x, digits = embedding.split("train")
    inputs = keras.Input((28, 28, 1), name="digit")
    y = _convolution(_convolution(inputs, 16, 2, "half"), 32, 2, "quarter")
    vector = layers.Dense(32, name="vector")(layers.Flatten()(y))
    # Of the vectors' directions alone is learnt which digit it is: by those they are compared.
    unit = layers.Rescaling(10.0)(layers.UnitNormalization()(vector))
    nearest = layers.Dense(
        embedding.FIRST_UNSEEN, use_bias=False, kernel_constraint="unit_norm", name="nearest"
    )(unit)
    taught = keras.Model(inputs, nearest)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    taught.compile(keras.optimizers.Adam(2e-3), loss)
    _fit(taught, x, digits, 64, 8, steps)
    return keras.Model(inputs, vector, name="embedding")


def _two_inputs(steps: int | None) -> Any:
    ends = [keras.Input((784,), name=name) for name in ("left", "right")]
    digit = keras.Sequential(
        [layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")], name="digit"
    )
    x = layers.Concatenate()([digit(end) for end in ends])
    x = layers.Dense(64, activation="relu", name="hidden")(x)
    model = keras.Model(
        ends, layers.Dense(19, activation="softmax", name="sum")(x), name="two_inputs"
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    inputs, sums = two_inputs.pairs("train", 8000, seed=7)
    _fit(model, [inputs["left"], inputs["right"]], sums, 64, 15, steps)
    return model


def _two_outputs(steps: int | None) -> Any:
    x, labels = two_outputs.split("train")
    inputs = keras.Input((784,), name="digit")
    hidden = layers.Dense(64, activation="relu", name="hidden")(inputs)
    outputs = [
        layers.Dense(10, activation="softmax", name="class")(hidden),
        layers.Dense(1, name="ink")(layers.Dense(16, activation="relu", name="how_much")(inputs)),
    ]
    model = keras.Model(inputs, outputs, name="two_outputs")
    losses = ["sparse_categorical_crossentropy", "mae"]
    model.compile(keras.optimizers.Adam(2e-3), losses, loss_weights=[1.0, 10.0])
    _fit(model, x, [labels[:, 0], labels[:, 1]], 64, 15, steps)
    return model


MODELS: dict[str, Trained] = {
    "binary": _binary,
    "multilabel": _multilabel,
    "regression": _regression,
    "segmentation": _segmentation,
    "detection": _detection,
    "reconstruction": _reconstruction,
    "embedding": _embedding,
    "two_inputs": _two_inputs,
    "two_outputs": _two_outputs,
}


def main() -> None:
    """Trains what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--steps", type=int, help="batches of each; a few for a try")
    parser.add_argument("--out", type=Path, default=HERE / "models")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.model:
        keras.utils.set_random_seed(2026)
        path = arguments.out / f"{name}.keras"
        MODELS[name](arguments.steps).save(path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
