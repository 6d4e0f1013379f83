"""The JUnit tests of the app's core, engine and plain parts, run as one."""

import re
import subprocess

import pytest


def run(command: list[str]) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False
    )
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        pytest.fail(said[-8000:], pytrace=False)
    return said


def test_junit(junit: list[str]) -> None:
    said = run(junit)
    passed = re.search(r"(\d+) tests successful", said)
    assert passed
    # The golden messages alone are more than thirty: fewer means that something was not found.
    assert int(passed.group(1)) > 90
