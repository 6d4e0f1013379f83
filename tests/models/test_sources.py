from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.sources import find_source, find_student, load_keras
from mobilebench.models.spec import ModelSpec
from mobilebench.models.zoo import ZOO


def test_zoo_models_are_told_apart() -> None:
    digests = {find_source(f"zoo:{name}").digest for name in ZOO}
    assert len(digests) == len(ZOO)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.tflite", None, "does not exist"),
        ("m.tflite", b"", "it is empty"),
        ("m.tflite", b"1234ABCD5678", "lacks the identifier TFL3"),
        ("m.keras", b"text", "no zip archive"),
        ("m.pb", b"text", "unknown format"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        find_source(str(path))
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_folder_must_be_a_saved_model(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no saved_model\.pb"):
        find_source(str(tmp_path))


def test_unknown_zoo_model() -> None:
    with pytest.raises(BadInputError, match=r"has no model .lenet.; did you mean lenet-5"):
        find_source("zoo:lenet")


def test_students(tmp_path: Path) -> None:
    teacher = ModelSpec(name="t", source="zoo:digits-teacher")
    student = find_student(teacher, find_source(teacher.source))
    assert student is not None
    assert student.text == "zoo:digits-student"
    lenet = ModelSpec(name="l", source="zoo:lenet-5")
    assert find_student(lenet, find_source(lenet.source)) is None
    (tmp_path / "s.tflite").write_bytes(b"0000TFL3")
    wrong = ModelSpec(name="w", source="zoo:lenet-5", student=str(tmp_path / "s.tflite"))
    with pytest.raises(BadInputError, match="cannot be trained"):
        find_student(wrong, find_source(wrong.source))


@pytest.mark.tensorflow
def test_keras_files(tmp_path: Path) -> None:
    import keras

    def load(model: keras.Model) -> keras.Model:
        model.save(tmp_path / "m.keras")
        return load_keras(find_source(str(tmp_path / "m.keras"))).model

    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert load(plain).input_shape == (None, 3)

    unsafe = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    with pytest.raises(BadInputError, match="stores Python code"):
        load(unsafe)

    with pytest.raises(BadInputError, match="has no defined input: begin it with keras"):
        load(keras.Sequential([keras.layers.Dense(2)]))

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(BadInputError, match="uses class 'Own' of its own, whose code"):
        load(keras.Sequential([keras.Input((3,)), Own()]))

    with pytest.raises(BadInputError, match=r"open shape .* at input"):
        load(keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(2)]))

    two = {"a": keras.Input((3,), name="a"), "b": keras.Input((3,), name="b")}
    both = load(keras.Model(two, [keras.layers.Add()(list(two.values()))]))
    assert [tensor.name for tensor in both.inputs] == ["a", "b"]
    assert isinstance(both.input, list)
    assert find_source(str(tmp_path / "m.keras")).ends == (2, 1)
    load(keras.Model(two["a"], [two["a"], keras.layers.ReLU()(two["a"])]))
    assert find_source(str(tmp_path / "m.keras")).ends == (1, 2)
    load(plain)
    assert find_source(str(tmp_path / "m.keras")).ends == (1, 1)

    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(BadInputError, match="cannot be loaded by Keras"):
        load_keras(find_source(str(tmp_path / "empty.keras")))


def test_a_model_of_a_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "face.task"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("detector.tflite", b"0000TFL3")
        archive.writestr("more/marks.tflite", b"1111TFL3")
        archive.writestr("geometry.binarypb", b"")
    source = find_source(str(bundle / "more/marks.tflite"))
    assert source.kind == "tflite"
    assert source.read() == b"1111TFL3"
    assert source.name == "marks.tflite"
    with pytest.raises(BadInputError, match=r"it holds detector\.tflite, more/marks\.tflite; name"):
        find_source(str(bundle))
    with pytest.raises(BadInputError, match=r"no model 'marks\.tflite': did you mean more/marks"):
        find_source(str(bundle / "marks.tflite"))
