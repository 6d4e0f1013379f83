"""Models of users' shapes through all recipes: what is made, and what is refused with which words.

    python benchmarks/models.py            prints the table and writes docs/models.md
    python benchmarks/models.py --only lstm gru

The networks are small and hardly trained: what is asked is whether a recipe can be applied, not
what it costs in accuracy. Each answer is a line of ``outcomes.jsonl`` in ``--folder`` as it comes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from common import Journal, heading
from mobilebench import host
from mobilebench.compress.foreign import environments
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import Compressor
from mobilebench.errors import MobileBenchError
from mobilebench.files import write_atomically
from mobilebench.models.spec import ModelSpec

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
RECIPES = {
    "float32": "float32",
    "float16": "float16",
    "dynamic_int8": "dynamic_int8",
    "int8": "int8(samples=32)",
    "dynamic_int4": "dynamic_int4",
    "fine_tune": "fine_tune(epochs=1)",
    "prune": "prune(0.5, epochs=1)",
    "prune_channels": "prune_channels(0.25, epochs=1)",
    "cluster": "cluster(16, epochs=1)",
    "low_rank": "low_rank(0.8, epochs=1)",
    "quantization_aware → int8": "quantization_aware(epochs=1) → int8(samples=32)",
}
SAMPLES = 256
RANDOM = np.random.default_rng(0)

OWN_CODE = """
import keras
import numpy as np

