"""The app's core and engine on a desktop JVM: what stands behind the virtual phone.

    python -m harness.app.desktop --print-command

The same Java as in the APK, with TensorFlow Lite's genuine Java classes and native library for
Linux on x86-64 (2.6.2). It says ``"virtual": true`` of its device: no number of it is a phone's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from harness.app import parts, tools
from harness.errors import BadInputError, MobileBenchError

_MODULES = ("core", "tflite", "desktop")
_LIBRARY = "native/lib/libtensorflowlite_jni.so"

#: Short-lived processes, several at once: start fast, use few threads, and keep stdout clean.
_JVM = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-XX:+DisplayVMOutputToStderr",
)


def desktop_command(cache: Path) -> list[str]:
    """The command that serves one trial on its standard streams, built if it was not.

    Options for tests may follow it: ``--device-json FILE`` (see ``DescribedDevice.java``).

    Args:
        cache: where the compiled classes are kept, under a hash of their sources.

    Raises:
        BadInputError: no JDK, Maven or registry, or no Linux on x86-64.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise BadInputError("TensorFlow Lite's desktop library is for Linux on x86-64 only")
    java = tools.program("java")
    sources = java_sources(_MODULES)
    found = parts.fetch([parts.DESKTOP_CLASSES, parts.DESKTOP_LIBRARY])
    classpath = found[parts.DESKTOP_CLASSES]
    folder = cache / f"desktop-agent-{_fingerprint(sources)}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="compiling-") as scratch:
            built = Path(scratch) / "agent"
            compile_java(sources, [classpath], built / "classes")
            with zipfile.ZipFile(found[parts.DESKTOP_LIBRARY]) as archive:
                library = built / Path(_LIBRARY).name
                library.write_bytes(archive.read(_LIBRARY))
            try:
                os.replace(built, folder)
            except OSError:
                # Another process was faster, with the same sources.
                if not folder.exists():
                    raise
    return [
        java,
        *_JVM,
        "-cp",
        f"{folder / 'classes'}{os.pathsep}{classpath}",
        "io.mobilebench.desktop.Main",
        "--native",
        str(folder / Path(_LIBRARY).name),
    ]


def java_sources(modules: Sequence[str], kind: str = "main") -> list[Path]:
    """The Java files of some of the app's modules, in a fixed order."""
    return [
        path
        for module in modules
        for path in sorted((tools.sources() / module / "src" / kind / "java").rglob("*.java"))
    ]


def compile_java(
    sources: Sequence[Path], classpath: Sequence[Path], target: Path, release: int = 8
) -> None:
    """Compiles Java files; any warning is an error, as a warning in the app would be.

    Raises:
        BadInputError: no JDK, or the compiler's own words.
    """
    target.mkdir(parents=True)
    tools.run(
        [
            tools.program("javac"),
            f"--release={release}",
            "-encoding",
            "UTF-8",
            "-g:source,lines",
            # Of Java 8 being old, and of annotations that only other tools read.
            "-Xlint:all,-options,-classfile,-deprecation,-processing",
            "-Werror",
            "-cp",
            os.pathsep.join(str(path) for path in classpath) or str(target),
            "-d",
            target,
            *sources,
        ],
        "javac",
    )


def _fingerprint(sources: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sources:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    digest.update(parts.DESKTOP_LIBRARY.sha256.encode())
    return digest.hexdigest()[:16]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the command, or the reason why there is none."""
    parser = argparse.ArgumentParser(prog="python -m harness.app.desktop", description=__doc__)
    parser.add_argument("--print-command", action="store_true", required=True)
    parser.add_argument("--cache", type=Path, default=tools.folder() / "desktop")
    options = parser.parse_args(arguments)
    try:
        print(shlex.join(desktop_command(options.cache)))
    except MobileBenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
