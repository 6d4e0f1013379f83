"""Trees of /proc and /sys, planted from the texts in tests/fixtures/systems."""

from pathlib import Path

import pytest

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


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    return plant("written-phone", tmp_path / "phone")


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    return plant("written-laptop", tmp_path / "laptop")


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return plant("written-board", tmp_path / "board")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return plant("written-hostile", tmp_path / "hostile")
