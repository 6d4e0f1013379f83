"""Robolectric: Android's own framework classes on a JVM, for the tests of the app's Android layer.

What it needs and nothing more. Its native graphics, 160 MB, are fetched for pictures alone.
"""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from app_build import build, parts, programs
from app_build.desktop import compile_java, java_sources, library_jars
from app_build.parts import Part

#: The systems that the app is tried on: the oldest that it runs on, and the one it is made for.
#: The second is what the app is compiled against, too.
SYSTEMS = {
    26: Part(
        "org.robolectric",
        "android-all",
        "8.0.0_r4-robolectric-r1",
        "jar",
        "3707dc100381e3bbcc57b85255fd313ae20875fc65cf3130c47e86f044ad77f0",
    ),
    35: parts.ANDROID,
}

_LIBRARIES = tuple(
    Part(group, artifact, version, kind, sha256)
    for group, artifact, version, kind, sha256 in (
        ("org.robolectric", "annotations", "4.16", "jar",
         "409f50354fc08b382a8fa8c42416438d3664d2cb4e63bf252022c875288fbf7a"),
        ("org.robolectric", "junit", "4.16", "jar",
         "2c9aca263f0c41b1f0452c88d28ad618e553325f0213ce75de42fb02dd5c0479"),
        ("org.robolectric", "pluginapi", "4.16", "jar",
         "ffdb38f7d0a667e10d0609472ec13792018a69ccaf52c776166e03c61eae6428"),
        ("org.robolectric", "resources", "4.16", "jar",
         "0d6abfd274d3c853a564ea23ce1c52d31d075281ae0e7d64bbbc1477b2ed7679"),
        ("org.robolectric", "robolectric", "4.16", "jar",
         "d5b073aa051c88995a621e13c9c0d2afd1be835800d59c80d58c1dbfd8eca19b"),
        ("org.robolectric", "sandbox", "4.16", "jar",
         "78462f9987db60b24283eebdf31a7f4d11487197f8508a2ea262aa5ca4bb0b18"),
        ("org.robolectric", "shadowapi", "4.16", "jar",
         "8502d044ab781668fc52eb8784dcacd50c54eaa819cf5cc5fbb1b8457c9931a6"),
        ("org.robolectric", "shadows-framework", "4.16", "jar",
         "f3ddb731c95cb4663634355bed62932ec8f2c7a3daab876885a16b48e1530eda"),
        ("org.robolectric", "utils", "4.16", "jar",
         "51940c4668ed065101c8a932c6b8a7efa7b546fd5a8e98180f40ac3840b27428"),
        ("org.robolectric", "utils-reflector", "4.16", "jar",
         "efa21dcd2d68b8f3e202580a141b5f338a33e194a46bcd33b70ddb9e6d5ad63d"),
        ("androidx.test", "monitor", "1.8.0", "aar",
         "56cb7496a06d9f2dca7d3ff76c50a8a30bd18e00a24a3b267d5a31437b278e67"),
        ("com.almworks.sqlite4java", "sqlite4java", "1.0.392", "jar",
         "243a64470fda0e86a6fddeb0af4c7aa9426ce84e68cbfe18d75ee5da4b7e0b92"),
        ("com.google.guava", "guava", "33.4.8-jre", "jar",
         "f3d7f57f67fd622f4d468dfdd692b3a5e3909246c28017ac3263405f0fe617ed"),
        ("javax.annotation", "javax.annotation-api", "1.3.2", "jar",
         "e04ba5195bcd555dc95650f7cc614d151e4bcd52d29a10b8aa2197f3ab89ab9b"),
        ("javax.inject", "javax.inject", "1", "jar",
         "91c77044a50c481636c32d916fd89c9118a72195390452c81065080f957de7ff"),
        ("junit", "junit", "4.13.2", "jar",
         "8e495b634469d64fb8acfa3495a065cbacc8a0fff55ce1e31007be4c16dc57d3"),
        ("org.bouncycastle", "bcprov-jdk18on", "1.81", "jar",
         "249f396412b0c0ce67f25c8197da757b241b8be3ec4199386c00704a2457459b"),
        ("org.conscrypt", "conscrypt-openjdk-uber", "2.5.2", "jar",
         "eaf537d98e033d0f0451cd1b8cc74e02d7b55ec882da63c88060d806ba89c348"),
        ("org.ow2.asm", "asm", "9.8", "jar",
         "876eab6a83daecad5ca67eb9fcabb063c97b5aeb8cf1fca7a989ecde17522051"),
        ("org.ow2.asm", "asm-commons", "9.8", "jar",
         "3301a1c1cb4c59fcc5292648dac1d7c5aed4c0f067dfbe88873b8cdfe77404f4"),
        ("org.ow2.asm", "asm-tree", "9.8", "jar",
         "14b7880cb7c85eed101e2710432fc3ffb83275532a6a894dc4c4095d49ad59f1"),
    )
)  # fmt: skip

