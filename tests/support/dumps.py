"""What devices print, as recorded or written after their sources."""

from __future__ import annotations

from pathlib import Path

DUMPS = Path(__file__).parents[1] / "devices" / "dumps"


def dump(name: str) -> str:
    """A dump's text without the lines that say where it is from."""
    lines = (DUMPS / f"{name}.txt").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# "))
