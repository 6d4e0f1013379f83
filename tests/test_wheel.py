"""MobileBench as it is installed, in a repository whose folders have the names of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.models import BASELINE, CANDIDATE

ROOT = Path(__file__).parents[1]

#: Packages of the user's own, one module each.
FOLDERS = ("harness", "device_agent", "android_app", "suites", "tests", "results")

USERS_TESTS = (
    "\n".join(f"import {folder}.own" for folder in FOLDERS)
    + f"""

def test_the_folders_are_the_users():
    assert [{", ".join(f"{folder}.own.OF" for folder in FOLDERS)}] == ["the user"] * {len(FOLDERS)}

def test_the_plugin_finds_a_device(mobilebench_device):
    assert mobilebench_device.kind == "local"
"""
)


class Installed:
    """A virtual environment with MobileBench, and with all else from the one that tests run in."""

    def __init__(self, folder: Path, *what: str) -> None:
        venv.create(folder, with_pip=True)
        self.bin = folder / "bin"
        scheme = {"base": str(folder), "platbase": str(folder)}
        packages = Path(sysconfig.get_path("purelib", "venv", scheme))
        ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (packages / "dependencies.pth").write_text("\n".join(sorted(ours)))
        # As pip writes it, which puts no folder of the user's on the import path.
        pytest_script = self.bin / "pytest"
        pytest_script.write_text(
            f"#!{self.bin / 'python'}\nimport pytest\nraise SystemExit(pytest.console_main())\n"
        )
        pytest_script.chmod(0o755)
        self.call(
            folder, "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
            "--ignore-installed", "--no-build-isolation", *what,
        )  # fmt: skip

    def start(self, folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [self.bin / program, *words], cwd=folder, env=env, capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip

    def call(self, folder: Path, program: str, *words: str) -> str:
        done = self.start(folder, program, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", folder], cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    what = (
        [str(request.getfixturevalue("wheel"))]
        if request.param == "wheel"
        else ["--editable", str(ROOT)]
    )
    return Installed(tmp_path_factory.mktemp("venv") / request.param, *what)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's repository: two models, and packages with the names of our folders."""
    folder = tmp_path_factory.mktemp("repository")
    for name in FOLDERS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("")
        (folder / name / "own.py").write_text('OF = "the user"\n')
    (folder / "tests" / "test_own.py").write_text(USERS_TESTS)
    shutil.copy(BASELINE, folder / "a.tflite")
    shutil.copy(CANDIDATE, folder / "b.tflite")
    return folder


def test_the_wheel_has_the_two_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    information = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    assert {name.split("/")[0] for name in names} == {
        "mobilebench", "mobilebench_agent", information,
    }  # fmt: skip
    assert {"mobilebench/py.typed", "mobilebench_agent/contract.py"} <= set(names)
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]


def test_no_name_of_ours_is_taken_but_two(installed: Installed, tmp_path: Path) -> None:
    code = (
        "from importlib.util import find_spec\n"
        f"print([name for name in {FOLDERS} if find_spec(name)])\n"
        "import mobilebench, mobilebench_agent\n"
    )
    assert installed.call(tmp_path, "python", "-c", code) == "[]\n"


def test_a_run_among_folders_of_the_same_names(installed: Installed, repository: Path) -> None:
    version = installed.call(repository, "mobilebench", "--version")
    assert version.startswith("mobilebench")
    assert installed.call(repository, "python", "-m", "mobilebench", "--version") == version
    before = set((repository / "results").iterdir())
    installed.call(
        repository, "mobilebench", "run", "a.tflite", "b.tflite", "--blocks", "1", "--seconds", "0"
    )
    (run,) = set((repository / "results").iterdir()) - before
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("command", [("pytest",), ("python", "-m", "pytest")])
def test_the_users_own_tests(
    installed: Installed, repository: Path, command: tuple[str, ...]
) -> None:
    assert "2 passed" in installed.call(repository, *command, "-q", "-p", "no:cacheprovider")
