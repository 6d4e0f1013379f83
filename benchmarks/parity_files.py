"""Files for `parity.py`: every recipe that stores a network otherwise, on each kind of layer.

    python benchmarks/parity_files.py FOLDER             about 100 small files
    python benchmarks/parity_files.py FOLDER --trained   20 small files

The networks are small and untrained, so that nothing but the kernels is looked at. With
``--trained`` they are two that learnt digits for a pass, and each recipe trains for another.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import mobilebench
from mobilebench.files import write_atomically

RECIPES = (
    "float32",
    "float16",
    "dynamic_int8",
    "dynamic_int4",
    "dynamic_int4(block=32)",
    "weight_only_int8",
    "weight_only_int4",
    "int8",
    "int16x8",
    "prune(0.8, schedule=once, epochs=0) → sparse",
    "prune(0.9, pattern='1x16', schedule=once, epochs=0) → dynamic_int8 → sparse",
    "prune_channels(0.5, epochs=0) → int8",
    "low_rank(0.9, epochs=0) → dynamic_int8",
    "cluster(16, epochs=0) → int8",
)

#: Recipes that train, for a pass over the digits.
TRAINED = (
    "fine_tune(epochs=1) → float16",
    "prune(0.5, epochs=1)",
    "prune(0.8, epochs=1) → int8",
    "prune_channels(0.3, epochs=1) → int8",
    "cluster(16, epochs=1) → int8",
    "low_rank(0.9, epochs=1) → dynamic_int8",
    "quantization_aware(epochs=1) → int8",
    "quantization_aware(weight_bits=4, epochs=1) → dynamic_int4",
    "distill(T=4, alpha=0.7, epochs=1) → dynamic_int8",
    "distill(T=4, alpha=0.7, epochs=1) → prune(0.8, epochs=1) → int8",
)


def dense(layers: Any) -> tuple[Any, Any]:
    """Four layers and a softmax."""
    taken = x = layers.Input((64,))
    for width in (128, 128, 64):
        x = layers.Dense(width, activation="relu")(x)
    return taken, layers.Dense(10, activation="softmax")(x)


def convolution(layers: Any) -> tuple[Any, Any]:
    """Convolutions with normalization and pooling; logits."""
    taken = x = layers.Input((32, 32, 3))
    for width in (16, 32, 64):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same")(x)))
        x = layers.MaxPooling2D()(x)
    return taken, layers.Dense(32)(layers.GlobalAveragePooling2D()(x))


def depthwise(layers: Any) -> tuple[Any, Any]:
    """Separable convolutions with residuals; a softmax of many classes."""
    taken = layers.Input((24, 24, 8))
    x = layers.Conv2D(32, 3, strides=2, activation="relu6")(taken)
    for _ in range(3):
        x = layers.Add()([x, layers.SeparableConv2D(32, 3, padding="same", activation="relu6")(x)])
    return taken, layers.Dense(200, activation="softmax")(layers.Flatten()(x))


def segmenter(layers: Any) -> tuple[Any, Any]:
    """Down and up again, with a skip; a class at each pixel."""
    taken = layers.Input((32, 32, 1))
    top = layers.Conv2D(16, 3, padding="same", activation="relu")(taken)
    low = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(top)
    up = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(low)
    both = layers.Concatenate()([top, up])
    return taken, layers.Conv2D(5, 1, activation="softmax")(both)


def recurrent(layers: Any) -> tuple[Any, Any]:
    """An LSTM; two values."""
    taken = layers.Input((20, 16))
    return taken, layers.Dense(2)(layers.LSTM(32, unroll=True)(taken))


def attention(layers: Any) -> tuple[Any, Any]:
    """Self-attention with normalization, and a feed-forward part."""
    taken = layers.Input((16, 32))
    met = layers.MultiHeadAttention(2, 16)(taken, taken)
    x = layers.LayerNormalization()(layers.Add()([taken, met]))
    x = layers.Add()([x, layers.Dense(32)(layers.Dense(64, activation="gelu")(x))])
    return taken, layers.Dense(8)(layers.GlobalAveragePooling1D()(x))


def words(layers: Any) -> tuple[Any, Any]:
    """A table of words, and convolutions over time."""
    taken = layers.Input((32,), dtype="int32")
    x = layers.Embedding(100, 32)(taken)
    x = layers.Conv1D(64, 5, activation="relu")(x)
    return taken, layers.Dense(4, activation="softmax")(layers.GlobalMaxPooling1D()(x))


def deep(layers: Any) -> tuple[Any, Any]:
    """Twelve layers, each of which doubles what differs: a chaotic network; logits."""
    import keras

    taken = x = layers.Input((48,))
    for seed in range(12):
        start = keras.initializers.RandomNormal(stddev=0.2, seed=seed)
        x = layers.Dense(96, activation="tanh", kernel_initializer=start)(x)
    return taken, layers.Dense(12)(x)


NETWORKS: tuple[Callable[[Any], tuple[Any, Any]], ...] = (
    dense,
    convolution,
    depthwise,
    segmenter,
    recurrent,
    attention,
    words,
    deep,
)


def digits_dense(layers: Any, width: int = 96) -> tuple[Any, Any]:
    """A hidden layer, for digits."""
    taken = layers.Input((28, 28, 1))
    x = layers.Dense(width, activation="relu")(layers.Flatten()(taken))
    return taken, layers.Dense(10, activation="softmax")(x)


def digits_convolution(layers: Any) -> tuple[Any, Any]:
    """Convolutions with normalization, for digits."""
    taken = x = layers.Input((28, 28, 1))
    for width in (8, 16):
        x = layers.Conv2D(width, 3, strides=2, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return taken, layers.Dense(10, activation="softmax")(layers.Flatten()(x))


def digits() -> dict[str, Any]:
    """A part of the shipped digits, as evaluation data has them."""
    import numpy as np

    with resources.as_file(resources.files("mobilebench.models")) as folder:
        found = np.load(folder / "data" / "mnist_subset.npz")
    parts = {"x_train": 2000, "y_train": 2000, "x_test": 500, "y_test": 500}
    chosen = {name: found[name][:count] for name, count in parts.items()}
    for name in ("x_train", "x_test"):
        chosen[name] = (chosen[name] / 255).astype(np.float32)[..., np.newaxis]
    return chosen


def make_untrained(folder: Path) -> None:
    """A file of each recipe and network."""
    import keras

    with tempfile.TemporaryDirectory() as scratch:
        for build in NETWORKS:
            keras.utils.set_random_seed(0)
            path = Path(scratch) / f"{build.__name__}.keras"
            keras.Model(*build(keras.layers)).save(path)
            into = Path(scratch) / "made"
            made = mobilebench.compress(path, *RECIPES, data="random", into=into)
            _keep(folder, build.__name__, RECIPES, made)


def make_trained(folder: Path) -> None:
    """A file of each recipe that trains, of two networks that are trained."""
    import keras
    import numpy as np

    data = digits()
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch) / "digits.npz"
        np.savez(given, **data)
        student = Path(scratch) / "student.keras"
        for build in (digits_dense, digits_convolution):
            keras.utils.set_random_seed(0)
            path = Path(scratch) / f"{build.__name__}.keras"
            network = keras.Model(*build(keras.layers))
            small = keras.Model(*digits_dense(keras.layers, 32))
            for each, place in ((network, path), (small, student)):
                each.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
                each.fit(data["x_train"], data["y_train"], verbose=0)
                each.save(place)
            into = Path(scratch) / "made"
            made = mobilebench.compress(path, *TRAINED, data=given, student=student, into=into)
            _keep(folder, build.__name__, TRAINED, made)


def _keep(folder: Path, network: str, recipes: Sequence[str], made: Sequence[Any]) -> None:
    """The files by the names that `parity.py` calls them, and what could not be made."""
    for recipe, found in zip(recipes, made, strict=True):
        if isinstance(found, mobilebench.Failure):
            print(f"{network}, {recipe}: {found.reason}", file=sys.stderr)
            continue
        name = re.sub(r"[^\w()=.,']+", " ", f"{recipe} {network}")
        write_atomically(folder / f"{name}.tflite", found.path.read_bytes())


def main() -> None:
    """Makes the files, and says which recipes do not fit which networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trained", action="store_true", help="of recipes that train")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    make = make_trained if arguments.trained else make_untrained
    make(arguments.folder)


if __name__ == "__main__":
    main()
