"""Machines as their agent sees them."""

from pathlib import Path

import pytest

from tests.support.system_trees import plant


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
