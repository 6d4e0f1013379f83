"""An Arm processor, a JVM and a C compiler for it on x86-64: QEMU's user mode and Debian packages.

What runs so shows what the machine code computes, and nothing of how fast a phone is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app_build import debian, places
from app_build.debian import Packages

#: A processor of many phones: Armv8.2 with dot products and half precision.
_CPU = "cortex-a76"

_RELEASE = {"Debian": "bookworm main"}
_PACKAGES = {
    "arm64": Packages(
        _RELEASE,
        ("openjdk-17-jre-headless", "libc6", "libgcc-s1", "libstdc++6", "zlib1g"),
        "arm64",
    ),
    "tools": Packages(
        _RELEASE,
        (
            "qemu-user-static",
            "gcc-12-aarch64-linux-gnu",
            "cpp-12-aarch64-linux-gnu",
            "binutils-aarch64-linux-gnu",
            "libbinutils",
            "libgcc-12-dev-arm64-cross",
            "libc6-dev-arm64-cross",
            "linux-libc-dev-arm64-cross",
            "libgmp10",
            "libisl23",
            "libmpc3",
            "libmpfr6",
            "libjansson4",
        ),
        # QEMU's programs for 30 other processors have 400 MB.
        unneeded=("usr/share", "usr/bin/qemu-[!a]*", "usr/bin/qemu-a[!a]*", "usr/bin/*_be-static"),
    ),
}
_LIBRARIES = "lib/aarch64-linux-gnu"


@dataclass(frozen=True)
class Machine:
    """The folder with the unpacked packages: ``arm64`` has the machine's, ``tools`` this one's."""

    folder: Path

    def java(self, preloaded: Path) -> list[str]:
        """The machine's JVM as a command of this one.

        Args:
            preloaded: an Arm library that is loaded before all others.
        """
        root = self.folder / "arm64"
        (home,) = (root / "usr/lib/jvm").glob("java-17-*-arm64")
        return [
            str(self.folder / "tools/usr/bin/qemu-aarch64-static"),
            "-cpu",
            _CPU,
            "-L",
            str(root),
            "-E",
            f"LD_LIBRARY_PATH=/{_LIBRARIES}:/usr/{_LIBRARIES}",
            "-E",
            f"LD_PRELOAD={preloaded}",
            str(home / "bin/java"),
        ]

    def compiler(self) -> list[str]:
        """A C compiler for the machine as a command of this one."""
        tools = self.folder / "tools/usr"
        libraries = f"LD_LIBRARY_PATH={tools}/lib/x86_64-linux-gnu"
        return ["env", libraries, str(tools / "bin/aarch64-linux-gnu-gcc-12"), "-nostdlib"]

    def libraries(self) -> list[Path]:
        """The machine's C library, to link with."""
        return [self.folder / "arm64" / _LIBRARIES / name for name in ("libc.so.6", "libm.so.6")]


def prepare() -> Machine:
    """The machine, fetched on the first call on this computer.

    Raises:
        BuildError: this computer's apt is not Debian's, or cannot fetch.
    """
    contents = hashlib.sha256(repr(_PACKAGES).encode()).hexdigest()[:8]
    folder = places.cache() / f"arm64-{contents}"
    for name, packages in _PACKAGES.items():
        debian.unpack(packages, folder / name)
    return Machine(folder)
