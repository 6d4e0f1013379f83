"""Packages of a Debian release in a folder: downloaded by this machine's apt, and never installed.

apt works with a state of its own, so another release or architecture changes nothing here, and no
root is needed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app_build import places, programs
from app_build.errors import BuildError


@dataclass(frozen=True)
class Packages:
    """What is unpacked together.

    Attributes:
        releases: by the distribution that this machine's apt knows, what to take of its archive,
            as in a line of sources.list.
        names: of the packages.
        architecture: theirs; empty for this machine's.
        dependencies: whether what they depend on is unpacked, too.
        unneeded: patterns of paths that are not kept.
    """

    releases: Mapping[str, str]
    names: tuple[str, ...]
    architecture: str = ""
    dependencies: bool = False
    unneeded: tuple[str, ...] = ("usr/share",)


def unpack(packages: Packages, folder: Path) -> None:
    """Unpacks packages into a folder, unless it is there; it appears whole or not at all.

    Raises:
        BuildError: this machine has no apt, or it cannot fetch.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with places.locked(folder.with_name(f"{folder.name}.lock")):
        if folder.exists():
            return
        archives = _download(packages, folder.with_name(f"{folder.name}.apt"))
        fresh = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        for archive in sorted(archives.glob("*.deb")):
            programs.run(["dpkg-deb", "-x", archive, fresh], "a Debian package cannot be unpacked")
        shutil.rmtree(archives.parent)
        for pattern in packages.unneeded:
            for path in sorted(fresh.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        _point_inside(fresh)
        fresh.rename(folder)


def _download(packages: Packages, state: Path) -> Path:
    """Where apt put the packages."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise BuildError(f"unpacking Debian packages needs {program}, which is not installed")
    archives = state / "archives"
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").write_text("")
    (state / "sources.list").write_text(f"deb {_archive(packages.releases)}\n")
    apt = [
        "apt-get",
        "-qq",
        f"-oDir::Etc::sourcelist={state}/sources.list",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={state}/lists",
        f"-oDir::State::status={state}/status",
        f"-oDir::Cache={state}",
        f"-oAPT::Sandbox::User={os.environ.get('USER', 'root')}",
    ]
    if packages.architecture:
        apt += [f"-oAPT::Architecture{end}={packages.architecture}" for end in ("", "s")]
    wanted = (
        ["-y", "--no-install-recommends", "--download-only", "install"]
        if packages.dependencies
        else ["download"]
    )
    programs.run([*apt, "update"], "apt-get cannot fetch its lists")
    programs.run([*apt, *wanted, *packages.names], "apt-get cannot fetch packages", cwd=archives)
    return archives


def _archive(releases: Mapping[str, str]) -> str:
    """The archive that this machine's apt uses, and what to take from there."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]
    for line in programs.run(ask, "apt-get cannot fetch").splitlines():
        address, _, label = line.partition(" ")
        if label in releases:
            return f"{address} {releases[label]}"
    known = " and ".join(releases)
    raise BuildError(f"apt-get cannot fetch packages of {known}: its lists are of something else")


def _point_inside(root: Path) -> None:
    """Makes links to absolute paths relative ones, so that they do not lead out of the folder."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            if path.is_symlink() and (target := os.readlink(path)).startswith("/"):
                path.unlink()
                path.symlink_to(os.path.relpath(root / target.lstrip("/"), folder))
