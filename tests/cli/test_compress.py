from __future__ import annotations

from pathlib import Path

from mobilebench.cli.compress import show
from mobilebench.compress.artifact import Artifact, Failure
from rich.console import Console


def test_files_stand_with_their_warnings_and_failures_with_their_step() -> None:
    warnings = ("calibrated with random data", "outputs moved [a lot]")
    path = Path("a-folder-with-a-long-name") / ("m." + "prune-0.5-" * 10 + "int8.tflite")
    sizes = {"file": 1234, "gzip": 567, "zstd": 560, "xz": 555}
    artifact = Artifact("m", "int8", "0" * 64, path, sizes, warnings=warnings)
    failure = Failure("m", "prune(0.5) → float16", "float16", "shape [4, 4] is wrong")
    console = Console(width=80)
    with console.capture() as capture:
        show(console, [artifact], [failure])
    lines = [line.strip() for line in capture.get().splitlines()]
    assert ["int8", "1,234", "567", "560", "555"] in [line.split() for line in lines]
    place = lines.index(str(path))
    assert lines[place + 1 : place + 3] == [f"warning: {warning}" for warning in warnings]
    assert lines[place + 3 :] == ["not made prune(0.5) → float16", "float16: shape [4, 4] is wrong"]


def test_what_is_to_be_said_of_every_file_is_said_once() -> None:
    def made(recipe: str, *warnings: str) -> Artifact:
        path = Path(f"m.{recipe}.tflite")
        return Artifact("m", recipe, "0" * 64, path, {"file": 4}, warnings=warnings)

    console = Console(width=80)
    with console.capture() as capture:
        files = [made("int8", "noise", "random weights"), made("float16", "random weights")]
        show(console, files, [])
    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[-4:] == [
        "m.int8.tflite",
        "warning: noise",
        "m.float16.tflite",
        "warning, of all: random weights",
    ]
