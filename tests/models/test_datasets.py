from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models import data_files, datasets, images, mapped
from mobilebench.models.datasets import load_dataset
from mobilebench.models.inputs import ONLY, Part, Taken, fit_part
from mobilebench.models.spec import NAMED_DATASETS

X = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path / "data.npz", **arrays)
    return str(path / "data.npz")


def test_shipped_digits() -> None:
    data = load_dataset("mnist-subset")
    assert data.name == "mnist-subset"
    assert data.train is not None
    assert data.evaluation is not None
    assert data.train.x.shape == (8000, 28, 28)
    assert np.bincount(data.evaluation.y).sum() == 2000
    flat = data.for_model((784,), 10)
    square = data.for_model((28, 28, 1), 10)
    assert flat.train is not None
    assert square.train is not None
    assert flat.train.x.dtype == np.float32
    assert flat.train.x.max() == 1
    np.testing.assert_array_equal(flat.train.x[5], square.train.x[5].ravel())
    assert flat.digest == load_dataset("mnist-subset").digest


def test_every_name_that_a_suite_may_use_is_known() -> None:
    known = {*datasets._SHIPPED, *images.NAMES, "random"}
    assert set(NAMED_DATASETS) == known


def test_spoken_digits_are_levels_of_sound() -> None:
    data = load_dataset("spoken-digits").for_model((49, 10, 1), 10)
    assert data.train is not None
    assert data.evaluation is not None
    assert data.train.x.shape == (2700, 49, 10, 1)
    assert data.train.x.min() == 0
    assert data.train.x.max() == 1
    assert np.bincount(data.evaluation.y).tolist() == [30] * 10


def test_messages_are_token_numbers_and_none_is_in_both_parts() -> None:
    data = load_dataset("sms-spam").for_model((32,), 2)
    assert data.train is not None
    assert data.evaluation is not None
    assert data.train.x.max() == 2047
    assert (data.train.x == np.rint(data.train.x)).all()
    trained = {row.tobytes() for row in data.train.x}
    assert not trained & {row.tobytes() for row in data.evaluation.x}


def idx(path: Path, array: np.ndarray[Any, np.dtype[np.uint8]], kind: int = 8) -> None:
    head = bytes([0, 0, kind, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(head + array.tobytes()))


def test_fashion_mnist_is_read_from_debians_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    garments = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    for part in ("train", "t10k"):
        idx(tmp_path / f"{part}-images-idx3-ubyte.gz", garments)
        idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.array([3, 9], dtype=np.uint8))
    monkeypatch.setattr(images, "_DEBIAN", tmp_path)
    data = load_dataset("fashion-mnist")
    assert data.name == "fashion-mnist"
    assert data.evaluation is not None
    np.testing.assert_array_equal(data.evaluation.x, garments)
    assert data.evaluation.y.tolist() == [3, 9]


