"""SavedModels of several signatures and of open shapes."""

from pathlib import Path

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
