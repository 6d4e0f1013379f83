"""The examples of docs/api.md and the notebook, run one after the other as a reader would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.models import BASELINE, CANDIDATE

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "api.md"
NOTEBOOK = DOCS / "examples" / "runs.ipynb"


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


def test_the_notebook_runs(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    # Outputs would be somebody's numbers.
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    shutil.copy(BASELINE, tmp_path / "old.tflite")
    shutil.copy(CANDIDATE, tmp_path / "new.tflite")
    # A notebook shows what the last line of a cell comes to.
    (tmp_path / "cells.py").write_text("\n".join([*code, "figure.savefig('trials.png')"]), "utf-8")
    done = subprocess.run(
        [sys.executable, "cells.py"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^(PASS|FAIL|INCONCLUSIVE|INVALID)$", done.stdout, re.MULTILINE)
    assert (tmp_path / "trials.png").stat().st_size