def test_torn_idx_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    idx(path, np.zeros((2, 2), dtype=np.uint8), kind=9)  # of another type
    with pytest.raises(BadInputError, match="no IDX file"):
        images.read_idx(path)
    idx(path, np.zeros((2, 2), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInputError, match="cannot be read"):
        images.read_idx(path)
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x09short"))
    with pytest.raises(BadInputError, match="torn"):
        images.read_idx(path)


def test_digest_tells_contents_apart(tmp_path: Path) -> None:
    first = load_dataset(saved(tmp_path, x_train=X, y_train=Y)).digest
    assert load_dataset(saved(tmp_path, x_train=X, y_train=Y)).digest == first
    assert load_dataset(saved(tmp_path, x_train=X + 1, y_train=Y)).digest != first


def test_samples_by_input(tmp_path: Path) -> None:
    tokens = np.arange(6)[:, None]
    source = saved(
        tmp_path,
        **{"x_calibration/image": X, "x_calibration/tokens": tokens},
        **{"x_test/image": X, "x_test/tokens": tokens, "y_test": Y},
    )
    data = load_dataset(source)
    wanted = {
        "tokens": Taken((1,), np.dtype(np.int32)),
        "image": Taken((2, 2, 1), np.dtype(np.float32)),
    }
    for part in (data.calibration, data.evaluation):
        assert part is not None
        fitted = fit_part(part, wanted, source)
        assert {name: (x.shape, x.dtype) for name, x in fitted.inputs.items()} == {
            "tokens": ((6, 1), np.int32),
            "image": ((6, 2, 2, 1), np.float32),
        }
        assert list(fitted.inputs) == ["tokens", "image"]  # in the model's order
        chosen = fitted.drawn(4, seed=0).samples()
        assert len(chosen) == 4
        for sample in chosen:  # what belongs together stays together
            assert isinstance(sample, dict)
            np.testing.assert_array_equal(
                sample["image"].ravel(), X[int(sample["tokens"][0])].ravel()
            )
    assert data.evaluation is not None
    drawn, again = (data.evaluation.drawn(4, seed=0) for _ in range(2))
    np.testing.assert_array_equal(drawn.y, again.y)
    assert drawn.y.tolist() == Y[drawn.inputs["tokens"][:, 0]].tolist()


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x_calibration/a": X, "x_calibration/b": Y[:3]}, "6 samples for input 'a' and 3 for 'b'"),
        ({"x_test/a": X, "x_test/b": Y[:3]}, "6 samples for input 'a' and 3 for 'b'"),
        ({"x_test/a": X, "x_test": X}, "has x_test and x_test/a: give samples by input, or"),
        ({"x_calibration/a": X + np.inf}, "x_calibration/a has NaN or infinite"),
        ({"x_test/a": X, "y_test": Y[:3]}, "y_test has 3 labels for the 6 samples of x_test"),
    ],
)
def test_bad_samples_by_input(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load_dataset(saved(tmp_path, **arrays))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"a": X}, r"no samples for input 'b'; the model's inputs are a \(2, 2\), b \(1,\)"),
        ({"a": X, "b": Y, "c": Y}, "samples for the unknown input 'c'"),
        ({ONLY: X}, "x_test has samples for one input, and the model has 2: give x_test/NAME for"),
        ({"a": X[:, 0], "b": Y}, r"a has samples of shape \(2,\), and the model takes \(2, 2\)"),
        ({"a": X, "b": Y + 0.5}, "b must hold whole numbers, since the model takes int8"),
        (
            {"a": X, "b": Y * 1000},
            r"b has whole numbers from 0 to 2000, and .* takes int8, -128 to 127",
        ),
        ({"a": X.astype(float) + 1e39, "b": Y}, "values beyond the range of float32"),
    ],
)
def test_samples_by_input_that_do_not_fit(named: dict[str, Any], sentence: str) -> None:
    wanted = {"a": Taken((2, 2), np.dtype(np.float32)), "b": Taken((1,), np.dtype(np.int8))}
    with pytest.raises(BadInputError, match=sentence):
        fit_part(Part("x_test", named), wanted, "data.npz")


def test_batches_are_taken_apart_where_that_makes_them_fit() -> None:
    wanted = {"a": Taken((2, 2, 1), np.dtype(np.float32))}
    batches = Part("x_test", {ONLY: X.reshape(3, 2, 2, 2)}, Y.reshape(3, 2))
    fitted = fit_part(batches, wanted, "data.npz")
    np.testing.assert_array_equal(fitted.x[..., 0], X)
    np.testing.assert_array_equal(fitted.y, Y)
    with pytest.raises(BadInputError, match="samples of shape"):  # the labels are no batches
        fit_part(Part("x_test", batches.inputs, Y[:3]), wanted, "data.npz")


def test_calibration_never_uses_the_evaluation_samples(tmp_path: Path) -> None:
    only_test = load_dataset(saved(tmp_path, x_test=X, y_test=Y))
    assert only_test.calibration_samples(3, 0) is None
    trained = load_dataset(saved(tmp_path, x_train=X, y_train=Y, x_test=-X, y_test=Y))
    chosen = trained.calibration_samples(4, 0)
    assert chosen is not None
    assert len(chosen) == 4
    assert (chosen >= 0).all()


