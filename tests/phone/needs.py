"""What the tests of virtual phones and of the app need beside Python, and what happens without it.

All of them skip through here, so that pytest's last line but one can count them and say what to do,
and so that ``--require-phones`` can make failures of them. A pytest plugin: ``tests/conftest.py``
loads it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Generator
from typing import NoReturn

import pytest

#: Installs everything that a package manager can bring; Windows has no root.
INSTALL = ("sudo " if hasattr(os, "geteuid") and os.geteuid() else "") + (
    "bash tests/phone/install.sh"
)

#: How errors of the app's build begin or end that are no faults of what is tested.
_ABSENT = ("which is not installed", "cannot fetch", "is for Linux")


class MissingError(pytest.skip.Exception):
    """A test cannot run for want of something on this machine.

    Attributes:
        reason: what is missing.
        mend: the command that brings it, or what else to do.
    """

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


def missing(reason: str, mend: str = INSTALL) -> NoReturn:
    """Skips the test, or fails it under ``--require-phones``."""
    __tracebackhide__ = True
    raise MissingError(reason, mend)


def programs(*names: str) -> None:
    """Goes on only where all of these programs are installed."""
    __tracebackhide__ = True
    absent = [name for name in names if shutil.which(name) is None]
    if absent:
        missing(f"not installed: {', '.join(absent)}")


def judge(error: Exception) -> NoReturn:
    """Skips the test if the error says that something is missing here; raises it otherwise."""
    __tracebackhide__ = True
    said = str(error)
    if not any(words in said for words in _ABSENT):
        raise error
    reason = said.splitlines()[0]
    missing(reason, "run again with a network" if "cannot fetch" in said else INSTALL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-phones",
        action="store_true",
        help="fail, not skip, where a test lacks what virtual phones or the app's build need",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, MissingError):
        missed = call.excinfo.value
        report.missed = (missed.reason, missed.mend)  # type: ignore[attr-defined]
        if item.config.getoption("require_phones"):
            report.outcome = "failed"
            report.longrepr = f"{missed.reason}\nto mend it: {missed.mend}"
        elif isinstance(report.longrepr, tuple):
            # As pytest writes its own skips, without the name of our class.
            report.longrepr = (*report.longrepr[:2], f"Skipped: {missed.reason}")
    return report


# Around all others, so that its line comes behind their summaries.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    yield
    reports = [report for found in terminalreporter.stats.values() for report in found]
    missed = Counter(report.missed for report in reports if hasattr(report, "missed"))
    if not missed:
        return
    reasons = "; ".join(f"{reason} ({count})" for (reason, _), count in missed.most_common())
    mends = "; ".join(dict.fromkeys(mend for _, mend in missed))
    terminalreporter.write_line(
        f"NOT TESTED: {missed.total()} tests of phones and of the app: {reasons}. "
        f"To test them, too: {mends}",
        red=True,
        bold=True,
    )
