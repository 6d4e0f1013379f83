"""The files for Android Studio, which CI does not build, say what build.py says."""

import os
import re
from pathlib import Path

import mobilebench
from mobilebench_agent import contract

from app_build import build, parts

APP = Path(__file__).parents[2] / "android_app"
NAMES = ("app", "core", "tflite", "litert", "litert/stubs")
MODULES = [(APP / module / "build.gradle.kts").read_text("utf-8") for module in NAMES]
GRADLE = MODULES[0]


def setting(name: str) -> str:
    (value,) = re.findall(rf"\b{name} = \"?([\w.]+)", GRADLE)
    return str(value)


def test_ids_levels_and_versions() -> None:
    assert setting("namespace") == setting("applicationId") == build.PACKAGE
    assert int(setting("minSdk")) == build.MIN_SDK
    assert int(setting("targetSdk")) == build.TARGET_SDK
    # The attributes of the manifest are those of the system that it is compiled against.
    assert {int(sdk) for sdk in re.findall(r"compileSdk = (\d+)", "".join(MODULES))} == {36}
    assert setting("versionName") == build.version() == mobilebench.__version__
    code = build.version_code(mobilebench.__version__, contract.PROTOCOL_VERSION)
    assert int(setting("versionCode")) == code


def test_abis() -> None:
    (abis,) = re.findall(r"abiFilters \+= listOf\((.*)\)", GRADLE)
    assert tuple(re.findall(r'"(.*?)"', abis)) == build.ABIS


def test_libraries() -> None:
    runtime = (parts.TFLITE, parts.TFLITE_API, parts.TFLITE_GPU, parts.TFLITE_GPU_API)
    wanted = {
        f"{part.group}:{part.artifact}:{part.version}" for part in (*runtime, *parts.LIBRARIES)
    }
    found = set(re.findall(r'(?:implementation|compileOnly)\("(.*?)(?:@aar)?"\)', "".join(MODULES)))
    # Where -Plitert=VERSION names it, and nowhere else.
    other = "com.google.ai.edge.litert:litert:$litert"
    assert found == {*wanted, other}
    assert "".join(MODULES).count(other) == 2
    # Without its kind, zstd-jni would be the jar for desktops.
    assert f'implementation("com.github.luben:zstd-jni:{parts.ZSTD.version}@aar")' in GRADLE


def test_modules() -> None:
    settings = (APP / "settings.gradle.kts").read_text("utf-8")
    (included,) = re.findall(r"include\((.*)\)", settings)
    assert re.findall(r'":([\w-]+)"', included) == [name.replace("/", "-") for name in NAMES]
    assert 'project(":litert-stubs").projectDir = file("litert/stubs")' in settings
    for name, module in zip(NAMES, MODULES, strict=True):
        assert "languageVersion = JavaLanguageVersion.of(17)" in module
        assert list((APP / name / "src/main/java").rglob("*.java")), name
        tests = list((APP / name / "src/test/java").rglob("*.java"))
        assert bool(tests) == ("useJUnitPlatform()" in module), name
    for needed in re.findall(r'project\(":(.*?)"\)', "".join(MODULES)):
        assert needed.replace("-", "/") in NAMES
    for name in re.findall(r'resolve\("(.*?)"\)', "".join(MODULES)):
        assert (APP / name).is_dir(), name


def test_the_runtimes_name_is_given_by_each_build() -> None:
    """Results call the runtime by it: a text of the app's own would stand against one of them."""
    assert f'if (litert == null) "{parts.TFLITE.artifact}" else "litert"' in GRADLE
    texts = (APP / "app/src/main/res").rglob("*.xml")
    assert not [path for path in texts if 'name="runtime_name"' in path.read_text("utf-8")]


def test_the_engine_for_litert_is_in_no_build_without_it() -> None:
    conditional = 'if (litert != null) {\n        implementation(project(":litert"))\n    }'
    assert conditional in GRADLE
    assert "".join(MODULES).count(':litert"') == 1


def test_both_builds_take_the_same_manifest_and_key() -> None:
    assert '"../debug.p12"' in GRADLE
    manifest = (APP / "app" / "src" / "main" / "AndroidManifest.xml").read_text("utf-8")
    # Given by the builds: anything here would stand against one of them.
    for given in ("package=", "versionCode=", "versionName=", "uses-sdk", "debuggable", "Libs="):
        assert given not in manifest
    assert "uses-permission" not in manifest


def test_no_build_is_debuggable_and_each_has_the_shipped_key() -> None:
    debug, release = re.findall(r"(?:debug|release) \{(.*?)\}", GRADLE, re.DOTALL)
    assert "isDebuggable = false" in debug
    for build_type in (debug, release):
        assert 'signingConfig = signingConfigs["mobilebench"]' in build_type


def test_the_wrapper_is_the_published_one() -> None:
    """Gradle 8.10's own, as npm's @react-native-community/template 0.77.0 carries it."""
    jar = APP / "gradle/wrapper/gradle-wrapper.jar"
    wanted = "2db75c40782f5e8ba1fc278a5574bab070adccb2d21ca5a6e5ed840888448046"
    assert parts.sha256(jar) == wanted
    properties = (APP / "gradle/wrapper/gradle-wrapper.properties").read_text("utf-8")
    assert "https\\://services.gradle.org/distributions/gradle-8.13-bin.zip" in properties
    assert os.access(APP / "gradlew", os.X_OK)


def test_they_say_that_they_are_not_built_in_ci() -> None:
    names = ("settings.gradle.kts", "build.gradle.kts", "gradle.properties")
    for path in (*names, *(f"{name}/build.gradle.kts" for name in NAMES)):
        assert "Not built in CI" in (APP / path).read_text("utf-8")


def test_versions() -> None:
    java = (APP / "core/src/main/java/io/mobilebench/core/Version.java").read_text("utf-8")
    assert f'AGENT = "{mobilebench.__version__}"' in java
    assert build.version_code("1.2.3", 2) == 2010203
    assert build.version_code("0.1.0", 3) > build.version_code("9.9.9", 2)
    assert build.protocol() == contract.PROTOCOL_VERSION
