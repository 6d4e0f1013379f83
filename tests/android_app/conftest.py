"""What the app's tests need: a JDK, Maven and npm, and the packages that the build fetches."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from mobilebench.devices.android import shipped_apk as android_apk

from app_build import parts, places, programs
from app_build.desktop import compile_java, desktop_command, java_sources, library_jars
from app_build.errors import BuildError
from tests.phone import needs
from tests.support.models import MODELS

#: A translator from dex to class files, to run the app's real dex on a JVM.
_ENJARIFY = (
    "enjarify-adapter==1.0.2",
    "79777a244d60e2556267a2d3b6562f2e36d4d22c2c3286ad663dc59b83d67419",
)

#: Of Gson its streams: this translator's old class files cannot have all of the rest.
_TRANSLATED = (
    "io/mobilebench/",
    "com/github/luben/",
    "org/tukaani/",
    "com/google/gson/stream/",
)


@pytest.fixture(scope="session")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The app's core and engine on a desktop JVM, as a command."""
    needs.programs("java", "javac", "mvn", "gcc")
    try:
        return desktop_command(tmp_path_factory.mktemp("desktop"))
    except BuildError as error:
        needs.judge(error)


@pytest.fixture(scope="session")
def arm64() -> list[str]:
    """The same with the APK's library for Arm, on an emulated processor: seconds a process."""
    needs.programs("java", "javac", "mvn")
    try:
        return desktop_command(places.cache() / "desktop", "arm64-v8a")
    except BuildError as error:
        needs.judge(error)


@pytest.fixture(scope="session")
def junit(desktop: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs all JUnit tests of the app's modules."""
    needs.programs("java", "javac", "mvn")
    try:
        launcher = parts.fetch([parts.JUNIT])[parts.JUNIT]
        runtime = library_jars(tmp_path_factory.mktemp("runtime"))
        # Options alone are looked at: what they are given to has no library here.
        (gpu,) = parts.fetch([parts.TFLITE_GPU_API]).items()
        runtime.append(parts.classes(*gpu, tmp_path_factory.mktemp("gpu")))
    except BuildError as error:
        needs.judge(error)
    modules = ("core", "tflite", "litert", "litert/stubs", "desktop")
    classes = tmp_path_factory.mktemp("junit") / "classes"
    # Of the Android layer, what needs no Android.
    plain = [path for path in java_sources(("app",)) if path.stem in ("Foreground", "History")]
    tests = java_sources((*modules, "app"), "test")
    compile_java(
        [*java_sources(modules), *plain, *tests], [launcher, *runtime], classes, release=17
    )
    return [
        programs.find("java"),
        f"-Dgolden={Path(__file__).parents[1] / 'contract'}",
        f"-Dmodels={MODELS}",
        # The library for zstd, and what it needs of Android's C library.
        *(word for word in desktop if word.startswith("-Djava.library.path=")),
        "-jar",
        str(launcher),
        "execute",
        f"--class-path={':'.join(map(str, [classes, *runtime]))}",
        "--scan-class-path",
        "--disable-banner",
        "--details=tree",
        "--details-theme=ascii",
        "--disable-ansi-colors",
        "--fail-if-no-tests",
    ]


@pytest.fixture(scope="session")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classes of the shipped APK's dex, our own and those of its libraries, as a jar.

    Not the runtime's: its interfaces have static methods, which this translator's old class files
    cannot have.
    """
    needs.programs("java")
    folder = tmp_path_factory.mktemp("enjarify")
    requirement, digest = _ENJARIFY
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{digest}\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    try:
        programs.run([*pip, "--target", folder / "lib", "-r", wanted], "pip cannot fetch")
    except BuildError as error:
        needs.judge(error)
    jar = folder / "app.jar"
    subprocess.run(
        [sys.executable, "-O", "-m", "enjarify.main", android_apk.APK, "-o", jar],
        env={**os.environ, "PYTHONPATH": str(folder / "lib")},
        capture_output=True,
        timeout=600,
        check=True,
    )
    with zipfile.ZipFile(jar) as everything, zipfile.ZipFile(folder / "own.jar", "w") as own:
        for name in everything.namelist():
            if name.startswith(_TRANSLATED):
                own.writestr(name, everything.read(name))
    return folder / "own.jar"


@pytest.fixture(scope="session")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped APK zipped otherwise: Robolectric's Android 8 reads no stored manifest."""
    folder = tmp_path_factory.mktemp("resources")
    packed = folder / "app.apk"
    with (
        zipfile.ZipFile(android_apk.APK) as apk,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in apk.namelist():
            if not name.startswith("lib/"):
                target.writestr(name, apk.read(name))
    return packed
