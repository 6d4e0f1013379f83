"""The app's Android layer in Android's own framework: the shipped APK's code and resources.

Robolectric runs the framework's classes on a JVM. What only a kernel or a phone can give stands in
at the thinnest seam: the peer of an abstract socket and its user id (``FakeSockets.java``), and the
values that Robolectric's battery and power services answer.
"""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from mobilebench.devices.android import shipped_apk as android_apk

from app_build import build, parts, programs
from app_build.desktop import compile_java, java_sources, library_jars
from app_build.errors import BuildError
from tests.android_app import robolectric
from tests.phone import needs


@pytest.fixture(scope="module")
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


@pytest.mark.parametrize("sdk", robolectric.SYSTEMS)
def test_the_android_layer(
    translated: Path,
    desktop: list[str],
    resources: Path,
    model_file: Path,
    tmp_path: Path,
    sdk: int,
) -> None:
    needs.programs("java", "javac", "mvn")
    try:
        launcher = parts.fetch([parts.JUNIT])[parts.JUNIT]
        android = parts.fetch([parts.ANDROID])[parts.ANDROID]
        options = robolectric.options(sdk)
        jars = [*robolectric.libraries(tmp_path), *library_jars(tmp_path)]
    except BuildError as error:
        needs.judge(error)
    classes = tmp_path / "classes"
    compile_java(
        java_sources(("app",), "robolectric"), [translated, *jars, android], classes, release=17
    )
    robolectric.configure(classes, resources, build.PACKAGE, sdk)
    # The runtime's library, and what of Android's C library it needs.
    (library_path,) = (word for word in desktop if word.startswith("-Djava.library.path="))
    classpath = [launcher, classes, translated, *jars, android]
    done = subprocess.run(
        [
            programs.find("java"),
            "-XX:TieredStopAtLevel=1",
            *options,
            library_path,
            f"-Dmodel={model_file}",
            "-cp",
            ":".join(map(str, classpath)),
            "org.junit.platform.console.ConsoleLauncher",
            "execute",
            f"--scan-class-path={classes}",
            "--disable-banner",
            "--details=tree",
            "--details-theme=ascii",
            "--disable-ansi-colors",
        ],
        capture_output=True,
        timeout=300,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode:
        pytest.fail(said[-8000:], pytrace=False)
    passed = re.search(r"(\d+) tests successful", said)
    assert passed
    # Without a test that it understands, the launcher is content.
    written = "".join(path.read_text() for path in java_sources(("app",), "robolectric"))
    assert int(passed.group(1)) == written.count("@Test\n") > 10
