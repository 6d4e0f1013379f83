"""Whatever somebody writes into a suite or a policy: it is one, or one sentence names the key."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mobilebench.errors import BadInputError
from mobilebench.suite import policy, schema

from tests.support.fuzz import corpus, fuzz, kept
from tests.support.mutate import mutated_bytes, mutated_document

HOME = Path(__file__).parents[2]
SUITES = [path.read_bytes() for path in sorted(HOME.joinpath("suites").rglob("*.toml"))]
POLICIES = [
    b'[latency]\nmargin = 0.03\n[memory]\nenabled = false\n[quality]\nmargin = "1 %"\n',
    b"[answers]\nsnr_db = 30\n",
]


def read(content: bytes) -> None:
    """As a suite and as a policy, each from a file."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, "suite.toml")
        path.write_bytes(content)
        for reader in (suite_of, policy.read_policy):
            try:
                reader(path)
            except BadInputError as error:
                ensure_short(error)


def suite_of(path: Path) -> None:
    check(schema.read_suite(path))


def check(document: Any) -> None:
    for validate in (
        lambda: schema.validate(document, "suite.toml", Path()),
        lambda: policy.validate(document, "policy.toml"),
    ):
        try:
            validate()
        except BadInputError as error:
            ensure_short(error)


def ensure_short(error: BadInputError) -> None:
    assert len(str(error)) < 3000


@pytest.mark.parametrize("path", corpus("suites"), ids=lambda path: path.stem)
def test_suites_that_once_broke_something(path: Path) -> None:
    read(path.read_bytes())


@fuzz(150)
def test_any_file_is_a_suite_or_is_refused(number: int) -> None:
    random = Random(number)
    content = mutated_bytes(random.choice(SUITES + POLICIES), random)
    with kept(content, ".toml"):
        read(content)


@fuzz(300)
def test_any_table_is_a_suite_or_is_refused(number: int) -> None:
    random = Random(number)
    document = tomllib.loads(random.choice(SUITES + POLICIES).decode())
    changed = mutated_document(document, random)
    if isinstance(changed, dict):
        with kept(repr(changed).encode("utf-8", "replace"), ".txt"):
            check(changed)
