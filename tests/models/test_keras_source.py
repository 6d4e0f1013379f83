"""Keras models as people save them: read, rebuilt where need be, or refused with the way out."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.datasets import load_dataset
from mobilebench.models.sources import find_source, load_keras

pytestmark = pytest.mark.tensorflow
X = np.random.default_rng(0).random((4, 8, 8, 3)).astype(np.float32)

OWN = """
import keras

@keras.saving.register_keras_serializable("mine")
class Net(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.seen = keras.layers.Conv2D(4, 3, activation="relu")
        self.dense = keras.layers.Dense(2)
    def call(self, x):
        return self.dense(keras.ops.mean(self.seen(x), axis=(1, 2)))

class Gain(keras.layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="gain")
    def call(self, x):
        return x * self.gain

custom_objects = {"Gain": Gain}
"""


def images(dtype: Any = None, last: Any = "float32") -> Any:
    import keras
    from keras import layers

    given = keras.Input((8, 8, 3))
    seen = layers.Rescaling(1 / 255, dtype=dtype)(given)
    seen = layers.Conv2D(4, 3, activation="relu", dtype=dtype)(seen)
    seen = layers.BatchNormalization(dtype=dtype)(seen)
    seen = layers.GlobalAveragePooling2D(dtype=dtype)(seen)
    return keras.Model(given, layers.Dense(2, activation="softmax", dtype=last)(seen))


def answers(model: Any, samples: Any) -> Any:
    return np.asarray(model(samples, training=False), np.float32)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16", "float64"])
def test_real_numbers_become_float32(tmp_path: Path, policy: str, ending: str) -> None:
    model = images(policy, "float32")
    path = tmp_path / f"m.{ending}"
    model.save(path)
    source = find_source(str(path))
    loaded = load_keras(source)
    assert source.ends == (1, 1)
    assert "convolution" in source.layer_kinds
    assert {layer.compute_dtype for layer in loaded.model.layers} == {"float32"}
    np.testing.assert_allclose(answers(loaded.model, X), answers(model, X), atol=1e-2)
    assert bool(loaded.notes) == (policy != "float32")
    assert all(policy in note for note in loaded.notes)


def test_it_begins_behind_lookups(tmp_path: Path) -> None:
    """Also where they are in a model of their own, beside other inputs."""
    import keras
    from keras import layers

    kind = keras.Input((3,), dtype="string", name="kind")
    number = keras.Input((1,), dtype="int64", name="number")
    size = keras.Input((5,), name="size")
    words = layers.StringLookup(vocabulary=["a", "b"], name="words")
    inner = keras.Sequential(
        [keras.Input((1,), dtype="int64"), layers.IntegerLookup(vocabulary=[7, 9])], name="inner"
    )
    normal = layers.Normalization(name="normal")
    normal.adapt(100 * np.random.default_rng(0).random((9, 5)))
    hidden = layers.Concatenate()(
        [
            layers.Flatten()(layers.Embedding(4, 2)(words(kind))),
            layers.Flatten()(layers.Embedding(4, 2)(inner(number))),
            normal(size),
        ]
    )
    whole = keras.Model([kind, number, size], layers.Dense(2)(hidden))
    whole.save(tmp_path / "m.keras")
    loaded = load_keras(find_source(str(tmp_path / "m.keras")))
    assert [tensor.name for tensor in loaded.model.inputs] == ["words", "inner", "size"]
    assert [str(tensor.dtype) for tensor in loaded.model.inputs] == ["int32", "int32", "float32"]
    (note,) = loaded.notes
    assert "behind StringLookup 'words' and Sequential 'inner'" in note
    sizes = np.full((1, 5), 30.0, np.float32)

    def ask(model: Any, *given: Any) -> Any:
        return np.asarray(model(list(map(keras.ops.convert_to_tensor, given)), training=False))

    wanted = ask(whole, [["b", "a", "?"]], [[9]], sizes)
    found = ask(loaded.model, [[2, 1, 0]], [[2]], sizes)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_texts_that_nothing_looks_up(tmp_path: Path) -> None:
    import keras
    from keras import layers

    given = keras.Input((1,), dtype="string")
    alone = keras.Model(given, layers.StringLookup(vocabulary=["a"])(given))
    alone.save(tmp_path / "m.keras")
    with pytest.raises(BadInputError, match="ends in a layer that looks texts or numbers up"):
        load_keras(find_source(str(tmp_path / "m.keras")))


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """A module of layers, which lies beside the models that are made of them."""
    import keras

    (tmp_path / "own.py").write_text(OWN)
    known = dict(keras.saving.get_custom_objects())
    data = load_dataset(str(tmp_path / "own.py"))
    yield data
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(known)
    sys.modules.pop("mobilebench_data_own", None)


def test_layers_of_ones_own(tmp_path: Path, own: Any) -> None:
    import keras
    from keras import layers

    assert set(own.custom_objects) == {"mine>Net", "Gain"}
    assert own.code
    net, gain = own.custom_objects["mine>Net"](), own.custom_objects["Gain"]
    net(X)
    net.save(tmp_path / "net.keras")
    given = keras.Input((8, 8, 3))
    graph = keras.Model(given, layers.Dense(2)(layers.Flatten()(gain()(given))))
    graph.save(tmp_path / "gain.keras")

    loaded = load_keras(find_source(str(tmp_path / "net.keras")))
    np.testing.assert_allclose(answers(loaded.model, X), answers(net, X), atol=1e-5)
    assert "a Net with a call() of its own" in loaded.notes[0]
    with pytest.raises(BadInputError, match=r"class 'Gain' .*custom_objects"):
        load_keras(find_source(str(tmp_path / "gain.keras")))
    keras.saving.get_custom_objects().update(own.custom_objects)  # as a recipe does
    loaded = load_keras(find_source(str(tmp_path / "gain.keras")))
    np.testing.assert_allclose(answers(loaded.model, X), answers(graph, X), atol=1e-5)


def test_layers_are_known_to_the_model_whose_data_bring_them(own: Any) -> None:
    """One process makes the variants of several models, and each may have a class of one name."""
    import keras
    from mobilebench.compress.pipeline.keras_models import KerasModels

    def known_to(custom: dict[str, Any]) -> Any:
        raw = SimpleNamespace(custom_objects=custom)
        inputs: Any = SimpleNamespace(samples=SimpleNamespace(raw=raw))
        return KerasModels(inputs, SimpleNamespace(), lambda *_: None)  # type: ignore[arg-type]

    models = [known_to(own.custom_objects), known_to({}), known_to({"Gain": print})]
    found = []
    for model in models:
        model._register()
        known = keras.saving.get_custom_objects()
        found.append((known.get("mine>Net"), known.get("Gain")))
    assert found == [
        (own.custom_objects["mine>Net"], own.custom_objects["Gain"]),
        (None, None),
        (None, print),
    ]


@pytest.mark.parametrize("wrong", ["[1]", "{'a': 1}", "{1: print}"])
def test_custom_objects_are_functions_by_name(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "d.py").write_text(f"custom_objects = {wrong}\n")
    with pytest.raises(BadInputError, match="custom_objects must be a dictionary"):
        load_dataset(str(tmp_path / "d.py"))


def test_open_shapes_are_given_or_the_datas(tmp_path: Path) -> None:
    import keras
    from keras import layers

    given = keras.Input((None, None, 1), name="image")
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(given))
    keras.Model(given, layers.Dense(2)(seen)).save(tmp_path / "m.keras")
    source = find_source(str(tmp_path / "m.keras"))
    assert load_keras(source, {"": (1, 6, 5, 1)}).model.input_shape == (None, 6, 5, 1)
    assert load_keras(source, {}, {"": (9, 8)}).model.input_shape == (None, 9, 8, 1)
    for shapes, refused in (
        ({}, "open shape"),
        ({"": (1, 6, 5, 3)}, "only what is open can be given"),
        ({"picture": (1, 6, 5, 1)}, "has no input 'picture': it has 'image'"),
    ):
        with pytest.raises(BadInputError, match=refused):
            load_keras(source, shapes)


def test_files_that_are_no_model(tmp_path: Path) -> None:
    images().save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(BadInputError, match="holds weights only"):
        load_keras(find_source(str(tmp_path / "w.weights.h5")))
    (tmp_path / "torn.h5").write_bytes(b"text")
    with pytest.raises(BadInputError, match="no HDF5 file"):
        find_source(str(tmp_path / "torn.h5"))
