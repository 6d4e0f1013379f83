from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models import datasets, images
from mobilebench.models.datasets import load_dataset
from mobilebench.models.inputs import choose, fit_inputs
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
    assert data.train[0].shape == (8000, 28, 28)
    assert np.bincount(data.evaluation[1]).sum() == 2000
    flat = data.for_model((784,), 10)
    square = data.for_model((28, 28, 1), 10)
    assert flat.train is not None
    assert square.train is not None
    assert flat.train[0].dtype == np.float32
    assert flat.train[0].max() == 1
    np.testing.assert_array_equal(flat.train[0][5], square.train[0][5].ravel())
    assert flat.digest == load_dataset("mnist-subset").digest


def test_every_name_that_a_suite_may_use_is_known() -> None:
    known = {*datasets._SHIPPED, *images.NAMES, "random"}
    assert set(NAMED_DATASETS) == known


def test_spoken_digits_are_levels_of_sound() -> None:
    data = load_dataset("spoken-digits").for_model((49, 10, 1), 10)
    assert data.train is not None
    assert data.evaluation is not None
    assert data.train[0].shape == (2700, 49, 10, 1)
    assert data.train[0].min() == 0
    assert data.train[0].max() == 1
    assert np.bincount(data.evaluation[1]).tolist() == [30] * 10


def test_messages_are_token_numbers_and_none_is_in_both_parts() -> None:
    data = load_dataset("sms-spam").for_model((32,), 2)
    assert data.train is not None
    assert data.evaluation is not None
    assert data.train[0].max() == 2047
    assert (data.train[0] == np.rint(data.train[0])).all()
    trained = {row.tobytes() for row in data.train[0]}
    assert not trained & {row.tobytes() for row in data.evaluation[0]}


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
    np.testing.assert_array_equal(data.evaluation[0], garments)
    assert data.evaluation[1].tolist() == [3, 9]


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
    source = saved(tmp_path, **{"x_calibration/image": X, "x_calibration/tokens": tokens})
    named = load_dataset(source).named
    assert named is not None
    wanted = {"tokens": ((1,), np.int32), "image": ((2, 2, 1), np.float32)}
    fitted = fit_inputs(named, wanted, source)
    assert {name: (x.shape, x.dtype) for name, x in fitted.items()} == {
        "tokens": ((6, 1), np.int32),
        "image": ((6, 2, 2, 1), np.float32),
    }
    chosen = choose(fitted, 4, seed=0)
    assert len(chosen) == 4
    for sample in chosen:  # what belongs together stays together
        np.testing.assert_array_equal(sample["image"].ravel(), X[int(sample["tokens"][0])].ravel())
    assert [s["tokens"].tolist() for s in chosen] == [
        s["tokens"].tolist() for s in choose(fitted, 4, seed=0)
    ]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x_calibration/a": X, "x_calibration/b": Y[:3]}, "6 samples for input 'a' and 3 for 'b'"),
        ({"x_calibration/a": X, "x_train": X, "y_train": Y}, "has x_train, and samples by input"),
        ({"x_train/a": X, "y_train": Y}, "has x_train/a, and samples by input are for calibration"),
        ({"x_calibration/a": X + np.inf}, "x_calibration/a has NaN or infinite"),
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
        ({"a": X[:, 0], "b": Y}, r"a has samples of shape \(2,\), and the model takes \(2, 2\)"),
        ({"a": X, "b": Y + 0.5}, "b must hold whole numbers, since the model takes int8"),
        (
            {"a": X, "b": Y * 1000},
            r"b has whole numbers from 0 to 2000, and .* takes int8, -128 to 127",
        ),
        ({"a": X.astype(float) + 1e39, "b": Y}, "a has values beyond the range of float32"),
    ],
)
def test_samples_by_input_that_do_not_fit(named: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        fit_inputs(named, {"a": ((2, 2), np.float32), "b": ((1,), np.int8)}, "data.npz")


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
        assert fitted.max() == pytest.approx(largest)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x_train": X}, "has x_train but no y_train"),
        ({"y_test": Y}, "has y_test but no x_test"),
        ({"x_train": X, "y_train": Y[:3]}, "y_train has 3 labels for the 6 samples"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "x_train is empty"),
        ({"x_train": X * np.nan, "y_train": Y}, "x_train has NaN"),
        ({"x_train": X, "y_train": Y - 1}, "y_train has label -1"),
        ({"x_train": X, "y_train": Y / 2}, "whole class index"),
        ({"x_train": X, "y_train": np.eye(6, dtype=int)}, "whole class index"),
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
    assert data.calibration.shape == (5, 2, 2)
    assert data.train is not None
    assert data.train[1].tolist() == [0, 1, 1]
    assert data.evaluation is not None
    assert data.evaluation[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "must define get_calibration_data"),
        ("1 / 0", "failed with ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "failed with SystemExit: 3"),
        ("raise KeyboardInterrupt", "failed with KeyboardInterrupt"),
        ("def get_calibration_data(): return []", "at least one sample"),
        ("def get_calibration_data(): return 3", "array or an iterable"),
        ("def get_calibration_data(): return [{'a': 1}, {'b': 1}]", "every sample the same inputs"),
        ("def get_calibration_data(): return [[1], [1, 2]]", "samples of one shape"),
        ("def get_evaluation_data(): return [1, 2, 3]", "samples and labels"),
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
def test_python_files_with_several_inputs(tmp_path: Path, code: str) -> None:
    data = load_dataset(python_file(tmp_path, f"def get_calibration_data(): {code}\n"))
    assert data.named is not None
    assert data.named["image"].shape == (5, 4)
    assert data.named["tokens"].tolist() == [0, 1, 2, 3, 4]
    assert data.calibration is None


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
    assert data.calibration.tolist() == [[3, 3, 3, 3]]


def test_samples_beyond_float32(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, x_calibration=np.full((2, 3), 1e300)))
    with pytest.raises(BadInputError, match="samples with values beyond the range of float32"):
        data.for_model((3,), None)


def test_archives_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = saved(tmp_path, x_calibration=np.zeros((100, 3)))
    monkeypatch.setattr(datasets, "_LARGEST_ARCHIVE", 2000)
    with pytest.raises(BadInputError, match="unpacks to 0 GiB, and"):
        load_dataset(source)


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
