"""The pinned packages that the app is built from: fetched by their own clients, then checked.

Each is named by its registry's coordinates and its SHA-256; which mirror of the registry answers
is the client's own setting. A file is kept under its hash, so nothing is fetched twice.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app_build import places, programs
from app_build.errors import BuildError


@dataclass(frozen=True)
class Part:
    """A file of a Maven repository: coordinates, and what it must hash to."""

    group: str
    artifact: str
    version: str
    kind: str
    sha256: str
    classifier: str = ""

    @property
    def file(self) -> str:
        """The file's name, as Maven gives it."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.kind}"


#: TensorFlow Lite for Android: the runtime, its Java interface, and the GPU delegate.
TFLITE = Part(
    "org.tensorflow",
    "tensorflow-lite",
    "2.16.1",
    "aar",
    "34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e",
)
TFLITE_API = Part(
    "org.tensorflow",
    "tensorflow-lite-api",
    "2.16.1",
    "aar",
    "885b95bc9e47a4aa5cf8e71523aed9b05e397cfef1ea09773f13fea8b649fcee",
)
TFLITE_GPU = Part(
    "org.tensorflow",
    "tensorflow-lite-gpu",
    "2.16.1",
    "aar",
    "4440e44d295e0e13964d4fe9d9e8c3d2c3f870b92fcb7b945e45036acdfcd459",
)
#: The last version on the registry; it has every option that the delegate of 2.16.1 reads.
TFLITE_GPU_API = Part(
    "org.tensorflow",
    "tensorflow-lite-gpu-api",
    "2.14.0",
    "aar",
    "3e7cece2c5eaaf05f93d0399e7d86eee83bd818b037965cbe52291223acae286",
)
#: Unpacks zstd: classes, and native libraries for Android.
ZSTD = Part(
    "com.github.luben",
    "zstd-jni",
    "1.5.7-4",
    "aar",
    "ba69aae3ca5260227b97234923027e251ecfb77dc7c10ade46c90f11d7fd9520",
)
#: Unpacks xz, in Java alone. 1.10 was compiled by a JDK whose class files bundletool's D8 cannot
#: read (parameters without names).
XZ = Part(
    "org.tukaani",
    "xz",
    "1.9",
    "jar",
    "211b306cfc44f8f96df3a0a3ddaf75ba8c5289eed77d60d72f889bb855f535e5",
)
#: Reads and writes JSON; of it the app uses the streams.
GSON = Part(
    "com.google.code.gson",
    "gson",
    "2.13.2",
    "jar",
    "dd0ce1b55a3ed2080cb70f9c655850cda86c206862310009dcb5e5c95265a5e0",
)
#: What the app is made of beside the runtime.
LIBRARIES = (ZSTD, XZ, GSON)
#: Android 15's own classes (API 35), to compile against.
ANDROID = Part(
    "org.robolectric",
    "android-all",
    "15-robolectric-13954326",
    "jar",
    "e17105f6c432357e6bb278a527f8e848d01fc56ccee01be77725bea23d871990",
)
#: Carries Android 16's resources (API 36), to link against, and an aapt2 for Linux that reads them,
#: which bundletool's older one cannot.
APKTOOL = Part(
    "org.apktool",
    "apktool-lib",
    "3.0.3",
    "jar",
    "983773879fd89ede2cd938858e3efce2a90ac1123f6a5140e9d949dcf4464e3e",
)
JUNIT = Part(
    "org.junit.platform",
    "junit-platform-console-standalone",
    "1.10.2",
    "jar",
    "a1de557821293ce903c213c694165fff532cf92081bac4238b9e05b35f04f43f",
)

#: Google's bundletool carries D8 and apksig; this npm package carries bundletool 1.18.2.
_BUNDLETOOL_PACKAGE = "nativescript@9.0.7"
_BUNDLETOOL_MEMBER = "package/vendor/aab-tool/bundletool.jar"
_BUNDLETOOL_SHA256 = "378b5434cd1378bef6b2bc527b8c7f0ff2584b273830335bce54d6d0813c8584"

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"


def fetch(parts: Iterable[Part]) -> dict[Part, Path]:
    """Where each part is on this machine, fetched if it was not there.

    Raises:
        BuildError: Maven is missing or cannot fetch, or a file is not the pinned one.
    """
    kept = {part: _place(part.sha256, part.file) for part in parts}
    if not all(place.exists() for place in kept.values()):
        with _scratch() as scratch:
            missing = [part for part, place in kept.items() if not place.exists()]
            if not missing:
                return kept
            project = Path(scratch) / "pom.xml"
            project.write_text(_project(missing), "utf-8")
            folder = Path(scratch) / "fetched"
            programs.run(
                [
                    programs.find("mvn"),
                    "--quiet",
                    "--batch-mode",
                    f"--file={project}",
                    _COPY,
                    f"-DoutputDirectory={folder}",
                ],
                "Maven cannot fetch what the app is built from",
            )
            for part in missing:
                _keep(folder / part.file, part.sha256, kept[part])
    return kept


def fetch_bundletool() -> Path:
    """Where bundletool is on this machine, fetched if it was not there.

    Raises:
        BuildError: npm is missing or cannot fetch, or the file is not the pinned one.
    """
    place = _place(_BUNDLETOOL_SHA256, "bundletool.jar")
    if not place.exists():
        with _scratch() as scratch:
            if place.exists():  # by another process, meanwhile
                return place
            programs.run(
                [programs.find("npm"), "pack", "--silent", _BUNDLETOOL_PACKAGE],
                "npm cannot fetch what the app is built with",
                Path(scratch),
            )
            (archive,) = Path(scratch).glob("*.tgz")
            with tarfile.open(archive) as package:
                member = package.extractfile(_BUNDLETOOL_MEMBER)
                assert member is not None
                jar = Path(scratch) / "bundletool.jar"
                jar.write_bytes(member.read())
            _keep(jar, _BUNDLETOOL_SHA256, place)
    return place


def classes(part: Part, path: Path, folder: Path) -> Path:
    """The classes of a fetched part as a jar: itself, or taken out of an .aar into a folder."""
    if part.kind == "jar":
        return path
    jar = folder / f"{part.artifact}.jar"
    with zipfile.ZipFile(path) as archive:
        jar.write_bytes(archive.read("classes.jar"))
    return jar


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(digest: str, name: str) -> Path:
    return places.cache() / "parts" / digest[:16] / name


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder to fetch into; one process at a time, as Maven's own repository asks for."""
    folder = places.cache() / "parts"
    # Beside the parts: what was fetched is moved into place, never half there.
    with (
        places.locked(folder / "fetching.lock"),
        tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as scratch,
    ):
        yield scratch


def _keep(file: Path, wanted: str, place: Path) -> None:
    if not file.exists():
        raise BuildError(f"{file.name} was not fetched, and nothing said why")
    found = sha256(file)
    if found != wanted:
        raise BuildError(
            f"{file.name} from the registry has SHA-256 {found}, and {wanted} is pinned"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(file, place)


def _project(parts: Iterable[Part]) -> str:
    """A Maven project that depends on the parts and on nothing that they depend on."""
    dependencies = "".join(
        f"<dependency><groupId>{part.group}</groupId><artifactId>{part.artifact}</artifactId>"
        f"<version>{part.version}</version><type>{part.kind}</type>"
        f"<classifier>{part.classifier}</classifier><exclusions><exclusion>"
        "<groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
        for part in parts
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>io.mobilebench</groupId>"
        "<artifactId>parts</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
