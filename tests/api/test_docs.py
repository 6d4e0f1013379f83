"""The examples of docs/api.md, run one after the other as a reader would."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.models import BASELINE

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_examples_run(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(examples) >= 6
    shutil.copy(BASELINE, tmp_path / "old.tflite")
    shutil.copy(BASELINE, tmp_path / "new.tflite")
    (tmp_path / "suite.toml").write_text(
        '[[models]]\nname = "net"\nsource = "old.tflite"\nready = { new = "new.tflite" }\n'
    )
    (tmp_path / "examples.py").write_text("\n".join(examples), "utf-8")
    done = subprocess.run(
        [sys.executable, "examples.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    assert (tmp_path / "samples.csv").stat().st_size
    # Examples that need no TensorFlow do not mention it either.
    assert "tensorflow" not in done.stderr.lower()
