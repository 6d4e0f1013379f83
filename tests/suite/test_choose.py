"""The suite that a command line means."""

from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.suite.choose import choose_suite


def test_model_files_on_the_command_line_are_variants_of_the_first() -> None:
    suite = choose_suite([Path("a.tflite"), Path("x/b.tflite")], "d.npz", [], {"blocks": 3})
    assert [(m.name, Path(m.source).name, r.name) for m, r in suite.variants()] == [
        ("a", "a.tflite", "as_is"),
        ("a", "b.tflite", "b"),
    ]
    assert suite.protocol.blocks == 3
    assert Path(suite.models[0].data or "").is_absolute()


def test_files_of_one_name_have_names_of_their_own() -> None:
    suite = choose_suite([Path("o/m.tflite"), Path("a/m.tflite"), Path("b/m.tflite")], None, [], {})
    assert [r.name for _, r in suite.variants()] == ["as_is", "a/m", "b/m"]


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