@keras.saving.register_keras_serializable("own")
class Gain(keras.layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones", name="gain")
    def call(self, x):
        return x * self.gain

@keras.saving.register_keras_serializable("own")
class Net(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.seen = keras.layers.Conv2D(8, 3, activation="relu")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.dense = keras.layers.Dense(4, activation="softmax")
    def call(self, x):
        return self.dense(self.pool(self.seen(x)))

def get_training_data():
    random = np.random.default_rng(0)
    return random.random((256, 16, 16, 3), np.float32), random.integers(0, 4, 256)

def get_evaluation_data():
    random = np.random.default_rng(1)
    return random.random((64, 16, 16, 3), np.float32), random.integers(0, 4, 64)
"""
NET = """
import torch

def get_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(16 * 14 * 14, 4), torch.nn.Softmax(-1),
    )
"""
MAKE_ONNX = """
import sys, numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh
random = np.random.default_rng(0)
def values(name, *shape):
    return nh.from_array((random.normal(size=shape) * 0.1).astype("float32"), name)
nodes = [
    h.make_node("Conv", ["image", "w", "b"], ["c"]), h.make_node("Relu", ["c"], ["r"]),
    h.make_node("Flatten", ["r"], ["f"]), h.make_node("Gemm", ["f", "v", "u"], ["z"], transB=1),
    h.make_node("Softmax", ["z"], ["probs"], axis=-1),
]
ends = [
    [h.make_tensor_value_info(name, T.FLOAT, shape)]
    for name, shape in (("image", ["n", 3, 16, 16]), ("probs", ["n", 4]))
]
weights = [values("w", 16, 3, 3, 3), values("b", 16), values("v", 4, 16 * 14 * 14), values("u", 4)]
graph = h.make_graph(nodes, "g", *ends, weights)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)])
model.ir_version = 9
onnx.save(model, sys.argv[1])
"""


@dataclass(frozen=True)
class Made:
    """A model on the disk, with its data, and what else its suite would say."""

    source: str
    data: str
    settings: dict[str, Any] = field(default_factory=dict)


def images(folder: Path, classes: int = 4) -> str:
    """Noise with labels, as an .npz file."""
    x = RANDOM.random((SAMPLES, 16, 16, 3), np.float32)
    return stored(folder, x, RANDOM.integers(0, classes, SAMPLES))


def stored(folder: Path, x: Any, y: Any) -> str:
    """Samples and labels as an .npz file: to train and to test, or to calibrate without labels."""
    path = folder / "data.npz"
    half = SAMPLES * 3 // 4
    parts = x if isinstance(x, dict) else {"": x}
    arrays = {}
    for name, values in parts.items():
        end = f"/{name}" if name else ""
        arrays |= {f"x_train{end}": values[:half], f"x_test{end}": values[half:]}
    if y is not None:
        arrays |= {"y_train": y[:half], "y_test": y[half:]}
    else:
        arrays = {k.replace("x_train", "x_calibration"): v for k, v in arrays.items()}
    np.savez(path, **arrays)
    return str(path)


def saved(folder: Path, taken: Any, given: Any, data: str, ending: str = "keras") -> Made:
    """A Keras model as a file."""
    import keras

    path = folder / f"model.{ending}"
    keras.Model(taken, given).save(path)
    return Made(str(path), data)


def convolutions(before: Any = (), dtype: Any = None) -> tuple[Any, Any]:
    """A small classifier of images."""
    import keras
    from keras import layers

    taken = x = keras.Input((16, 16, 3))
    for layer in before:
        x = layer(x)
    for width in (16, 32):
        x = layers.Conv2D(width, 3, activation="relu", dtype=dtype)(x)
        x = layers.BatchNormalization(dtype=dtype)(x)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    x = layers.Dense(32, activation="relu", dtype=dtype)(x)
    return taken, layers.Dense(4, activation="softmax", dtype="float32")(x)


def augmented(folder: Path) -> Made:
    """Keras: augmentation, noise and an adapted Normalization inside."""
    from keras import layers

    normal = layers.Normalization()
    normal.adapt(RANDOM.random((64, 16, 16, 3), np.float32))
    inside = [normal, layers.RandomFlip(), layers.RandomRotation(0.1), layers.GaussianNoise(0.1)]
    return saved(folder, *convolutions(inside), images(folder))


def old_format(folder: Path) -> Made:
    """Keras: an `.h5` file."""
    return saved(folder, *convolutions(), images(folder), "h5")


def mixed(folder: Path) -> Made:
    """Keras: trained in mixed_float16."""
    return saved(folder, *convolutions(dtype="mixed_float16"), images(folder))


def wide(folder: Path) -> Made:
    """Keras: a table in float64."""
    import keras
    from keras import layers

    taken = keras.Input((20,), dtype="float64")
    x = layers.Dense(64, activation="relu", dtype="float64")(taken)
    data = stored(folder, RANDOM.random((SAMPLES, 20)), RANDOM.integers(0, 4, SAMPLES))
    return saved(folder, taken, layers.Dense(4, activation="softmax", dtype="float64")(x), data)


def tokens(folder: Path) -> Made:
    """Keras: int64 tokens and an embedding."""
    import keras
    from keras import layers

    taken = keras.Input((24,), dtype="int64")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(1000, 16)(taken))
    x = layers.Dense(32, activation="relu")(x)
    data = stored(folder, RANDOM.integers(0, 1000, (SAMPLES, 24)), RANDOM.integers(0, 2, SAMPLES))
    return saved(folder, taken, layers.Dense(2, activation="softmax")(x), data)


def recurrent(folder: Path, layer: Any) -> Made:
    """A classifier of sequences."""
    import keras
    from keras import layers

    taken = keras.Input((12, 8))
    x = RANDOM.random((SAMPLES, 12, 8), np.float32)
    data = stored(folder, x, RANDOM.integers(0, 4, SAMPLES))
    return saved(folder, taken, layers.Dense(4, activation="softmax")(layer(taken)), data)


def lstm(folder: Path) -> Made:
    """Keras: an LSTM."""
    from keras import layers

    return recurrent(folder, layers.LSTM(32))


def gru(folder: Path) -> Made:
    """Keras: a GRU."""
    from keras import layers

    return recurrent(folder, layers.GRU(32))


def bidirectional(folder: Path) -> Made:
    """Keras: a bidirectional LSTM."""
    from keras import layers

    return recurrent(folder, layers.Bidirectional(layers.LSTM(16)))


def transformer(folder: Path) -> Made:
    """Keras: a Transformer block."""
    import keras
    from keras import layers

    taken = keras.Input((16, 32))
    x = layers.LayerNormalization()(taken + layers.MultiHeadAttention(4, 8)(taken, taken))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="gelu")(x)))
    given = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    x = RANDOM.random((SAMPLES, 16, 32), np.float32)
    return saved(folder, taken, given, stored(folder, x, RANDOM.integers(0, 4, SAMPLES)))


def segmentation(folder: Path) -> Made:
    """Keras: a U-Net with masks as labels."""
    import keras
    from keras import layers

    taken = keras.Input((16, 16, 3))
    fine = layers.Conv2D(16, 3, padding="same", activation="relu")(taken)
    coarse = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    up = layers.Conv2DTranspose(16, 2, strides=2)(coarse)
    given = layers.Conv2D(3, 1, activation="softmax")(layers.Concatenate()([fine, up]))
    x = RANDOM.random((SAMPLES, 16, 16, 3), np.float32)
    return saved(folder, taken, given, stored(folder, x, RANDOM.integers(0, 3, (SAMPLES, 16, 16))))


def regression(folder: Path) -> Made:
    """Keras: one number for a row."""
    import keras
    from keras import layers

    taken = keras.Input((20,))
    x = RANDOM.random((SAMPLES, 20), np.float32)
    hidden = layers.Dense(64, activation="relu")(taken)
    return saved(folder, taken, layers.Dense(1)(hidden), stored(folder, x, x.sum(axis=1)))


def binary(folder: Path) -> Made:
    """Keras: one sigmoid."""
    import keras
    from keras import layers

    taken = keras.Input((20,))
    x = RANDOM.random((SAMPLES, 20), np.float32)
    hidden = layers.Dense(64, activation="relu")(taken)
    given = layers.Dense(1, activation="sigmoid")(hidden)
    return saved(folder, taken, given, stored(folder, x, (x.sum(axis=1) > 10).astype(int)))


def several(folder: Path) -> Made:
    """Keras: two inputs and two outputs, calibration data."""
    import keras
    from keras import layers

    image, meta = keras.Input((8, 8, 1), name="image"), keras.Input((5,), name="meta")
    x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(8, 3)(image)), meta])
    x = layers.Dense(64, activation="relu")(x)
    given = [layers.Dense(3, activation="softmax")(x), layers.Dense(4)(x)]
    data = {
        "image": RANDOM.random((SAMPLES, 8, 8, 1), np.float32),
        "meta": RANDOM.random((SAMPLES, 5), np.float32),
    }
    return saved(folder, [image, meta], given, stored(folder, data, None))


def texts(folder: Path) -> Made:
    """Keras: TextVectorization inside, token numbers as data."""
    import keras
    from keras import layers

    words = [f"w{number}" for number in range(98)]
    taken = keras.Input((1,), dtype="string")
    x = layers.TextVectorization(output_sequence_length=8, vocabulary=words)(taken)
    x = layers.Flatten()(layers.Embedding(100, 16)(x))
    x = layers.Dense(32, activation="relu")(x)
    data = stored(folder, RANDOM.integers(0, 100, (SAMPLES, 8)), RANDOM.integers(0, 2, SAMPLES))
    return saved(folder, taken, layers.Dense(2, activation="softmax")(x), data)


def own_layer(folder: Path) -> Made:
    """Keras: a layer of one's own, defined in the data file."""
    own = code_of(folder)
    return saved(folder, *convolutions([own.Gain()]), str(folder / "own.py"))


