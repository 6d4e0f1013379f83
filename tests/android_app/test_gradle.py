"""The files for Android Studio, which CI does not build, say what build.py says."""

import re
from pathlib import Path

import mobilebench
from mobilebench_agent import contract

from app_build import build, parts

APP = Path(__file__).parents[2] / "android_app"
GRADLE = (APP / "app" / "build.gradle.kts").read_text("utf-8")


def setting(name: str) -> str:
    (value,) = re.findall(rf"\b{name} = \"?([\w.]+)", GRADLE)
    return str(value)


def test_ids_levels_and_versions() -> None:
    assert setting("namespace") == setting("applicationId") == build.PACKAGE
    assert int(setting("minSdk")) == build.MIN_SDK
    assert int(setting("targetSdk")) == int(setting("compileSdk")) == build.TARGET_SDK
    assert setting("versionName") == build.version() == mobilebench.__version__
    code = build.version_code(mobilebench.__version__, contract.PROTOCOL_VERSION)
    assert int(setting("versionCode")) == code


def test_abis() -> None:
    (abis,) = re.findall(r"abiFilters \+= listOf\((.*)\)", GRADLE)
    assert tuple(re.findall(r'"(.*?)"', abis)) == build.ABIS


def test_libraries() -> None:
    runtime = (parts.TFLITE, parts.TFLITE_API, parts.TFLITE_GPU, parts.TFLITE_GPU_API)
    wanted = (*runtime, *parts.LIBRARIES)
    found = re.findall(r'implementation\("(.*?)(?:@aar)?"\)', GRADLE)
    assert found == [f"{part.group}:{part.artifact}:{part.version}" for part in wanted]
    # Without its kind, zstd-jni would be the jar for desktops.
    assert f'{parts.ZSTD.version}@aar"' in GRADLE


def test_both_builds_take_the_same_sources_manifest_and_key() -> None:
    assert '"../core/src/main/java", "../tflite/src/main/java"' in GRADLE
    assert '"../debug.p12"' in GRADLE
    manifest = (APP / "app" / "src" / "main" / "AndroidManifest.xml").read_text("utf-8")
    # Given by the builds: anything here would stand against one of them.
    for given in ("package=", "versionCode", "versionName", "uses-sdk", "debuggable"):
        assert given not in manifest
    assert "uses-permission" not in manifest


def test_they_say_that_they_are_not_built_in_ci() -> None:
    for path in ("settings.gradle.kts", "build.gradle.kts", "app/build.gradle.kts"):
        assert "Not built in CI" in (APP / path).read_text("utf-8")


def test_versions() -> None:
    java = (APP / "core/src/main/java/io/mobilebench/core/Version.java").read_text("utf-8")
    assert f'AGENT = "{mobilebench.__version__}"' in java
    assert build.version_code("1.2.3", 2) == 2010203
    assert build.version_code("0.1.0", 3) > build.version_code("9.9.9", 2)
    assert build.protocol() == contract.PROTOCOL_VERSION