def test_own_integers_are_not_scaled(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, x_calibration=np.full((2, 4), 200, np.uint8)))
    for scale, largest in ((False, 200), (True, 200 / 255)):
        fitted = data.for_model((4,), None, scale=scale).calibration
        assert fitted is not None
        assert fitted.x.max() == pytest.approx(largest)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x_train": X}, "has x_train but no y_train"),
        ({"y_test": Y}, "has y_test but no x_test"),
        ({"x_train": X, "y_train": Y[:3]}, "y_train has 3 labels for the 6 samples"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "x_train is empty"),
        ({"x_train": X * np.nan, "y_train": Y}, "x_train has NaN"),
        ({"x_calibration": np.array(["a", "b"])}, "x_calibration must hold real numbers"),
        ({"x_calibration": np.array([{}])}, "plain arrays"),
        ({"images": X}, "none of the keys"),
    ],
)
def test_bad_archives(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(BadInputError) as caught:
        load_dataset(path)
    assert sentence in str(caught.value)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (Y - 1, "y_train has label -1"),
        (Y / 2, "whole class index"),
        (np.eye(6, dtype=int), "whole class index"),
        (Y + np.nan, "y_train cannot be trained by: the labels have NaN"),
    ],
)
def test_only_class_numbers_can_be_trained_by(tmp_path: Path, y: Any, sentence: str) -> None:
    data = load_dataset(saved(tmp_path, x_train=X, y_train=y))  # enough to calibrate
    with pytest.raises(BadInputError, match=sentence):
        data.for_model((2, 2), 6)


TARGETS = {
    "regression": Y / 2,
    "several targets": np.ones((6, 3)) / 3,
    "one-hot": np.eye(6, dtype=np.float32),
    "masks": np.zeros((6, 8, 8), np.uint8),
    "boxes": np.full((6, 4, 5), -1.0),
    "texts": np.array(["yes", "no", "", "ünder", "a", "b"]),
    "yes or no": np.array([True, False] * 3),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_samples_may_be_evaluated_by_labels_of_any_kind(tmp_path: Path, kind: str) -> None:
    y = TARGETS[kind]
    data = load_dataset(saved(tmp_path, x_test=X, y_test=y)).for_model((2, 2), 3)
    assert data.evaluation is not None
    assert data.evaluation.reason == ""
    np.testing.assert_array_equal(data.evaluation.y, y)


def test_samples_may_be_evaluated_without_labels(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, x_test=X))
    assert data.evaluation is not None
    assert data.evaluation.count == 6
    assert data.evaluation.labels is None


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"y_test": Y + np.nan}, "the labels have NaN"),
        ({"y_test": Y + 1j}, "these are complex128"),
        ({"y_test": np.array([["a", "b"]] * 6)}, "several texts a sample"),
        ({"y_test/a": Y, "y_test/b": Y + 1j}, "output 'b': these are complex128"),
    ],
)
def test_labels_of_no_use_leave_the_samples(
    tmp_path: Path, labels: dict[str, Any], reason: str
) -> None:
    data = load_dataset(saved(tmp_path, x_test=X, **labels))
    assert data.evaluation is not None
    assert data.evaluation.labels is None
    assert reason in data.evaluation.reason


def test_each_of_several_outputs_may_have_labels(tmp_path: Path) -> None:
    labels = {"y_test/a": Y, "y_test/b": X[:, 0]}
    found = load_dataset(saved(tmp_path, x_test=X, **labels)).evaluation
    assert found is not None
    assert (found.labels, found.reason, list(found.named)) == (None, "", ["a", "b"])
    some = found.chosen(np.array([2, 4]))
    np.testing.assert_array_equal(some.named["a"], Y[[2, 4]])
    other = saved(tmp_path, x_test=X, **labels | {"y_test/b": X[:, 0] + 1})
    assert load_dataset(other).digest != load_dataset(saved(tmp_path, x_test=X, **labels)).digest
    with pytest.raises(BadInputError, match=r"y_test/b has 2 labels for the 6 samples"):
        load_dataset(saved(tmp_path, x_test=X, **labels | {"y_test/b": Y[:2]}))


