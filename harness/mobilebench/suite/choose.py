"""The suite that a command line asks for: a file, model files, or nothing at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobilebench.errors import BadInputError
from mobilebench.models.sources import find_source
from mobilebench.records.interface import Interface, differences
from mobilebench.suite.schema import Suite, read_suite, validate
from mobilebench.text import file_name
from mobilebench.tflite import entry, interface

#: Of a model's name (``mobilebench.models.spec.ModelSpec``).
_LONGEST_NAME = 100


def choose_suite(
    what: Sequence[Path],
    data: str | None = None,
    recipes: Sequence[str] = (),
    overrides: Mapping[str, Any] = {},
    student: str | None = None,
    teachers: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] = {},
    signature: str | None = None,
    task: str | None = None,
) -> Suite:
    """The suite that a command line asks for.

    Args:
        what: one ``.toml`` file, or model files or ``zoo:NAME``, or nothing: the quickstart suite.
        data: the data of model files.
        recipes: the recipes of model files.
        overrides: ``blocks``, ``seconds``, ``sustained_minutes``, ``energy``, ``accelerator``,
            ``threads``, ``cpus``, ``seed``, ``downloads`` or ``devices`` (a sequence of
            ``mobilebench.devices.spec.DeviceSpec``) in the suite's place.
        student: the student of the model file.
        teachers: whom its ``distill`` learns from, if not from the model itself.
        shapes: of the inputs of model files, see ``mobilebench.models.spec.ModelSpec``.
        signature: which one of a model file is run.
        task: what the model files are for, see ``mobilebench.models.tasks.TASKS``.

    Raises:
        BadInputError: it makes no valid suite.
    """
    if what and what[0].suffix != ".toml":
        given = {
            "data": data,
            "student": student,
            "teachers": list(teachers),
            "shapes": {name: list(shape) for name, shape in shapes.items()},
            "signature": signature,
            "task": task,
        }
        document = _document_of_files(what, recipes, {k: v for k, v in given.items() if v})
        origin, folder = "the command line", Path()
    elif len(what) > 1 or data or student or teachers or recipes or shapes or signature or task:
        raise BadInputError(
            "a suite file stands alone: write data, task, student, recipes, shapes and signature "
            "into it, or name model files instead"
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
    files: Sequence[Path], recipes: Sequence[str], given: Mapping[str, Any]
) -> dict[str, Any]:
    """A model for each interface, whose first file it is; the other files are its variants.

    Raises:
        BadInputError: a file that is none, or several files that are no ``.tflite``.
    """
    first, *others = files
    for other in others:
        if other.suffix != ".tflite":
            raise BadInputError(
                f"{other} cannot be compared with {first.name} as it is: only .tflite files can; "
                "for several models write a suite file"
            )
    # What another model becomes is known only when it is made.
    alike = _alike(files, given) if others and first.suffix == ".tflite" else [list(files)]
    named = Counter(_model_name(source) for source, *_ in alike)
    models = []
    for source, *ready in alike:
        name = _model_name(source)
        if named[name] > 1:
            name = str(source.with_suffix(""))[-_LONGEST_NAME:]
        names = Counter(other.stem for other in ready)
        models.append(
            {
                "name": name,
                "source": str(source),
                "recipes": list(recipes),
                # Files of one name in different folders are distinguished by the folder.
                "ready": {
                    other.stem if names[other.stem] == 1 else str(other.with_suffix("")): str(other)
                    for other in ready
                },
                **given,
            }
        )
    return {"name": file_name(models[0]["name"]), "models": models}


def _alike(files: Sequence[Path], given: Mapping[str, Any]) -> list[list[Path]]:
    """The files by interface: what takes and gives something else is another model."""
    groups: list[tuple[Interface, list[Path]]] = []
    for file in files:
        source = find_source(str(file))
        content = entry.enter(
            source.read(),
            source.text,
            signature=given.get("signature"),
            shapes=given.get("shapes", {}),
            ready=bool(groups),
        )
        found = interface.read(content, source.text)
        for taken, alike in groups:
            if not differences(taken, found):
                alike.append(file)
                break
        else:
            groups.append((found, [file]))
    return [alike for _, alike in groups]


def _override(document: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(document)
    keys = ("blocks", "seconds", "sustained_minutes", "energy")
    protocol = {key: overrides[key] for key in keys if key in overrides}
    if "sustained_minutes" in protocol:
        # A suite's blocks are meant for bursts.
        protocol = {"blocks": 1, **protocol}
    if protocol and isinstance(changed.get("protocol", {}), dict):
        changed["protocol"] = {**changed.get("protocol", {}), **protocol}
    if asked := {key: overrides[key] for key in ("accelerator", "threads") if key in overrides}:
        name = "-".join(str(part) for part in ({"accelerator": "cpu"} | asked).values())
        changed["runtimes"] = [{"name": name, **asked}]
    if "cpus" in overrides:
        runtimes = changed.get("runtimes") or [{"name": "cpu-1"}]
        changed["runtimes"] = [{**r, "cpus": overrides["cpus"]} for r in runtimes]
    if "devices" in overrides:
        changed["devices"] = [device.model_dump() for device in overrides["devices"]]
    changed |= {key: overrides[key] for key in ("seed", "downloads") if key in overrides}
    return changed


def _model_name(file: Path) -> str:
    name = str(file).removeprefix("zoo:") if str(file).startswith("zoo:") else file.stem
    return name.strip()[:_LONGEST_NAME] or "model"
