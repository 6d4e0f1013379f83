"""The suite file: what to compare, where, and how long. TOML in, validated objects out."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from mobilebench_agent.contract import FEWEST_WINDOWS
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from mobilebench.compress.pipeline.pack import Packing
from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.devices import kinds
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.explain import explain_document
from mobilebench.models.spec import NAMED_DATASETS, ModelSpec
from mobilebench.text import NAME_PATTERN, file_name


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MeasuringProtocol(_Table):
    """How often and how long. The defaults are those of TensorFlow's benchmark_model.

    Attributes:
        blocks: fresh processes a variant; six give a 95 % interval of the median.
        warmup_runs: at least so many inferences before the first timed one.
        warmup_seconds: and at least so long.
        runs: at least so many timed inferences a trial.
        seconds: and at least so long.
        max_seconds: a slow model stops here, with fewer runs.
        timeout_seconds: a trial without an answer by then has failed; energy windows come on top.
        cooldown_celsius: a trial begins when the device (a phone's battery, a Linux machine's
            hottest thermal zone) has at most so many degrees; None: when it is not throttled.
        cooldown_seconds: how long that is waited for; after that the run cannot go on.
        sustained_minutes: a latency trial runs so long without a pause, in the place of ``runs``
            and ``seconds``, and then there is one a variant unless ``blocks`` says otherwise;
            None: bursts.
        energy: whether energy per inference is measured, where a device has a counter for it.
        energy_windows: pairs of an idle and a load window in an energy trial.
        energy_seconds: how long each window is.
    """

    blocks: int = Field(6, ge=1, le=10_000)
    warmup_runs: int = Field(1, ge=0)
    warmup_seconds: float = Field(0.5, ge=0, le=3600, allow_inf_nan=False)
    runs: int = Field(50, ge=1)
    seconds: float = Field(1.0, ge=0, le=3600, allow_inf_nan=False)
    max_seconds: float = Field(150.0, gt=0, le=36000, allow_inf_nan=False)
    timeout_seconds: float = Field(300.0, gt=0, le=36000, allow_inf_nan=False)
    cooldown_celsius: float | None = Field(None, ge=0, le=150, allow_inf_nan=False)
    cooldown_seconds: float = Field(600.0, ge=0, le=36000, allow_inf_nan=False)
    sustained_minutes: float | None = Field(None, gt=0, le=600, allow_inf_nan=False)
    energy: bool = False
    energy_windows: int = Field(FEWEST_WINDOWS, ge=FEWEST_WINDOWS, le=1000)
    energy_seconds: float = Field(2.0, gt=0, le=600, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _one_block(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("sustained_minutes") and "blocks" not in table:
            return {**table, "blocks": 1}
        return table

    @property
    def measured_seconds(self) -> float:
        """How long a latency trial is timed, at least."""
        return self.seconds if self.sustained_minutes is None else 60 * self.sustained_minutes

    def expected_seconds(self, kind: str) -> float:
        """How long the timed loops or the windows of a trial take."""
        if kind == "latency":
            return self.warmup_seconds + self.measured_seconds
        if kind == "energy":
            # Each window has a lead-in of a quarter of its length.
            return self.warmup_seconds + 2.5 * self.energy_windows * self.energy_seconds
        return 0.0

    def limit_seconds(self, kind: str) -> float:
        """When a trial without an answer has failed."""
        return self.timeout_seconds + (self.expected_seconds(kind) if kind == "energy" else 0)


class RuntimeSpec(_Table):
    """How a model is run: accelerator, threads, delegate, CPUs; and how its file comes there.

    With ``packed`` the file is sent packed, the agent unpacks it in each trial, and the time that
    takes is part of the initialization. The app unpacks gzip.

    Attributes:
        cpus: the process is kept to these, as ``[4, 5]`` to two fast cores; none: the system
            chooses.
    """

    name: str = Field(max_length=60, pattern=NAME_PATTERN)
    accelerator: Literal["cpu", "gpu", "nnapi"] = "cpu"
    threads: int = Field(1, ge=1, le=256)
    xnnpack: bool = True
    packed: Packing | None = None
    cpus: tuple[Annotated[int, Field(ge=0, lt=4096)], ...] = ()

    @field_validator("cpus")
    @classmethod
    def _each_once(cls, cpus: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(cpus)) < len(cpus):
            raise ValueError("a CPU is there twice")
        return tuple(sorted(cpus))


class Suite(_Table):
    """What to compare: models × recipes × runtimes × devices.

    The first recipe of a model is its baseline.
    """

    name: str = Field("suite", max_length=60, pattern=NAME_PATTERN)
    seed: int = Field(0, ge=0, lt=2**31)
    protocol: MeasuringProtocol = MeasuringProtocol()
    recipes: tuple[str | dict[str, Any], ...] = ()
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    runtimes: tuple[RuntimeSpec, ...] = Field((RuntimeSpec(name="cpu-1"),), min_length=1)
    devices: tuple[Annotated[DeviceSpec, AfterValidator(kinds.checked)], ...] = Field(
        (DeviceSpec(name="local"),), min_length=1
    )

    @model_validator(mode="after")
    def _no_duplicates(self) -> Self:
        for key in ("models", "runtimes", "devices"):
            names = Counter(entry.name for entry in getattr(self, key))
            for name, count in names.items():
                if count > 1:
                    raise ValueError(f"{key}: {name!r} is there {count} times; names must differ")
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
        if self.executor != "agent" and any(runtime.cpus for runtime in self.runtimes):
            raise ValueError(f"runtimes: {self.executor} cannot be kept to cpus, the agent can")
        return self

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
