from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.laboratory import Laboratory


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    there = Laboratory(tmp_path_factory.mktemp("lab"))
    try:
        yield there
    finally:
        there.end()
