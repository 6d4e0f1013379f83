from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.compress.artifact import Artifact, Failure
from harness.products import Products, _slug


def test_the_table_shows_warnings_and_reasons_as_they_are() -> None:
    warnings = ("calibrated with random data", "outputs moved [a lot]")
    artifact = Artifact(
        "m", "int8", "0" * 64, Path("a.tflite"), 1234, 567, 560, 555, warnings=warnings
    )
    failure = Failure("m", "float16", "float16", "shape [4, 4] is wrong")
    console = Console(width=120)
    with console.capture() as capture:
        console.print(Products(((Path("m.int8.tflite"), artifact),), (failure,)).as_table())
    lines = [line.strip() for line in capture.get().splitlines()]
    row = next(i for i, line in enumerate(lines) if line.startswith("int8"))
    assert lines[row + 1 : row + 3] == [f"warning: {warning}" for warning in warnings]
    assert lines[row + 3].endswith("failed shape [4, 4] is wrong")


def test_file_names_are_short_and_different() -> None:
    assert _slug("prune(0.8) → int8") == "prune-0.8-int8"
    long = "prune(0.1, epochs=1) → " * 19
    names = {_slug(long + "int8"), _slug(long + "float16")}
    assert len(names) == 2
    assert max(map(len, names)) < 200
