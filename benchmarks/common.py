"""What the benchmarks share: models to run, and a heading that says where and how."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from harness import host

_BIN = Path(sys.executable).parent
MOBILEBENCH = str(_BIN / "mobilebench")
LITERT_BENCHMARK = str(_BIN / "litert-benchmark")


def heading(title: str) -> None:
    """Prints machine, versions and command."""
    facts = host.facts()
    versions = host.versions()
    shown = ("mobilebench", "python", "ai-edge-litert", "litert-quantizer", "tensorflow")
    print(f"# {title}")
    print(f"machine   {facts['cpu']}, {facts['cores']} cores, {facts['system']}")
    print("versions  " + ", ".join(f"{name} {versions.get(name, '—')}" for name in shown))
    print("command   python " + " ".join(sys.argv))
    print(flush=True)


def zoo(model: str, recipes: list[str], into: Path) -> dict[str, Path]:
    """A model of the zoo: one .tflite a recipe."""
    subprocess.run(
        [MOBILEBENCH, "compress", f"zoo:{model}", *recipes, "--into", str(into)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return {recipe: into / f"{model}.{recipe}.tflite" for recipe in recipes}


def sha256(path: Path) -> str:
    """The file's hash, as a job names it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
