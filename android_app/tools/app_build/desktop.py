"""The app's core and engine on a desktop JVM: what stands behind the virtual phone.

The same Java as in the APK, with the very libraries of the APK: TensorFlow Lite's and zstd's for
Android on x86-64, or on Arm with an emulated processor. They run on glibc with a little of
Android's C library (``bionic.c``). It says ``"virtual": true`` of its device: no number of it is a
phone's.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from app_build import arm64, parts, places, programs
from app_build.errors import BuildError

_MODULES = ("core", "tflite", "desktop")
_JARS = (parts.TFLITE, parts.TFLITE_API, *parts.LIBRARIES)
#: What brings native libraries for Android.
_NATIVE = (parts.TFLITE, parts.ZSTD)

#: What keeps Android's places in a thread's memory free on Arm.
_SLOTS = "libslots.so"

#: Short-lived processes, several at once: start fast, use few threads, and keep stdout clean.
_JVM = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-XX:+DisplayVMOutputToStderr",
    # A crash of the runtime ends the process, as on a phone, and says nothing on stdout.
    "-XX:+SuppressFatalErrorMessage",
)


def desktop_command(cache: Path, abi: str = "x86_64") -> list[str]:
    """The command that serves one trial on its standard streams, built if it was not.

    Options for tests may follow it: ``--device-json FILE`` (see ``DescribedDevice.java``).

    Args:
        cache: where the compiled classes are kept, under a hash of their sources.
        abi: whose libraries run, ``x86_64`` or ``arm64-v8a``. The latter's processor is emulated:
            a process takes seconds to start, and only its answers count.

    Raises:
        BuildError: no JDK, compiler, Maven or registry, or no Linux on x86-64.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise BuildError("the app's desktop agent is for Linux on x86-64 only")
    java = [programs.find("java")]
    emulated = abi != "x86_64"
    machine = arm64.prepare() if emulated else None
    native = places.SOURCES / "desktop" / "src" / "main" / "c"
    sources = java_sources(_MODULES)
    found = parts.fetch(_JARS)
    folder = cache / f"desktop-agent-{abi}-{_fingerprint([*sources, *sorted(native.iterdir())])}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="compiling-") as scratch:
            built = Path(scratch) / "agent"
            built.mkdir()
            jars = library_jars(built)
            compile_java(sources, jars, built / "classes")
            _compile_native(native, built, machine)
            for part in parts.LIBRARIES:
                if part.kind == "jar":
                    shutil.copy(found[part], built)
            for part in _NATIVE:
                _take_native(found[part], built, abi)
            try:
                os.replace(built, folder)
            except OSError:
                # Another process was faster, with the same sources.
                if not folder.exists():
                    raise
    if machine is not None:
        java = machine.java(folder / _SLOTS)
    classpath = [folder / "classes", *sorted(folder.glob("*.jar"))]
    return [
        *java,
        *_JVM,
        "-cp",
        os.pathsep.join(str(path) for path in classpath),
        f"-Djava.library.path={folder}",
        *(["-Dmobilebench.emulated=true"] if emulated else []),
        "io.mobilebench.desktop.Main",
    ]


def library_jars(folder: Path) -> list[Path]:
    """The Java classes of the runtime and of the app's libraries.

    What comes in an Android archive is taken out of it into a folder.
    """
    return [parts.classes(part, path, folder) for part, path in parts.fetch(_JARS).items()]


def _take_native(archive: Path, target: Path, abi: str) -> None:
    """Copies an Android archive's libraries for an ABI."""
    with zipfile.ZipFile(archive) as source:
        for name in source.namelist():
            if name.startswith(f"jni/{abi}/") and name.endswith(".so"):
                (target / Path(name).name).write_bytes(source.read(name))


def _compile_native(sources: Path, target: Path, machine: arm64.Machine | None) -> None:
    """Compiles what the runtime's library needs of Android's, under the names that it asks for."""
    compiler = [programs.find("gcc")] if machine is None else machine.compiler()
    linked: list[str | Path] = ["-lm"] if machine is None else [*machine.libraries()]
    headers = Path(programs.find("javac")).resolve().parents[1] / "include"
    script = target / "versions.map"
    script.write_text("LIBC { global: *; };\n")
    compile_c: list[str | Path] = [
        *compiler,
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fPIC",
        "-shared",
        f"-I{headers}",
        f"-I{headers / 'linux'}",
    ]
    for name in ("libc", "libm", "libdl", "liblog"):
        # All symbols are in the first; the others only have to be there, with that version.
        content = (
            [sources / "bionic.c"] if name == "libc" else ["-x", "c", os.devnull, "-x", "none"]
        )
        version = [f"-Wl,--version-script={script}", f"-Wl,-soname,{name}.so"]
        command = [*compile_c, *version, "-o", target / f"{name}.so", *content, *linked]
        programs.run(command, "the C compiler")
    if machine is not None:
        command = [*compile_c, "-o", target / _SLOTS, sources / "slots.c"]
        programs.run(command, "the C compiler")


def java_sources(modules: Sequence[str], kind: str = "main") -> list[Path]:
    """The Java files of some of the app's modules, in a fixed order."""
    return [
        path
        for module in modules
        for path in sorted((places.SOURCES / module / "src" / kind / "java").rglob("*.java"))
    ]


def compile_java(
    sources: Sequence[Path], classpath: Sequence[Path], target: Path, release: int = 8
) -> None:
    """Compiles Java files; any warning is an error, as a warning in the app would be.

    Raises:
        BuildError: no JDK, or the compiler's own words.
    """
    target.mkdir(parents=True)
    programs.run(
        [
            programs.find("javac"),
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
    digest.update("".join(part.sha256 for part in _JARS).encode())
    return digest.hexdigest()[:16]
