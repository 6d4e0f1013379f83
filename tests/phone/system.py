"""The phone's system software, from Debian's archive into a cache; nothing is installed.

adbd, dropbear, mksh and toybox of one Debian release, with the libraries they need, are downloaded
by the machine's own apt with a state of its own, and unpacked. Two small programs are compiled.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

# The oldest Debian release whose adbd speaks like a current phone's (34.0.5).
_RELEASE = "trixie"
_PACKAGES = ("adbd", "dropbear-bin", "mksh", "toybox")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_SOURCES = Path(__file__).parent


class UnavailableError(Exception):
    """This machine cannot raise a virtual phone; the message says what is missing."""


@dataclass(frozen=True)
class System:
    """The folder with the unpacked packages and the compiled programs."""

    folder: Path

    @property
    def root(self) -> Path:
        """Where Debian's packages are unpacked."""
        return self.folder / "root"

    @property
    def command(self) -> Path:
        """``command.c``, compiled."""
        return self.folder / "command"

    @property
    def properties(self) -> Path:
        """``properties.cpp``, compiled."""
        return self.folder / "libproperties.so"

    def adbd(self) -> list[str]:
        """AOSP's adbd as a command inside the sandbox, where the folder is ``/apex``.

        It needs a newer C library than the machine may have, and so is run by its own loader.
        """
        libraries = f"/apex/root/{_LIBRARIES}"
        return [
            f"{libraries}/ld-linux-x86-64.so.2",
            "--library-path",
            f"{libraries}:{libraries}/android",
            "--preload",
            "/apex/libproperties.so",
            "/apex/root/usr/lib/android-sdk/platform-tools/adbd",
        ]

    def dropbear(self, program: str) -> list[str]:
        """``dropbear`` or ``dropbearkey`` as a command inside the sandbox."""
        libraries = f"/apex/root/{_LIBRARIES}"
        folder = "sbin" if program == "dropbear" else "bin"
        return [
            f"{libraries}/ld-linux-x86-64.so.2",
            "--library-path",
            libraries,
            f"/apex/root/usr/{folder}/{program}",
        ]

    def toybox_commands(self) -> list[str]:
        """The names that toybox answers to."""
        libraries = self.root / _LIBRARIES
        loader = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
        return _run(*loader, str(self.root / "usr/bin/toybox")).split()


@functools.cache
def prepare() -> System:
    """The system software, fetched on the first call on a machine.

    Raises:
        UnavailableError: something that it takes is not here.
    """
    for program in ("apt-get", "dpkg-deb", "bwrap", "gcc", "g++", "setpriv"):
        if shutil.which(program) is None:
            raise UnavailableError(f"a virtual phone needs {program}")
    if os.uname().machine != "x86_64":
        raise UnavailableError("a virtual phone needs an x86-64 machine")
    probe = subprocess.run(
        ["bwrap", "--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "true"],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if probe.returncode:
        raise UnavailableError(f"no user namespaces here: {probe.stderr.decode().strip()}")
    default = platformdirs.user_cache_path("mobilebench-tests")
    contents = hashlib.sha256(" ".join((_RELEASE, *_PACKAGES)).encode()).hexdigest()[:8]
    folder = Path(os.environ.get("MOBILEBENCH_TEST_CACHE", default)) / f"phone-{contents}"
    with _lock(folder.with_suffix(".lock")):
        system = System(folder)
        if not system.root.exists():
            _unpack(folder)
        _compile(system)
    return system


def _unpack(folder: Path) -> None:
    apt = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").write_text("")
    (apt / "sources.list").write_text(f"deb {_archive()} {_RELEASE} main\n")
    options = [
        f"-oDir::Etc::sourcelist={apt}/sources.list",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={apt}/lists",
        f"-oDir::Cache={apt}/cache",
        f"-oDir::State::status={apt}/status",
        f"-oAPT::Sandbox::User={os.environ.get('USER', 'root')}",
    ]
    _run("apt-get", "-qq", *options, "update")
    install = ["-y", "--no-install-recommends", "--download-only", "install", *_PACKAGES]
    _run("apt-get", "-qq", *options, *install)
    temporary = folder / "root.part"
    shutil.rmtree(temporary, ignore_errors=True)
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        _run("dpkg-deb", "-x", str(package), str(temporary))
    shutil.rmtree(apt)
    shutil.rmtree(temporary / "usr/share", ignore_errors=True)
    temporary.rename(folder / "root")


def _archive() -> str:
    """The Debian archive that this machine's apt uses."""
    form = "$(REPO_URI) $(LABEL)"
    lines = _run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    for line in lines:
        address, _, label = line.partition(" ")
        if label == "Debian":
            return address
    raise UnavailableError("a virtual phone needs Debian's archive (and one apt-get update)")


def _compile(system: System) -> None:
    command, properties = _SOURCES / "command.c", _SOURCES / "properties.cpp"
    if _older(system.command, command):
        _run("gcc", "-O2", "-static", "-o", str(system.command), str(command))
    if _older(system.properties, properties):
        library = system.root / _LIBRARIES / "android/libbase.so.0"
        shared = ["-O1", "-fPIC", "-shared", "-o", str(system.properties)]
        _run("g++", *shared, str(properties), str(library))


def _older(product: Path, source: Path) -> bool:
    return not product.exists() or product.stat().st_mtime < source.stat().st_mtime


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"{command[0]} failed: {last}")
    return done.stdout


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
