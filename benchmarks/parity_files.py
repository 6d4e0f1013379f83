"""Files for `parity.py`: every recipe that stores a network otherwise, on each kind of layer.

    python benchmarks/parity_files.py FOLDER         about 100 small files

The networks are small and untrained, so that nothing but the kernels is looked at; recipes that
train change weights, and nothing of how they are stored.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
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


def main() -> None:
    """Makes the files, and says which recipes do not fit which networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)

    import keras

    with tempfile.TemporaryDirectory() as scratch:
        for build in NETWORKS:
            keras.utils.set_random_seed(0)
            model = keras.Model(*build(keras.layers))
            path = Path(scratch) / f"{build.__name__}.keras"
            model.save(path)
            made = mobilebench.compress(path, *RECIPES, data="random", into=Path(scratch) / "made")
            for recipe, found in zip(RECIPES, made, strict=True):
                if isinstance(found, mobilebench.Failure):
                    print(f"{build.__name__}, {recipe}: {found.reason}", file=sys.stderr)
                    continue
                name = re.sub(r"[^\w()=.,']+", " ", f"{recipe} {build.__name__}")
                write_atomically(folder / f"{name}.tflite", found.path.read_bytes())


if __name__ == "__main__":
    main()
