"""What CI and a release install and run is named by its hash, and is all that is asked for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BASE = PROJECT["dependencies"]
EXTRAS = PROJECT["optional-dependencies"].values()
#: An extra may take in others of our own.
ALL = [*BASE, *(n for extra in EXTRAS for n in extra if Requirement(n).name != PROJECT["name"])]
RELEASE = (ROOT / ".ci" / "release.in").read_text("utf-8").split()
BOARD = (ROOT / ".ci" / "board.in").read_text("utf-8").split()


def pins(file: str) -> dict[str, str]:
    """The version of each package in a lock, each of which has hashes."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        assert "--hash=sha256:" in line, f"{file}: {line}"
        name, _, version = line.split()[0].partition("==")
        found[canonicalize_name(name)] = version
    return found


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        ("requirements.lock", ALL),
        (".ci/release.lock", [*BASE, *RELEASE]),
        (".ci/board.lock", BOARD),
    ],
)
def test_a_lock_has_all_that_is_asked_for(file: str, asked: list[str]) -> None:
    """Else: make constraints."""
    locked = pins(file)
    for requirement in map(Requirement, asked):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{file} lacks {requirement}: make constraints"
        assert requirement.specifier.contains(version), f"{file} has {requirement.name} {version}"


def test_constraints_and_locks_agree() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    constraints = {
        canonicalize_name(name): version
        for name, _, version in (line.split()[0].partition("==") for line in lines)
    }
    assert pins("requirements.lock") == constraints
    both = pins(".ci/release.lock").keys() & constraints.keys()
    assert {name: pins(".ci/release.lock")[name] for name in both} == {
        name: constraints[name] for name in both
    }


def test_actions_of_others_are_pinned_to_a_commit() -> None:
    files = [*(ROOT / ".github").rglob("*.yml"), *ROOT.glob("action.yml")]
    used = [
        (path.name, action)
        for path in files
        for action in re.findall(r"^\s*(?:- )?uses:\s*(\S+)", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert used
    loose = [
        (name, action)
        for name, action in used
        if not action.startswith("./") and not re.search(r"@[0-9a-f]{40}$", action)
    ]
    assert loose == []


def test_ci_installs_nothing_but_by_its_hash() -> None:
    """What is built from the checkout itself has no hash, and brings nothing with it."""
    files = [ROOT / "Makefile", *(ROOT / ".ci").iterdir(), *(ROOT / ".github/workflows").iterdir()]
    commands = [
        (path.name, line.strip())
        for path in files
        if path.suffix not in (".in", ".lock")
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"\bpip\S* install\b", line)
    ]
    assert len(commands) >= 6
    # `make quickstart` is for users: it takes the pinned versions of what they need alone.
    loose = [
        (name, line)
        for name, line in commands
        if not re.search(r"--require-hashes|--no-deps .*(?:-e \.|\.whl)$", line)
        and "-c constraints.txt -e '.[agent,compress,quality]'" not in line
    ]
    assert loose == []
