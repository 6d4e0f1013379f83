"""Trees of /proc and /sys, planted from the texts in tests/fixtures/systems."""

from __future__ import annotations

from pathlib import Path

SYSTEMS = Path(__file__).parents[1] / "fixtures" / "systems"


def plant(name: str, root: Path) -> Path:
    """Writes a system's files below ``root``; a path that ends in ``/`` becomes a folder."""
    text = (SYSTEMS / f"{name}.txt").read_text("utf-8")
    _, *files = text.split("\n== ")
    for file in files:
        path, _, content = file.partition("\n")
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, "utf-8")
    return root
