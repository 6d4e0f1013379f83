"""What happens to a test that lacks something, in tests of its own; and which sandbox is taken."""

from pathlib import Path

import pytest

from tests.phone import system

pytest_plugins = ["pytester"]

TESTS = """
import pytest
from tests.phone import needs

@pytest.fixture(scope="session")
def phone():
    needs.missing("a virtual phone needs user namespaces", "allow them")

def test_a_phone(phone):
    raise AssertionError

def test_the_same_phone(phone):
    raise AssertionError

def test_a_program():
    needs.programs("sh", "no-such-program")

def test_a_part():
    needs.judge(ValueError("npm cannot fetch it: offline\\nmore"))

def test_another_error():
    needs.judge(ValueError("the app does not compile"))

def test_with_all_it_needs():
    needs.programs("sh")

def test_skipped_for_another_reason():
    pytest.skip("not a phone's fault")
"""


def run(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(tests)
    return pytester.runpytest_inprocess("-p", "tests.phone.needs", "-ra", *options)


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "by a worker"])
def test_what_is_missing_is_skipped_counted_and_named(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    done = run(pytester, TESTS, *options)
    done.assert_outcomes(passed=1, failed=1, skipped=5)
    *_, last, totals = done.outlines
    done.stdout.fnmatch_lines(["SKIPPED * a virtual phone needs user namespaces"])
    assert "4 tests" in last
    assert "a virtual phone needs user namespaces (2); not installed: no-such-program (1)" in last
    assert "npm cannot fetch it: offline (1)" in last
    assert "allow them; " in last
    assert "bash tests/phone/install.sh; run again with a network" in last
    assert "1 passed" in totals


def test_what_is_missing_fails_where_phones_are_required(pytester: pytest.Pytester) -> None:
    done = run(pytester, TESTS, "--require-phones")
    done.assert_outcomes(passed=1, failed=3, errors=2, skipped=1)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["a virtual phone needs user namespaces", "to mend it: allow them"])
    assert "NOT TESTED: 4 tests" in done.outlines[-2]


def test_nothing_is_said_where_nothing_is_missing(pytester: pytest.Pytester) -> None:
    done = run(pytester, "def test_passes(): pass", "--require-phones")
    done.assert_outcomes(passed=1)
    assert "NOT TESTED" not in done.stdout.str()


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> system.System:
    """A bubblewrap that may not make namespaces; none is installed."""
    found = system.System(tmp_path)
    script(Path(found.unpacked("bwrap")[0]), "echo 'uid map: Permission denied' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return found


def test_the_installed_bubblewrap_where_only_that_one_may(refused: system.System) -> None:
    script(refused.folder / "bin/bwrap", "exit 0")
    assert system.find_bubblewrap(refused) == (str(refused.folder / "bin/bwrap"),)


@pytest.mark.parametrize(
    ("switch", "mend"),
    [("1", "sudo sysctl -w kernel.restrict=0"), ("0", "--privileged"), (None, "--privileged")],
)
def test_without_user_namespaces(
    refused: system.System, monkeypatch: pytest.MonkeyPatch, switch: str | None, mend: str
) -> None:
    file = refused.folder / "restrict"
    if switch is not None:
        file.write_text(f"{switch}\n")
    monkeypatch.setattr(system, "_RESTRICTED", file)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(system.UnavailableError, match="uid map: Permission denied") as caught:
        system.find_bubblewrap(refused)
    assert mend in caught.value.mend
