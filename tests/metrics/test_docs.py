"""The documentation lists the metrics that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mobilebench import metrics

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_the_registry() -> None:
    code = "import generate_metrics as g; import sys; sys.stdout.write(g.page())"
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], cwd=DOCS, capture_output=True, check=True
    )
    page = (DOCS / "metrics.md").read_text("utf-8")
    assert done.stdout.decode() == page, "python docs/generate_metrics.py writes it anew"


def test_the_page_of_the_gate_names_what_is_judged() -> None:
    text = (DOCS / "gate.md").read_text("utf-8")
    assert all(f"| `{name}` |" in text for name in metrics.judged())
