"""The environments that PyTorch and ONNX models are converted in: made once, and kept.

Their converters want other versions of TensorFlow and NumPy than this package, and gigabytes. So
each has an environment of its own, which is made when it is asked for and never by accident.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.errors import BadInputError, InvalidRunError


@dataclass(frozen=True)
class Converter:
    """What converts models of another framework.

    Attributes:
        name: of the environment; also the kind of source.
        framework: as people call it.
        package: what converts.
        requires: what is installed.
        gigabytes: what it takes on the disk.
    """

    name: str
    framework: str
    package: str
    requires: tuple[str, ...]
    gigabytes: float

    @property
    def variable(self) -> str:
        """The environment variable that names another Python to convert with."""
        return f"MOBILEBENCH_{self.name.upper()}_PYTHON"

    @property
    def python(self) -> Path:
        """The Python of its environment."""
        windows = os.name == "nt"
        return self.folder / ("Scripts/python.exe" if windows else "bin/python")

    @property
    def folder(self) -> Path:
        """Where its environment is kept."""
        return cache_folder() / "environments" / self.name


CONVERTERS = {
    "torch": Converter("torch", "PyTorch", "litert-torch", ("litert-torch==0.10.0",), 6.6),
    "onnx": Converter(
        "onnx",
        "ONNX",
        "onnx2tf",
        (
            "onnx2tf==1.29.24",
            "onnx==1.19.1",
            "onnxruntime==1.23.0",
            "tensorflow==2.19.0",
            "tf-keras==2.19.0",
            "onnxsim==0.4.36",
            "onnx-graphsurgeon==0.5.8",
            "ai-edge-litert==2.1.0",
            "psutil==5.9.5",
            "sng4onnx",
        ),
        2.6,
    ),
}  # fmt: skip


def python_of(converter: Converter) -> Path | None:
    """The Python that converts, if it is there: the one that is named, or that of the environment.

    Raises:
        BadInputError: the one that is named does not exist.
    """
    if named := os.environ.get(converter.variable):
        if not Path(named).is_file():
            raise BadInputError(f"{converter.variable} names {named}, which does not exist")
        return Path(named)
    made = converter.python
    return made if (converter.folder / "whole").is_file() and made.is_file() else None


def require(converter: Converter, where: str) -> Path:
    """The Python that converts.

    Raises:
        BadInputError: there is none yet.
    """
    python = python_of(converter)
    if python is None:
        raise BadInputError(
            f"model {where} is converted by {converter.package}, in an environment of its own "
            f"({converter.gigabytes:g} GB) that is not there: make it with mobilebench converters "
            f"--install {converter.name}"
        )
    return python


def version_of(python: Path, package: str) -> str:
    """The version of a package that an interpreter has, read from its folder; empty if none."""
    name = package.replace("-", "_")
    places = ("lib/python*/site-packages", "Lib/site-packages")
    home = python.parents[1]
    found = sorted(f for place in places for f in home.glob(f"{place}/{name}-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").split("-")[-1] if found else ""


def install(converter: Converter) -> Path:
    """Makes the environment, anew if there is one.

    Raises:
        InvalidRunError: it cannot be made, or pip failed.
    """
    folder = converter.folder
    shutil.rmtree(folder, ignore_errors=True)
    python = converter.python
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", *converter.requires],
    ):
        if subprocess.run(command, check=False).returncode:
            raise InvalidRunError(
                f"the environment for {converter.framework} could not be made in {folder}: "
                f"{' '.join(command[1:4])} failed, as said above"
            )
    (folder / "whole").write_text("\n".join(converter.requires) + "\n", "utf-8")
    return python


def status() -> list[dict[str, str]]:
    """Each converter: framework, package, its version (empty: not there) and its Python."""
    found = []
    for converter in CONVERTERS.values():
        python = python_of(converter)
        found.append(
            {
                "name": converter.name,
                "framework": converter.framework,
                "package": converter.package,
                "version": "" if python is None else version_of(python, converter.package),
                "python": "" if python is None else str(python),
            }
        )
    return found


def described(found: list[dict[str, str]]) -> list[str]:
    """A line for each converter."""
    return [
        f"{each['framework']} models: {each['package']} {each['version']} ({each['python']})"
        if each["python"]
        else f"{each['framework']} models: no {each['package']}; make its environment with "
        f"mobilebench converters --install {each['name']}"
        for each in found
    ]