def subclassed(folder: Path) -> Made:
    """Keras: a model with a call() of its own, defined in the data file."""
    model = code_of(folder).Net()
    model(np.zeros((1, 16, 16, 3), np.float32))
    model.save(folder / "model.keras")
    return Made(str(folder / "model.keras"), str(folder / "own.py"))


def code_of(folder: Path) -> Any:
    """The data file that brings layers of its own."""
    from mobilebench.models.hooks import load_module

    (folder / "own.py").write_text(OWN_CODE)
    return load_module(folder / "own.py", "own.py")


def unknown_layer(folder: Path) -> Made:
    """Keras: a layer of one's own that nothing defines."""
    made = own_layer(folder)
    return Made(made.source, images(folder))


def lambda_layer(folder: Path) -> Made:
    """Keras: a Lambda layer."""
    from keras import layers

    return saved(folder, *convolutions([layers.Lambda(lambda x: x * 2)]), images(folder))


def open_shape(folder: Path) -> Made:
    """Keras: an input of open height and width."""
    import keras
    from keras import layers

    taken = keras.Input((None, None, 3))
    x = layers.Conv2D(32, 3, activation="relu")(layers.Conv2D(16, 3, activation="relu")(taken))
    given = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return saved(folder, taken, given, images(folder))


def saved_model(folder: Path) -> Made:
    """SavedModel: no signature, a function that was saved with its shapes."""
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            self.weights = tf.Variable(RANDOM.random((20, 64)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec((None, 20), name="x")])  # type: ignore[untyped-decorator]
        def encode(self, x: Any) -> Any:
            return tf.nn.relu(x @ self.weights)

    tf.saved_model.save(Module(), str(folder / "saved"), signatures={})
    x = RANDOM.random((SAMPLES, 20), np.float32)
    return Made(str(folder / "saved"), stored(folder, x, None), {"signature": "encode"})


def halves(folder: Path) -> Made:
    """.tflite: float16 weights, as others make them."""
    import keras
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(*convolutions()))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    (folder / "model.tflite").write_bytes(converter.convert())
    return Made(str(folder / "model.tflite"), images(folder))


def pytorch(folder: Path) -> Made:
    """PyTorch: a Python file with get_model()."""
    (folder / "net.py").write_text(NET)
    return Made(str(folder / "net.py"), channels_first(folder))


def onnx(folder: Path) -> Made:
    """ONNX: a convolutional classifier."""
    python = environments.require(environments.CONVERTERS["onnx"], "net.onnx")
    subprocess.run([python, "-c", MAKE_ONNX, folder / "net.onnx"], check=True)
    return Made(str(folder / "net.onnx"), channels_first(folder))