@pytest.mark.parametrize(
    "given",
    [
        "x, {'0': y, '1': x[:, 0]}",
        "x, [y, x[:, 0]]",
        "x, (y, x[:, 0])",
        "[(a, (np.int64(b), a[0])) for a, b in zip(x, y)]",
        "[(a, {'0': b, '1': a[0]}) for a, b in zip(x, y)]",
        "[(x[:4], (y[:4], x[:4, 0])), (x[4:], (y[4:], x[4:, 0]))]",
    ],
)
def test_labels_of_several_outputs_by_name_or_in_order(tmp_path: Path, given: str) -> None:
    file = tmp_path / "data.py"
    file.write_text(
        "import numpy as np\n"
        "x, y = np.arange(18.0, dtype='float32').reshape(6, 3), np.arange(6)\n"
        f"def get_evaluation_data():\n    return {given}\n"
    )
    found = load_dataset(str(file)).evaluation
    assert found is not None
    assert list(found.named) == ["0", "1"]
    np.testing.assert_array_equal(found.named["0"], np.arange(6))
    np.testing.assert_array_equal(found.named["1"], found.x[:, 0])


def test_what_is_made_does_not_depend_on_the_test_data(tmp_path: Path) -> None:
    first = load_dataset(saved(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y))
    other = load_dataset(saved(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y[::-1]))
    assert first.digest != other.digest
    assert first.making_digest == other.making_digest


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"text"])
def test_torn_archives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"cannot be read as an \.npz"):
        load_dataset(str(path))


def test_a_bare_array_is_no_archive(tmp_path: Path) -> None:
    with (tmp_path / "data.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(BadInputError, match=r"not an \.npz archive"):
        load_dataset(str(tmp_path / "data.npz"))


@pytest.mark.parametrize(
    ("name", "hint"), [("mnits", r"did you mean mnist\? It"), ("data.csv", "it")]
)
def test_unknown_data(name: str, hint: str) -> None:
    with pytest.raises(BadInputError, match=f"is unknown: {hint} must be mnist-subset"):
        load_dataset(name)


def test_missing_data() -> None:
    with pytest.raises(BadInputError, match=r"data file nowhere\.npz does not exist"):
        load_dataset("nowhere.npz")


@pytest.mark.parametrize(
    ("shape", "classes", "sentence"),
    [
        ((5,), 3, r"samples of shape \(2, 2\), and the model takes \(5,\)"),
        ((2, 2), 2, "has label 2, and the model has 2 classes"),
        ((2, 2), None, "the model is no classifier"),
    ],
)
def test_data_that_do_not_fit(
    tmp_path: Path, shape: tuple[int, ...], classes: int | None, sentence: str
) -> None:
    data = load_dataset(saved(tmp_path, x_train=X, y_train=Y))
    with pytest.raises(BadInputError, match=sentence):
        data.for_model(shape, classes)


def test_axes_are_never_swapped(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, x_calibration=np.zeros((2, 3, 8, 4))))
    with pytest.raises(BadInputError, match="samples of shape"):
        data.for_model((8, 4, 3), None)


def python_file(path: Path, code: str) -> str:
    (path / "data.py").write_text("import numpy as np\n" + code)
    return str(path / "data.py")


