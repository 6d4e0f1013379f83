"""Robolectric: Android's own framework classes on a JVM, for the tests of the app's Android layer.

What it needs and nothing more: its native graphics, 160 MB, stay out.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from app_build import parts
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

#: Everything from the files that were fetched; nothing of what this app does not use.
_OPTIONS = (
    "robolectric.offline=true",
    "robolectric.usePreinstrumentedJars=false",
    "robolectric.graphicsMode=LEGACY",
    "robolectric.sqliteMode=LEGACY",
    "robolectric.conscryptMode=OFF",
)


def libraries(folder: Path) -> list[Path]:
    """Robolectric's classes as jars; what comes as an Android archive is unpacked into ``folder``.

    Raises:
        BuildError: Maven is missing or cannot fetch.
    """
    jars = []
    for part, path in parts.fetch(_LIBRARIES).items():
        if part.kind == "aar":
            jars.append(folder / f"{part.artifact}.jar")
            with zipfile.ZipFile(path) as archive:
                jars[-1].write_bytes(archive.read("classes.jar"))
        else:
            jars.append(path)
    return jars


def options(sdk: int) -> list[str]:
    """The JVM's options for tests on that version of Android.

    Raises:
        BuildError: Maven is missing or cannot fetch.
    """
    system = parts.fetch([SYSTEMS[sdk]])[SYSTEMS[sdk]]
    given = (*_OPTIONS, f"robolectric.dependency.dir={system.parent}")
    return [f"-D{option}" for option in (*given, f"robolectric.enabledSdks={sdk}")]


def configure(classes: Path, apk: Path, package: str, sdk: int) -> None:
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
