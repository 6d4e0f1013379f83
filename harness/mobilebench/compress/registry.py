"""The steps that a recipe can name: those built in here, and plug-ins of installed packages.

A plug-in is an entry point in the group ``mobilebench.steps``: its name is the step's, its object
the step's class. It is imported when a recipe names it, in the host and in the compression process
alike, so an installed package that is broken costs only the recipes that use it.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mobilebench.compress.step import EncodingStep, Form, QuantizingStep, Step, TrainingStep
from mobilebench.compress.steps.baseline import AsIs, Float32
from mobilebench.compress.steps.cluster import Cluster
from mobilebench.compress.steps.distill import Distill, Student
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.low_rank import LowRank
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.steps.prune_channels import PruneChannels
from mobilebench.compress.steps.quantization_aware import QuantizationAware
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    Int16x8,
    WeightOnlyInt4,
    WeightOnlyInt8,
)
from mobilebench.compress.steps.sparse import Sparse
from mobilebench.errors import BadInputError, did_you_mean, first_line
from mobilebench.explain import shown

GROUP = "mobilebench.steps"

#: The steps built in, in the order in which messages list them. A new one is added here.
BUILT_IN: dict[str, type[Step]] = {
    step.name: step
    for step in (
        Float32,
        AsIs,
        Float16,
        DynamicInt8,
        DynamicInt4,
        WeightOnlyInt8,
        WeightOnlyInt4,
        Int8,
        Int16x8,
        Prune,
        PruneChannels,
        Distill,
        Student,
        FineTune,
        Cluster,
        LowRank,
        QuantizationAware,
        Sparse,
    )
}

#: What litert-quantizer calls the same steps, and the settings that its names imply.
_ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "static_wi8_ai8": ("int8", {}),
    "static_wi4_ai8": ("int8", {"weight_bits": 4}),
    "static_wi8_ai16": ("int16x8", {}),
    "static_wi4_ai16": ("int16x8", {"weight_bits": 4}),
    "dynamic_wi8_afp32": ("dynamic_int8", {}),
    "dynamic_wi8c_afp32": ("dynamic_int8", {}),
    "dynamic_wi4_afp32": ("dynamic_int4", {}),
    "dynamic_wi4c_afp32": ("dynamic_int4", {}),
    "dynamic_wi4b32_afp32": ("dynamic_int4", {"block": 32}),
    "dynamic_wi4b64_afp32": ("dynamic_int4", {"block": 64}),
    "weight_only_wi8_afp32": ("weight_only_int8", {}),
    "weight_only_wi4_afp32": ("weight_only_int4", {}),
}

#: Its names for what no runtime here can run, or what it leaves undone without a word.
_REFUSED = {
    "dynamic_wi8b32_afp32": "it has blocks for 4-bit weights only, and quantizes nothing here",
    "dynamic_wi8b64_afp32": "it has blocks for 4-bit weights only, and quantizes nothing here",
    "dynamic_wi2b32_afp32": "the runtime refuses 2-bit blocks",
    "dynamic_wi2b64_afp32": "the runtime refuses 2-bit blocks",
}


@dataclass(frozen=True)
class PlugIn:
    """Where a step that is not built in comes from: what its files depend on besides its settings.

    Attributes:
        distribution: the installed package.
        version: its version.
        sha256: of all files of the Python package, or of the module, that the step's class is in.
    """

    distribution: str
    version: str
    sha256: str


def find_step(name: str) -> tuple[type[Step], dict[str, Any]]:
    """The class of the step of that name, and the settings that the name implies.

    Raises:
        BadInputError: there is none, two packages offer it, a package offers it under a name that
            is taken, or a plug-in cannot be loaded or is no step.
    """
    offers = _offers(tuple(sys.path)).get(name, ())
    if name in _own_names():
        if offers:
            raise BadInputError(
                f"{_whose(offers[0])} has the name of a step that MobileBench has itself; "
                "uninstall the package, or rename its step"
            )
        if name in _REFUSED:
            raise BadInputError(
                f"recipe step {name!r} of litert-quantizer is not offered: {_REFUSED[name]}; "
                "use dynamic_int4(block=32) or dynamic_int8"
            )
        own_name, implied = _ALIASES.get(name, (name, {}))
        return BUILT_IN[own_name], implied
    if not offers:
        _offers.cache_clear()  # a package may have been installed since the last look
        offers = _offers(tuple(sys.path)).get(name, ())
    if not offers:
        known = [*BUILT_IN, *sorted(_offers(tuple(sys.path)).keys() - _own_names())]
        hint = did_you_mean(name[:100].lower(), [*known, *_ALIASES])
        raise BadInputError(
            f"unknown recipe step {shown(name)}; {hint}known are {', '.join(known)}"
        )
    if len(offers) > 1:
        packages = " and ".join(_package(offer) for offer in offers)
        raise BadInputError(f"recipe step {name!r} is offered by {packages}; uninstall one of them")
    return _load(offers[0]), {}


def plug_in_of(step: Step) -> PlugIn | None:
    """Where a step comes from; None if it is built in.

    Raises:
        BadInputError: its files cannot be read.
    """
    if step.name in BUILT_IN:
        return None
    (offer,) = _offers(tuple(sys.path))[step.name]
    roots = {_root(module) for module in (offer.module, type(step).__module__)}
    try:
        sha256 = _digest(roots)
    except OSError as error:
        raise BadInputError(
            f"{_whose(offer)} cannot be used: its files cannot be read ({first_line(error)}), and "
            "without them it is unknown whether they changed; install it unpacked"
        ) from error
    distribution = offer.dist
    if distribution is None:
        return PlugIn("unknown", "unknown", sha256)
    return PlugIn(distribution.name, distribution.version or "unknown", sha256)


def _own_names() -> set[str]:
    return {*BUILT_IN, *_ALIASES, *_REFUSED}


@functools.lru_cache(maxsize=4)
def _offers(_path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The plug-ins of all packages on the path, by name; looking costs tens of milliseconds."""
    found = defaultdict(list)
    for offer in entry_points(group=GROUP):
        found[offer.name].append(offer)
    return {name: tuple(offers) for name, offers in found.items()}