def test_python_file(tmp_path: Path) -> None:
    source = python_file(
        tmp_path,
        "def get_calibration_data():\n    return (np.full(4, i) for i in range(5))\n"
        "def get_evaluation_data():\n    return [(np.zeros(4), 1), (np.ones(4), 0)]\n"
        "def get_training_data():\n    return np.zeros((3, 4)), [0, 1, 1]\n",
    )
    data = load_dataset(source).for_model((2, 2), 2)
    assert data.calibration is not None
    assert data.calibration.x.shape == (5, 2, 2)
    assert data.train is not None
    assert data.train.y.tolist() == [0, 1, 1]
    assert data.evaluation is not None
    assert data.evaluation.y.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "must define get_calibration_data"),
        ("1 / 0", "failed with ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "failed with SystemExit: 3"),
        ("def get_calibration_data(): return []", "at least one sample"),
        ("def get_calibration_data(): return 3", "array or an iterable"),
        ("def get_calibration_data(): return [{'a': 1}, {'b': 1}]", "every sample the same inputs"),
        ("def get_calibration_data(): return [[1], [1, 2]]", "samples of one shape"),
        ("def get_training_data(): return [1, 2, 3]", "samples and labels"),
        ("def get_evaluation_data(): return 3", "array or an iterable"),
        ("def get_evaluation_data(): return np.zeros((2, 3)), [0]", "1 labels for the 2 samples"),
    ],
)
def test_bad_python_files(tmp_path: Path, code: str, sentence: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load_dataset(python_file(tmp_path, code))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "return {'image': np.zeros((5, 4)), 'tokens': np.arange(5)}",
        "return ({'image': np.zeros(4), 'tokens': i} for i in range(5))",
    ],
)
@pytest.mark.parametrize("part", ["calibration", "evaluation"])
def test_python_files_with_several_inputs(tmp_path: Path, code: str, part: str) -> None:
    data = load_dataset(python_file(tmp_path, f"def get_{part}_data(): {code}\n"))
    found = getattr(data, part)
    assert found.inputs["image"].shape == (5, 4)
    assert found.inputs["tokens"].tolist() == [0, 1, 2, 3, 4]


def test_python_files_may_define_dataclasses(tmp_path: Path) -> None:
    path = tmp_path / "data.py"
    path.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from typing import ClassVar\n@dataclass\nclass D:\n    n: int = 3\n"
        "    k: ClassVar[int] = 4\n"
        "def get_calibration_data(): return [[D().n] * D.k]\n"
    )
    data = load_dataset(str(path))
    assert data.calibration is not None
    assert data.calibration.x.tolist() == [[3, 3, 3, 3]]


def test_samples_beyond_float32(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, x_calibration=np.full((2, 3), 1e300)))
    with pytest.raises(BadInputError, match="samples with values beyond the range of float32"):
        data.for_model((3,), None)


def test_archives_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"x_calibration": np.zeros((100, 3))}
    monkeypatch.setattr(data_files, "_LARGEST_ARCHIVE", 2000)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    with pytest.raises(BadInputError, match="unpacks to 0 GiB, and"):
        load_dataset(str(tmp_path / "packed.npz"))
    # What is stored as it is cannot unpack to more.
    assert load_dataset(saved(tmp_path, **arrays)).calibration is not None


def test_failed_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys
    from types import SimpleNamespace

    def fail() -> None:
        raise OSError("no network")

    fake = SimpleNamespace(datasets=SimpleNamespace(mnist=SimpleNamespace(load_data=fail)))
    monkeypatch.setitem(sys.modules, "keras", fake)
    monkeypatch.setattr(images, "_KERAS_MNIST", tmp_path / "none.npz")
    with pytest.raises(BadInputError, match=r"no network.*use mnist-subset"):
        load_dataset("mnist")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_large_arrays_are_mapped_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any
) -> None:
    monkeypatch.setattr(mapped, "_LARGE", 1)
    arrays = {"x_test": X, "y_test": Y}
    save(tmp_path / "data.npz", **arrays)
    found = load_dataset(str(tmp_path / "data.npz"))
    part = found.evaluation
    assert part is not None
    assert isinstance(part.x, np.memmap) == (save is np.savez)
    np.testing.assert_array_equal(part.x, X)
    np.testing.assert_array_equal(part.y, Y)
    monkeypatch.setattr(mapped, "_LARGE", 1 << 30)
    assert load_dataset(str(tmp_path / "data.npz")).digest == found.digest


def test_a_damaged_array_is_not_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_LARGE", 1)
    np.savez(tmp_path / "data.npz", x_test=np.full((50, 4), 3.0, np.float32))
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[content.index(np.float32(3).tobytes() * 4)] ^= 1
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(BadInputError, match=r"cannot be read as an \.npz"):
        load_dataset(str(tmp_path / "data.npz"))
