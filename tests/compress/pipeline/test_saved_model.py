"""SavedModels of several signatures and of open shapes."""

from pathlib import Path

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.tflite import interface

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="image")])
        def mean(self, image):
            return {"mean": tf.reduce_mean(image, [1, 2])}

        @tf.function(input_signature=[tf.TensorSpec((1, 4), name="x")])
        def double(self, x):
            return {"y": x * 2}

    path, module = tmp_path_factory.mktemp("saved"), Two()
    tf.saved_model.save(
        module, str(path), signatures={"mean": module.mean, "double": module.double}
    )
    return path


def test_a_chosen_signature_on_a_given_shape(folder: Path, tmp_path: Path) -> None:
    from mobilebench.compress.pipeline.convert import SavedModel

    model = SavedModel(folder, "mean", {"image": (1, 6, 5, 3)})
    found = interface.read(model.convert(tmp_path), "m")
    assert [end.shape for end in (*found.inputs, *found.outputs)] == [(1, 6, 5, 3), (1, 3)]
    SavedModel(folder, "double")


@pytest.mark.parametrize(
    ("signature", "shapes", "refused"),
    [
        (None, {}, "no signature 'serving_default': it has 'mean', 'double'; choose with"),
        ("mode", {}, "no signature 'mode': it has"),
        ("mean", {}, "open shape (None, None, None, 3) at input 'image'; give one with shapes"),
        ("mean", {"": (1, 6, 5, 4)}, "the shape [1, 6, 5, 4] was given"),
        ("double", {"z": (1, 4)}, "no input 'z': it has 'x'"),
    ],
)
def test_what_it_does_not_have(
    folder: Path, signature: str | None, shapes: dict[str, tuple[int, ...]], refused: str
) -> None:
    from mobilebench.compress.pipeline.convert import SavedModel

    with pytest.raises(BadInputError) as caught:
        SavedModel(folder, signature, shapes)
    assert refused in str(caught.value)


def test_functions_without_signatures(tmp_path: Path) -> None:
    """Taken where they were saved with their shapes, the one for inference of several traces."""
    from mobilebench.compress.pipeline.convert import SavedModel

    class Plain(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
        def double(self, x):
            return x * 2

        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
        def triple(self, x):
            return x * 3

        @tf.function
        def __call__(self, x, training):
            return x + 1 if training else x

    module = Plain()
    for training in (True, False):
        module(tf.zeros((1, 4)), training)
    tf.saved_model.save(module, str(tmp_path / "two"))
    model = SavedModel(tmp_path / "two", "double")
    (answer,) = model.run([np.ones(4, np.float32)]).values()
    np.testing.assert_array_equal(answer, 2 * np.ones((1, 4)))
    model = SavedModel(tmp_path / "two", "__call__")
    assert interface.read(model.convert(tmp_path), "m").inputs[0].shape == (1, 4)
    (answer,) = model.run([np.ones(4, np.float32)]).values()
    np.testing.assert_array_equal(answer, np.ones((1, 4)))
    with pytest.raises(BadInputError, match="it has '__call__', 'double', 'triple'; choose"):
        SavedModel(tmp_path / "two")
    tf.saved_model.save(tf.Module(), str(tmp_path / "none"))
    with pytest.raises(BadInputError, match="it has none, and no function"):
        SavedModel(tmp_path / "none")


def test_shapes_of_the_data_and_what_nothing_converts(folder: Path, tmp_path: Path) -> None:
    from mobilebench.compress.pipeline.convert import SavedModel
    from mobilebench.errors import StepError

    model = SavedModel(folder, "mean", samples={"": (6, 5, 3)})
    assert interface.read(model.convert(tmp_path), "m").inputs[0].shape == (1, 6, 5, 3)

    class Texts(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="text")])
        def length(self, text):
            return tf.strings.length(text)

        @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float64, name="x")])
        def wide(self, x):
            return tf.linalg.matmul(x, tf.ones((4, 2), tf.float64))

    module = Texts()
    functions = {"length": module.length, "wide": module.wide}
    tf.saved_model.save(module, str(tmp_path / "texts"), signatures=functions)
    with pytest.raises(BadInputError, match=r"takes texts at input 'text'.* signature: wide"):
        SavedModel(tmp_path / "texts", "length")
    with pytest.raises(StepError, match="no built-in operator computes MatMul on float64"):
        SavedModel(tmp_path / "texts", "wide").convert(tmp_path)
