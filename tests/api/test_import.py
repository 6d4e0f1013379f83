"""What ``import mobilebench`` costs, and that its names are what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mobilebench as mb
import pytest

HEAVY = ("numpy", "pandas", "pydantic", "click", "rich", "scipy", "matplotlib", "tensorflow")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_it_imports_nothing_heavy() -> None:
    found = python(
        "import sys, mobilebench\n"
        f"print([m for m in {HEAVY} if m in sys.modules])\n"
        "print([m for m in sys.modules if m.startswith(('mobilebench.runs', 'mobilebench_agent'))])"
    )
    assert found == "[]\n[]"


@pytest.mark.parametrize(
    "imports",
    [
        "import mobilebench as mb, mobilebench.compress.recipe, mobilebench.devices.base",
        "import mobilebench.compress.recipe, mobilebench.devices.base, mobilebench as mb",
        "from mobilebench.compress.recipe import parse_recipe; import mobilebench as mb",
        "import mobilebench as mb; from mobilebench.devices.base import Device; mb.run",
        "from mobilebench import compress; import mobilebench.compress.step, mobilebench as mb",
    ],
)
def test_functions_with_the_name_of_a_sub_package_stay_functions(imports: str) -> None:
    """In whatever order the sub-packages' modules are imported, and they are found as well."""
    found = python(
        f"{imports}\n"
        "from mobilebench.compress.recipe import Recipe\n"
        "from mobilebench.devices.base import Device\n"
        "from mobilebench.devices import interrupt\n"
        "from mobilebench import compress, devices\n"
        "assert compress is mb.compress and devices is mb.devices\n"
        "print(compress.__module__, devices.__module__, Recipe.__module__, interrupt.__name__)"
    )
    assert found == (
        "mobilebench.api.models mobilebench.api.measure mobilebench.compress.recipe "
        "mobilebench.devices.interrupt"
    )


def test_every_name_is_there_and_documented() -> None:
    assert set(mb.__all__) <= set(dir(mb))
    for name in mb.__all__:
        if name != "__version__":
            assert getattr(mb, name).__doc__, name


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"mobilebench.*no attribute 'gait'"):
        mb.gait  # noqa: B018


def test_users_calls_are_type_checked(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(
        "import mobilebench.compress.recipe\n"
        "import mobilebench as mb\n"
        "from mobilebench.devices import interrupt\n"
        "reveal_type(mb.devices())\n"
        "reveal_type(mb.compress('m.tflite', 'as_is'))\n"
        "reveal_type(mb.gate('a.tflite', 'b.tflite').passed)\n"
        "reveal_type(interrupt.check)\n"
        "mb.run('m.tflite', secconds=1)\n"
    )
    root = Path(mb.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"),
         "--config-file", str(root / "pyproject.toml"), str(script)],
        cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 7, done.stdout
    assert '"mobilebench.runs.selection.FoundDevices"' in lines[0]
    assert '"list[mobilebench.compress.artifact.Artifact | ' in lines[1]
    assert '"bool"' in lines[2].replace("builtins.", "")
    assert '"def ()"' in lines[3]
    assert 'Unexpected keyword argument "secconds"' in lines[4]
