"""The phone's system software, from Debian's or Ubuntu's archive into a cache.

Nothing is installed: adbd, dropbear, mksh, toybox and bubblewrap of one release, with the libraries
they need, are downloaded by the machine's own apt with a state of its own, and unpacked. Two small
programs are compiled. No root is needed where the kernel lets everyone make user namespaces.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from app_build import debian, places
from app_build.errors import BuildError

# Of each archive the oldest release (Ubuntu's: with long support) that has adbd, and one that
# speaks like a current phone's (34.0.5).
_PACKAGES = debian.Packages(
    {"Debian": "trixie main", "Ubuntu": "resolute main universe"},
    ("adbd", "dropbear-bin", "mksh", "toybox", "bubblewrap"),
    dependencies=True,
)
_NAMESPACES = ("--unshare-user", "--unshare-net", "--unshare-pid")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_SOURCES = Path(__file__).parent

# Ubuntu's switch against user namespaces of ordinary users.
_RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")

# What mends what no package does.
_ALLOW = "allow user namespaces (in a container: start it with --privileged)"
_ELSEWHERE = "use another machine"
_CONNECT = "run again with a network"


class UnavailableError(Exception):
    """This machine cannot raise a virtual phone; the message says what is missing.

    Attributes:
        mend: what to do, if installing packages does not help.
    """

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend


@dataclass(frozen=True)
class System:
    """The folder with the unpacked packages and the compiled programs.

    Attributes:
        folder: where they are.
        bubblewrap: the command that makes a sandbox.
    """

    folder: Path
    bubblewrap: tuple[str, ...] = ()

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
        return _run(*self.unpacked("toybox")).split()

    def unpacked(self, program: str) -> tuple[str, ...]:
        """A program of ``/usr/bin`` as a command on this machine, by its own loader."""
        libraries = self.root / _LIBRARIES
        loader = (str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries))
        return (*loader, str(self.root / "usr/bin" / program))


@functools.cache
def prepare() -> System:
    """The system software, fetched on the first call on a machine.

    Raises:
        UnavailableError: something that it takes is not here.
    """
    if os.uname().machine != "x86_64":
        raise UnavailableError("a virtual phone needs an x86-64 machine", _ELSEWHERE)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UnavailableError("a virtual phone needs Debian or Ubuntu", _ELSEWHERE)
    for program in ("gcc", "g++", "setpriv"):
        if shutil.which(program) is None:
            raise UnavailableError(f"a virtual phone needs {program}")
    default = platformdirs.user_cache_path("mobilebench-tests")
    contents = hashlib.sha256(repr(_PACKAGES).encode()).hexdigest()[:8]
    folder = Path(os.environ.get("MOBILEBENCH_TEST_CACHE", default)) / f"phone-{contents}"
    with places.locked(folder.with_suffix(".lock")):
        system = System(folder)
        _unpack(folder)
        _compile(system)
    return replace(system, bubblewrap=find_bubblewrap(system))


def find_bubblewrap(system: System) -> tuple[str, ...]:
    """The unpacked bubblewrap; the machine's own where only that one may make namespaces."""
    installed = shutil.which("bwrap")
    # Where AppArmor restricts namespaces, its profile knows the installed program by its path.
    commands = [system.unpacked("bwrap"), *([(installed,)] if installed else [])]
    said = ""
    for command in commands:
        probe = subprocess.run(
            [*command, *_NAMESPACES, "--ro-bind", "/", "/", "--proc", "/proc", "true"],
            capture_output=True,
            check=False,
        )
        if probe.returncode == 0:
            return command
        said = said or probe.stderr.decode("utf-8", "replace").strip()
    mend = _ALLOW
    if os.geteuid() != 0 and _RESTRICTED.exists() and _RESTRICTED.read_text().strip() != "0":
        mend = f"sudo sysctl -w kernel.{_RESTRICTED.name}=0"
    raise UnavailableError(f"a virtual phone needs user namespaces ({said})", mend)


def _unpack(folder: Path) -> None:
    try:
        debian.unpack(_PACKAGES, folder / "root")
    except BuildError as error:
        raise UnavailableError(str(error), _CONNECT) from error


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


def _run(*command: str, mend: str = "") -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"{command[0]} failed: {last}", mend)
    return done.stdout
