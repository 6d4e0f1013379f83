"""The suite that a command line asks for: a file, model files, or nothing at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobilebench.errors import BadInputError
from mobilebench.suite.schema import Suite, read_suite, validate
from mobilebench.text import file_name


def choose_suite(
    what: Sequence[Path],
    data: str | None = None,
    recipes: Sequence[str] = (),
    overrides: Mapping[str, Any] = {},
    student: str | None = None,
    teachers: Sequence[str] = (),
) -> Suite:
    """The suite that a command line asks for.

    Args:
        what: one ``.toml`` file, or model files or ``zoo:NAME``, or nothing: the quickstart suite.
        data: the data of model files.
        recipes: the recipes of model files.
        overrides: ``blocks``, ``seconds``, ``sustained_minutes``, ``energy``, ``threads``,
            ``cpus``, ``seed`` or ``devices`` (a sequence of
            ``mobilebench.devices.spec.DeviceSpec``) in the suite's place.
        student: the student of the model file.
        teachers: whom its ``distill`` learns from, if not from the model itself.

    Raises:
        BadInputError: it makes no valid suite.
    """
    if what and what[0].suffix != ".toml":
        document = _document_of_files(what, data, student, teachers, recipes)
        origin, folder = "the command line", Path()
    elif len(what) > 1 or data or student or teachers or recipes:
        raise BadInputError(
            "a suite file stands alone: write data, student and recipes into it, or name model "
            "files instead"
        )
    else:
        path = what[0] if what else quickstart()
        document, origin, folder = read_suite(path), str(path), path.parent
    return validate(_override(document, overrides), origin, folder)


def change_suite(suite: Suite, overrides: Mapping[str, Any]) -> Suite:
    """The suite with ``overrides`` (see ``choose_suite``) in the place of what it says.

    Raises:
        BadInputError: one of them is not valid.
    """
    return validate(_override(suite.model_dump(), overrides), f"suite {suite.name!r}", Path())


def quickstart() -> Path:
    """The suite that runs without an argument; it travels in the package."""
    packaged = Path(__file__).parents[1] / "suites" / "quickstart.toml"
    checkout = Path(__file__).parents[3] / "suites" / "quickstart.toml"
    return packaged if packaged.exists() else checkout


def _document_of_files(
    files: Sequence[Path],
    data: str | None,
    student: str | None,
    teachers: Sequence[str],
    recipes: Sequence[str],
) -> dict[str, Any]:
    """The first file is the model; further ``.tflite`` files are ready variants of it."""
    first, *others = files
    for other in others:
        if other.suffix != ".tflite":
            raise BadInputError(
                f"{other} cannot be compared with {first.name} as it is: only .tflite files can; "
                "for several models write a suite file"
            )
    names = Counter(other.stem for other in others)
    model: dict[str, Any] = {
        "name": _model_name(first),
        "source": str(first),
        "recipes": list(recipes),
        # Files of one name in different folders are distinguished by the folder.
        "ready": {
            other.stem if names[other.stem] == 1 else str(other.with_suffix("")): str(other)
            for other in others
        },
    }
    given = (("data", data), ("student", student), ("teachers", list(teachers)))
    model |= {key: value for key, value in given if value}
    return {"name": file_name(model["name"]), "models": [model]}


def _override(document: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(document)
    keys = ("blocks", "seconds", "sustained_minutes", "energy")
    protocol = {key: overrides[key] for key in keys if key in overrides}
    if "sustained_minutes" in protocol:
        # A suite's blocks are meant for bursts.
        protocol = {"blocks": 1, **protocol}
    if protocol and isinstance(changed.get("protocol", {}), dict):
        changed["protocol"] = {**changed.get("protocol", {}), **protocol}
    if "threads" in overrides:
        changed["runtimes"] = [
            {"name": f"cpu-{overrides['threads']}", "threads": overrides["threads"]}
        ]
    if "cpus" in overrides:
        runtimes = changed.get("runtimes") or [{"name": "cpu-1"}]
        changed["runtimes"] = [{**r, "cpus": overrides["cpus"]} for r in runtimes]
    if "devices" in overrides:
        changed["devices"] = [device.model_dump() for device in overrides["devices"]]
    if "seed" in overrides:
        changed["seed"] = overrides["seed"]
    return changed


def _model_name(file: Path) -> str:
    name = str(file).removeprefix("zoo:") if str(file).startswith("zoo:") else file.stem
    return name.strip()[:100] or "model"