#: Draws as Android does, by its own graphics library and fonts.
_GRAPHICS = (
    Part(
        "org.robolectric",
        "nativeruntime",
        "4.16",
        "jar",
        "85c9c9763de195a166a2cfc88e8623b572bef92cb96f60342fcca3cbbd69ed25",
    ),
    Part(
        "org.robolectric",
        "nativeruntime-dist-compat",
        "1.0.18",
        "jar",
        "a6c34d92c990754e5aee076032a36f8e38fcacb5eb878ebe0a324509f3864eef",
    ),
)

#: Everything from the files that were fetched; nothing of what this app does not use.
_OPTIONS = (
    "robolectric.offline=true",
    "robolectric.usePreinstrumentedJars=false",
    "robolectric.graphicsMode=LEGACY",
    "robolectric.sqliteMode=LEGACY",
    "robolectric.conscryptMode=OFF",
)


def libraries(folder: Path, graphics: bool = False) -> list[Path]:
    """Robolectric's classes as jars; what comes as an Android archive is unpacked into ``folder``.

    Args:
        folder: where to.
        graphics: with what draws.

    Raises:
        BuildError: Maven is missing or cannot fetch.
    """
    jars = []
    for part, path in parts.fetch((*_LIBRARIES, *(_GRAPHICS if graphics else ()))).items():
        if part.kind == "aar":
            jars.append(folder / f"{part.artifact}.jar")
            with zipfile.ZipFile(path) as archive:
                jars[-1].write_bytes(archive.read("classes.jar"))
        else:
            jars.append(path)
    return jars


@dataclass(frozen=True)
class Prepared:
    """A command that runs tests, and how many there are."""

    command: list[str]
    tests: int


def prepared(
    kind: str,
    app: Path,
    resources: Path,
    sdk: int,
    options: Sequence[str],
    folder: Path,
    graphics: bool = False,
) -> Prepared:
    """The tests of ``app/src/KIND``, compiled, on that version of Android.

    Args:
        kind: the folder of sources.
        app: the app's classes.
        resources: the APK with its resources and manifest.
        sdk: the version of Android.
        options: more options of the JVM.
        folder: for what is compiled and unpacked.
        graphics: with Android's own graphics.

    Raises:
        BuildError: Maven is missing or cannot fetch, or a test does not compile.
    """
    system = SYSTEMS[sdk]
    found = parts.fetch([parts.JUNIT, parts.ANDROID, system])
    launcher, android = found[parts.JUNIT], found[parts.ANDROID]
    jars = [*libraries(folder, graphics), *library_jars(folder)]
    classes = folder / "classes"
    sources = java_sources(("app",), kind)
    compile_java(sources, [app, *jars, launcher, android], classes, release=17)
    _configure(classes, resources, build.PACKAGE, sdk)
    given = (*_OPTIONS, f"robolectric.dependency.dir={found[system].parent}")
    command = [
        programs.find("java"),
        "-XX:TieredStopAtLevel=1",
        *(f"-D{option}" for option in (*given, f"robolectric.enabledSdks={sdk}")),
        *options,
        "-cp",
        ":".join(map(str, [launcher, classes, app, *jars, android])),
        "org.junit.platform.console.ConsoleLauncher",
        "execute",
        f"--scan-class-path={classes}",
        "--disable-banner",
        "--details=tree",
        "--details-theme=ascii",
        "--disable-ansi-colors",
    ]
    return Prepared(command, sum(path.read_text("utf-8").count("@Test\n") for path in sources))


def passed(run: Prepared) -> int:
    """Runs the tests, and fails with what they say unless every one passes; how many did."""
    done = subprocess.run(run.command, capture_output=True, timeout=900, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode:
        pytest.fail(said[-8000:], pytrace=False)
    # Without a test that it understands, the launcher is content.
    match = re.search(r"(\d+) tests successful", said)
    assert match, said[-2000:]
    assert int(match.group(1)) == run.tests
    return run.tests


def _configure(classes: Path, apk: Path, package: str, sdk: int) -> None:
    """Tells Robolectric, in a folder of classes, which app and which Android to use.

    Args:
        classes: the folder of the compiled tests.
        apk: the app's resources and manifest.
        package: its name.
        sdk: the version of Android.
    """
    tools = classes / "com/android/tools"
    tools.mkdir(parents=True, exist_ok=True)
    # The manifest is read from the APK; these two must be named, and need not be there.
    (tools / "test_config.properties").write_text(
        f"android_resource_apk={apk}\nandroid_custom_package={package}\n"
        f"android_merged_manifest={classes}/none.xml\nandroid_merged_assets={classes}/none\n"
    )
    (classes / "robolectric.properties").write_text(f"sdk={sdk}\n")