def _load(offer: EntryPoint) -> type[Step]:
    try:
        step = offer.load()
    except (Exception, SystemExit) as error:  # a plug-in's import raises whatever it likes
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise BadInputError(
            f"{_whose(offer)} cannot be loaded from {offer.value!r} ({reason}); "
            "repair or uninstall the package"
        ) from error
    fault = _fault(step, offer.name)
    if fault:
        raise BadInputError(f"{_whose(offer)} is no step: {offer.value!r} {fault}")
    assert isinstance(step, type)
    assert issubclass(step, Step)
    return step


def _fault(step: object, name: str) -> str:
    """What is wrong with the object of an entry point; empty if nothing."""
    kinds = (TrainingStep, QuantizingStep, EncodingStep)
    if not isinstance(step, type) or not issubclass(step, kinds):
        return f"is no class derived from {', '.join(kind.__name__ for kind in kinds)}"
    own_name = getattr(step, "name", None)
    if own_name != name:
        return f"calls itself {own_name!r}, and the entry point {name!r}"
    if not name.isidentifier():
        return f"has the name {name!r}, which a recipe cannot spell: use letters, digits and _"
    trains = issubclass(step, TrainingStep)
    if (step.gives is Form.KERAS) != trains or (Form.KERAS in step.takes) != trains:
        return "must take and give a Keras model if it is a TrainingStep, and only then"
    return _settings_fault(step)


def _settings_fault(step: type[Step]) -> str:
    if step.leading and step.leading not in step.model_fields:
        return f"has no setting {step.leading!r}, which it names as leading"
    if "step" in step.model_fields:
        return "has a setting 'step', which in a recipe's table is the name of the step"
    return ""


def _whose(offer: EntryPoint) -> str:
    return f"recipe step {offer.name!r} of {_package(offer)}"


def _package(offer: EntryPoint) -> str:
    if offer.dist is None:
        return "an unknown package"
    return f"the package {offer.dist.name} {offer.dist.version or ''}".rstrip()


def _root(module: str) -> Path:
    """The folder of the outermost package that a module is in, or the module's own file."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        file = getattr(sys.modules.get(".".join(parts[:count])), "__file__", None)
        if file is not None:  # a namespace package has none
            path = Path(file)
            return path.parent if path.stem == "__init__" else path
    raise OSError(f"module {module} has no file")


def _digest(roots: set[Path]) -> str:
    digest = hashlib.sha256()
    for root in sorted(roots):
        inside = [path for path in sorted(root.rglob("*")) if path.is_file()]
        for path in inside if root.is_dir() else [root]:
            relative = path.relative_to(root.parent)
            if "__pycache__" not in relative.parts:
                content = path.read_bytes()
                digest.update(f"{relative.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