def channels_first(folder: Path) -> str:
    """Noise as PyTorch has images."""
    x = RANDOM.random((SAMPLES, 3, 16, 16), np.float32)
    return stored(folder, x, RANDOM.integers(0, 4, SAMPLES))


MODELS: tuple[Callable[[Path], Made], ...] = (
    augmented, old_format, mixed, wide, tokens, lstm, gru, bidirectional, transformer, segmentation,
    regression, binary, several, texts, own_layer, subclassed, open_shape, unknown_layer,
    lambda_layer, saved_model, halves, pytorch, onnx,
)  # fmt: skip


def made_in(folder: Path, make: Callable[[Path], Made]) -> Made:
    """The model and its data, made once: a later piece finds the same files."""
    note = folder / "made.json"
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(asdict(make(folder))))
    return Made(**json.loads(note.read_text()))


def ask(made: Made, name: str, recipe: str, compressor: Compressor) -> dict[str, Any]:
    """What becomes of one recipe: the file's bytes, or the reason why there is none."""
    spec = ModelSpec(name=name, source=made.source, data=made.data, **made.settings)
    said: dict[str, Any] = {"model": name, "recipe": recipe}
    try:
        outcome = compressor.make([(spec, parse_recipe(RECIPES[recipe]))])
    except MobileBenchError as error:
        return said | {"reason": plain(str(error), made, name)}
    for failure in outcome.failures:
        said |= {"reason": plain(failure.reason, made, name)}
    for artifact in outcome.artifacts:
        said |= {"bytes": artifact.bytes, "warnings": list(artifact.warnings)}
    return said


def plain(reason: str, made: Made, name: str) -> str:
    """A sentence without this machine's folders, and without the recipe that it is said of."""
    for path in (made.source, made.data):
        reason = reason.replace(path, Path(path).name)
    reason = reason.removeprefix(f"model {name!r}: ")
    return re.sub(r"^recipe '[^']*' ", "it ", reason)


def table(lines: Sequence[dict[str, Any]]) -> list[str]:
    """A row a model: the files' shares of float32's, or the numbers of sentences below."""
    found = {(line["model"], line["recipe"]): line for line in lines}
    reasons: list[str] = []

    def cell(name: str, recipe: str) -> str:
        line = found.get((name, recipe))
        if line is None:
            return "not asked"
        if "reason" in line:
            if line["reason"] not in reasons:
                reasons.append(line["reason"])
            return f"({reasons.index(line['reason']) + 1})"
        whole = found[name, "float32"].get("bytes")
        if recipe == "float32" or not whole:
            return f"{line['bytes'] / 1000:.1f} KB"
        return f"{100 * line['bytes'] / whole:.0f} %"

    rows = [f"| model | {' | '.join(f'`{recipe}`' for recipe in RECIPES)} |"]
    rows.append("|" + "---|" * (1 + len(RECIPES)))
    for make in MODELS:
        cells = [cell(make.__name__, recipe) for recipe in RECIPES]
        rows.append(f"| {' | '.join([str(make.__doc__).rstrip('.'), *cells])} |")
    return [*rows, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]


def main() -> None:
    """Asks what has not been asked, and prints the table; writes it once it is whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="ask these models, anew")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing after")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/models"))
    arguments = parser.parse_args()
    heading("models of users' shapes through all recipes")
    for name in ("torch", "onnx"):
        if environments.python_of(environments.CONVERTERS[name]) is None:
            sys.exit(f"no {name} environment: mobilebench converters --install {name}")
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "outcomes.jsonl", {"versions": host.versions()}, "versions")
    only = set(arguments.only or ())
    journal.drop(lambda line: line["model"] in only)
    end = time.monotonic() + 60 * arguments.minutes
    there = {(line["model"], line["recipe"]) for line in journal.lines}
    left = [(make, r) for make in MODELS for r in RECIPES if (make.__name__, r) not in there]
    with Compressor(seed=0, cache=folder / "cache", on_progress=lambda _: None) as compressor:
        for make, recipe in left:
            if time.monotonic() > end:
                sys.exit("more is left to ask: start it again")
            made = made_in(folder / make.__name__, make)
            journal.keep(ask(made, make.__name__, recipe, compressor))
    rows = "\n".join(table(journal.lines))
    print(rows)
    write_atomically(PAGE, f"{INTRODUCTION}{rows}\n".encode())


INTRODUCTION = """# Which model takes which recipe

Small networks of the shapes that people have, through every recipe: the file's share of the float32
file, or the sentence with which it is refused. They are hardly trained: this says what can be
applied, not what it costs in accuracy, and of networks so small a file may even grow. Written by
`python benchmarks/models.py`.

"""

if __name__ == "__main__":
    main()
