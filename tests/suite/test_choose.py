"""The suite that a command line means."""

import shutil
from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.suite.choose import choose_suite

from tests.support.models import MODELS


def copies(folder: Path, *names: str, of: str = "small.tflite") -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(MODELS / of, folder / name)
    return [folder / name for name in names]


def test_model_files_on_the_command_line_are_variants_of_the_first(tmp_path: Path) -> None:
    files = copies(tmp_path, "a.tflite", "x/b.tflite")
    suite = choose_suite(files, "d.npz", [], {"blocks": 3})
    assert [(m.name, Path(m.source).name, r.name) for m, r in suite.variants()] == [
        ("a", "a.tflite", "as_is"),
        ("a", "b.tflite", "b"),
    ]
    assert suite.protocol.blocks == 3
    assert Path(suite.models[0].data or "").is_absolute()


def test_files_of_one_name_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copies(tmp_path, "o/m.tflite", "a/m.tflite", "b/m.tflite")
    suite = choose_suite([Path("o/m.tflite"), Path("a/m.tflite"), Path("b/m.tflite")], None, [], {})
    assert [r.name for _, r in suite.variants()] == ["as_is", "a/m", "b/m"]


def test_files_of_other_interfaces_are_models_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copies(tmp_path, "a/m.tflite", "b/small.tflite")
    copies(tmp_path, "b/int8.tflite", of="small_int8.tflite")
    copies(tmp_path, "b/m.tflite", "c/words.tflite", of="look_up.tflite")
    files = ["a/m", "b/m", "b/small", "c/words", "b/int8"]
    suite = choose_suite([Path(f"{file}.tflite") for file in files], None, [], {})
    assert [(m.name, r.name) for m, r in suite.variants()] == [
        ("a/m", "as_is"),
        ("a/m", "small"),
        ("a/m", "int8"),
        ("b/m", "as_is"),
        ("b/m", "words"),
    ]


def test_a_given_shape_and_signature(tmp_path: Path) -> None:
    (file,) = copies(tmp_path, "m.tflite", of="open_image.tflite")
    suite = choose_suite([file], shapes={"": (1, 8, 8, 3)}, signature="serving_default")
    assert suite.models[0].shapes == {"": (1, 8, 8, 3)}
    assert suite.models[0].signature == "serving_default"


def test_a_missing_suite(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no suite file"):
        choose_suite([tmp_path / "none.toml"], None, [], {})


def test_a_suite_file_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text('[[models]]\nname = "m"\nsource = "m.tflite"\n')
    with pytest.raises(BadInputError, match="stands alone"):
        choose_suite([path], "d.npz", [], {})


def test_only_tflite_files_can_be_compared_as_they_are() -> None:
    with pytest.raises(BadInputError, match=r"only \.tflite files can"):
        choose_suite([Path("a.tflite"), Path("b.keras")], None, [], {})


def test_an_accelerator_takes_the_place_of_the_suites_runtimes(tmp_path: Path) -> None:
    (file,) = copies(tmp_path, "m.tflite")
    (runtime,) = choose_suite([file], overrides={"accelerator": "gpu"}).runtimes
    assert (runtime.name, runtime.accelerator, runtime.threads) == ("gpu", "gpu", 1)
    (runtime,) = choose_suite([file], overrides={"accelerator": "cpu", "threads": 2}).runtimes
    assert (runtime.name, runtime.accelerator, runtime.threads) == ("cpu-2", "cpu", 2)
