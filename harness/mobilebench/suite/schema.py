"""The suite file: what to compare, where, and how long. TOML in, validated objects out."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.devices import kinds
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.explain import explain_document, shown
from mobilebench.models.spec import NAMED_DATASETS, ModelSpec
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.records.runtime import Packing, Runtime, SlowPacking
from mobilebench.text import NAME_PATTERN, file_name


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProtocolTable(MeasuringProtocol):
    """How often and how long, without misspelt keys."""

    model_config = ConfigDict(extra="forbid")


class RuntimeTable(Runtime):
    """How a model is run, without misspelt keys."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=60, pattern=NAME_PATTERN)


class Suite(_Table):
    """What to compare: models × recipes × runtimes × devices.

    The first recipe of a model is its baseline.

    Attributes:
        downloads: packings whose sizes are computed beside that of gzip.
    """

    name: str = Field("suite", max_length=60, pattern=NAME_PATTERN)
    seed: int = Field(0, ge=0, lt=2**31)
    protocol: ProtocolTable = ProtocolTable()
    downloads: tuple[SlowPacking, ...] = ()
    recipes: tuple[str | dict[str, Any], ...] = ()
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    runtimes: tuple[RuntimeTable, ...] = Field((RuntimeTable(name="cpu-1"),), min_length=1)
    devices: tuple[Annotated[DeviceSpec, AfterValidator(kinds.checked)], ...] = Field(
        (DeviceSpec(name="local"),), min_length=1
    )

    @model_validator(mode="after")
    def _no_duplicates(self) -> Self:
        for key in ("models", "runtimes", "devices"):
            names = Counter(entry.name for entry in getattr(self, key))
            for name, count in names.items():
                if count > 1:
                    raise ValueError(
                        f"{key}: {shown(name)} is there {count} times; names must differ"
                    )
        return self

    @model_validator(mode="after")
    def _one_executor(self) -> Self:
        if len({device.executor for device in self.devices}) > 1:
            raise ValueError(
                "devices: one run has one executor, as their numbers must not be compared; "
                "make two suites of it"
            )
        if self.executor != "agent" and self.protocol.sustained_minutes is not None:
            raise ValueError(
                f"protocol: sustained_minutes needs every sample, and {self.executor} keeps none"
            )
        if self.executor != "agent" and any(runtime.packed for runtime in self.runtimes):
            raise ValueError(f"runtimes: {self.executor} unpacks nothing; leave packed out")
        if self.executor != "agent" and any(
            runtime.serialization or runtime.accelerator == "npu" for runtime in self.runtimes
        ):
            raise ValueError(f"runtimes: {self.executor} has no npu, and serializes nothing here")
        if self.executor != "agent" and any(
            runtime.cpus or runtime.cluster for runtime in self.runtimes
        ):
            raise ValueError(f"runtimes: {self.executor} cannot be kept to cpus, the agent can")
        return self

    @property
    def packings(self) -> tuple[Packing, ...]:
        """The packings whose sizes are computed: gzip, those asked for, those that runtimes use."""
        used = (runtime.packed for runtime in self.runtimes if runtime.packed)
        return tuple(dict.fromkeys(("gzip", *self.downloads, *used)))

    @property
    def executor(self) -> str:
        """Who measures on all devices."""
        return self.devices[0].executor

    def variants(self) -> tuple[tuple[ModelSpec, Recipe], ...]:
        """Each model with each of its recipes, then its ready files, in the order of the file.

        Raises:
            BadInputError: a recipe that is not one, or two variants of one name.
        """
        pairs = []
        for model in self.models:
            names = set()
            for variant, recipe in self._variants_of(model):
                if recipe.name in names:
                    raise BadInputError(
                        f"model {model.name!r} has {recipe.name!r} twice; "
                        "remove one, or give them different names"
                    )
                names.add(recipe.name)
                pairs.append((variant, recipe))
        return tuple(pairs)

    def _variants_of(self, model: ModelSpec) -> Iterator[tuple[ModelSpec, Recipe]]:
        for position, source in enumerate(
            model.recipes or self.recipes or (default_recipe(model),)
        ):
            try:
                yield model, parse_recipe(source)
            except BadInputError as error:
                raise BadInputError(
                    f"model {model.name!r}, recipe {position + 1}: {error}"
                ) from error
        for name, path in model.ready.items():
            yield (
                model.model_copy(update={"source": path, "data_for": model.source}),
                parse_recipe({"name": name, "recipe": "as_is"}),
            )


def default_recipe(model: ModelSpec) -> str:
    """What is done to a model whose suite says nothing: it is taken as it is."""
    return "as_is" if model.source.endswith(".tflite") else "float32"


def read_suite(path: Path) -> dict[str, Any]:
    """The document of a suite file, not yet validated; its name is the file's, if it has none.

    Raises:
        BadInputError: there is no such file, or it is no TOML.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(f"there is no suite file {path}") from error
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is not valid TOML: {error}") from error
    return {"name": file_name(path.stem), **document}


def validate(document: Mapping[str, Any], origin: str, folder: Path) -> Suite:
    """The suite that a document holds; paths in it are relative to ``folder``.

    Raises:
        BadInputError: with ``origin``, the key, and what would be accepted there.
    """
    try:
        suite = Suite.model_validate(document)
        suite.variants()
    except ValidationError as error:
        raise BadInputError(f"{origin}: {explain_document(error, Suite)}") from error
    except BadInputError as error:
        raise BadInputError(f"{origin}: {error}") from error
    return _resolve_paths(suite, folder)


def _resolve_paths(suite: Suite, folder: Path) -> Suite:
    def resolve(value: str | None, named: Iterable[str]) -> str | None:
        if value is None or value.startswith("zoo:") or value in named:
            return value
        return str((folder / value).absolute())

    models = tuple(
        model.model_copy(
            update={
                "source": resolve(model.source, ()),
                "student": resolve(model.student, ()),
                "teachers": tuple(resolve(teacher, ()) for teacher in model.teachers),
                "data": resolve(model.data, NAMED_DATASETS),
                "data_for": resolve(model.data_for, ()),
                "ready": {name: resolve(path, ()) for name, path in model.ready.items()},
            }
        )
        for model in suite.models
    )
    devices = tuple(
        device.model_copy(update={"binary": resolve(device.binary, ())}) for device in suite.devices
    )
    return suite.model_copy(update={"models": models, "devices": devices})
