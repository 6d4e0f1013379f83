"""``python android_app/build.py``: nothing need be installed, and an error is one sentence."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(*arguments: object, flags: str = "-IS", **environment: str) -> tuple[int, str]:
    """Runs it without installed packages and without this checkout on Python's path."""
    done = subprocess.run(
        [sys.executable, flags, str(ROOT / "android_app/build.py"), *map(str, arguments)],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_needs_the_standard_library_only() -> None:
    code, said = build("--help", flags="-ISXimporttime")
    assert code == 0
    assert "--runtime AAR" in said
    assert "app_build.toolchain" in said
    assert not any(room in said for room in (" harness\n", " device_agent\n", " numpy\n"))


@pytest.mark.parametrize("path", ["gone.aar", "text.aar", "empty.aar", "torn.aar"])
def test_a_runtime_that_is_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.aar").write_text("no archive")
    for name, content in (("empty.aar", {}), ("torn.aar", {"classes.jar": "no jar"})):
        with zipfile.ZipFile(tmp_path / name, "w") as aar:
            for member, text in content.items():
                aar.writestr(member, text)
    code, said = build("--runtime", tmp_path / path, "--output", tmp_path / "app.apk")
    assert code == 2
    assert len(said.splitlines()) == 1, said
    assert path in said
    assert not (tmp_path / "app.apk").exists()


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    code, said = build(
        "--output", tmp_path / "app.apk", PATH=str(tmp_path), MOBILEBENCH_TOOLS=str(tmp_path / "t")
    )
    assert code == 2
    assert said.startswith("building the app needs mvn, which is not installed (on Debian: ")
    assert len(said.splitlines()) == 1, said
