"""The page of what runs where is what its script finds on this machine's runtime."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

#: One of each way to store weights.
RECIPES = (
    "float16",
    "dynamic_int8",
    "dynamic_int4(block=32)",
    "weight_only_int4",
    "int8",
    "int16x8",
    "prune(0.95, pattern='1x16') → int8 → sparse",
)
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield BENCHMARKS / "engines.py"
    for name in ("engines", "parity", "common"):
        sys.modules.pop(name, None)


def test_the_page_shows_what_the_script_found(script: Path) -> None:
    import engines

    found = json.loads(script.with_suffix(".json").read_text("utf-8"))
    assert engines.PAGE.read_text("utf-8") == engines.page(found)
    asked = {key for layers in found["cells"].values() for cell in layers.values() for key in cell}
    assert asked == set(found["engines"])
    assert set(found["cells"]) == set(engines.RECIPES)


def test_the_page_holds_for_the_runtime_of_this_machine(script: Path) -> None:
    command = [sys.executable, script, "--engines", "litert", "--check", "--recipes", *RECIPES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
