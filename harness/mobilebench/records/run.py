"""A run: everything that ``run.json`` says, typed. Its measurements are kept apart.

Format 2 is what is written. Format 1 is read, too: ``migrate`` makes format 2 of it in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_serializer,
    model_validator,
)

from mobilebench.errors import BadInputError, first_line
from mobilebench.explain import explain_document
from mobilebench.records.device import DeviceFacts
from mobilebench.records.gate import Gate
from mobilebench.records.interface import Interface
from mobilebench.records.precision import Precision
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.records.runtime import Runtime
from mobilebench.records.sizes import FILE
from mobilebench.records.trial import PlannedTrial

#: The format of ``run.json`` and its folder; a newer one is refused, not guessed at.
FORMAT = 2

#: The step at which a variant with other inputs or outputs than its baseline fails.
INTERFACE_STEP = "compare with the baseline"


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("should be a time with its time zone")
    return text


#: A UTC time (ISO 8601).
Moment = Annotated[str, AfterValidator(_moment)]
#: It becomes part of a file's name.
Hash = Annotated[str, Field(pattern=r"^[0-9A-Za-z]+$")]


class _Part(BaseModel):
    """Keys that a newer version added are passed over."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Verbatim(_Part):
    """A part of which only some keys are read, and whose whole ``document`` is kept as it was."""

    document: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _keep_document(cls, table: Any) -> Any:
        return {**table, "document": table} if isinstance(table, dict) else table

    @model_serializer
    def _as_it_was(self) -> dict[str, Any]:
        return self.document


class StoredSuite(_Verbatim):
    """The suite that was run; a resume validates the whole document."""

    name: str
    protocol: MeasuringProtocol


class StoredModel(_Part):
    """A model of the suite, and the accuracy that is required of its variants (shares).

    ``min_quality`` and ``max_quality_loss`` are of the first metric of its task, in that one's
    unit.
    ``hooks`` names the functions of its data's own file that take part in scoring answers;
    ``quality_unit`` and ``quality_margin`` are what that says of its own score.
    """

    name: str
    source: str = ""
    data: str | None = None
    baseline: str
    min_accuracy: float | None = None
    max_accuracy_loss: float | None = None
    min_quality: float | None = None
    max_quality_loss: float | None = None
    hooks: tuple[str, ...] = ()
    quality_unit: str = ""
    quality_margin: Annotated[float, Field(ge=0)] | None = None


class StoredDataset(_Part):
    """The samples that a variant was evaluated on, below ``artifacts/``.

    Attributes:
        name: what distinguishes a subset from the full set.
        sha256: of their file, ``.safetensors``, or ``.npz`` in runs of older versions.
        count: how many.
        task: by which answers are scored; empty: it is found from labels and outputs.
        reason: why they cannot be scored, if that is known.
    """

    name: str
    sha256: Hash
    count: int = Field(ge=1)
    task: str = ""
    reason: str = ""


class StoredStep(_Part):
    """What is read of a recipe's step.

    Attributes:
        step: its text.
        sparse_kernels: how many nodes it meant for kernels that use zeros.
        sensitivity: the scan that a pruning step chose its rates from.
    """

    step: str = ""
    sparse_kernels: int | None = None
    sensitivity: dict[str, Any] | None = None


class Provenance(_Verbatim):
    """Where an artifact comes from; ``steps`` are in order."""

    steps: tuple[StoredStep, ...] = ()


class StoredArtifact(_Part):
    """One variant's file, below ``artifacts/``.

    Attributes:
        sizes: bytes: of the ``file``, and of what each packing makes of it, where that is known.
        interface: what it takes and gives; None in runs of older versions.
        precision: how exactly it computes; None in runs of older versions.
        run_as: which signature and input shapes are run, where its source leaves that open.
        dataset: what it is evaluated on; None: its accuracy is not measured.
        warnings: what was noticed while it was made.
    """

    model: str
    recipe: str
    sha256: Hash
    sizes: dict[str, Annotated[int, Field(ge=0)]]
    interface: Interface | None = None
    precision: Precision | None = None
    run_as: str = ""
    dataset: StoredDataset | None = None
    warnings: tuple[str, ...] = ()
    provenance: Provenance = Provenance.model_validate({})


class StoredFailure(_Part):
    """A variant that could not be made: the step that failed and why, in one sentence."""

    model: str
    recipe: str
    step: str = ""
    reason: str


class Refusal(_Part):
    """A variant that is not measured in one place: why its runtime cannot run it, in a sentence."""

    device: str
    runtime: str
    model: str
    recipe: str
    reason: str


class MissingDevice(_Part):
    """A device with trials left to do: why it is not measured (any more), in one sentence.

    ``code``: ``unfit``, ``lost``, ``taken``, or ``unavailable`` where it could not be had at all.
    """

    device: str
    code: Literal["unfit", "lost", "taken", "unavailable"]
    reason: str


class Identity(_Part):
    """Which run it is.

    Attributes:
        name: of the run, and of its folder.
        state: ``running`` also after a crash or a power cut.
        created, finished: UTC times; not finished: None.
    """

    name: str
    state: Literal["running", "interrupted", "finished"]
    created: Moment
    finished: Moment | None = None


class Circumstances(Identity):
    """What a run was measured on; ``suite``: without the folders of the user's disk."""

    suite: StoredSuite
    devices: tuple[DeviceFacts, ...]
    runtimes: tuple[Runtime, ...]


_Found = TypeVar("_Found", bound=Identity)


class Run(Circumstances):
    """A run, as ``run.json`` has it: everything but the measurements.

    Attributes:
        command: how it was asked for.
        versions: of the libraries that took part, by name.
        host: what the controlling machine is.
        refusals: what was found, before it was made, that a runtime of a device cannot run.
        missing: devices that are not measured (any more), while others are.
        plan: the trials in order.
        gate: what a gate compares; None: the run is none.
        warnings: what must not be read into the numbers.
    """

    seed: int
    command: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    host: dict[str, Any] = {}
    models: tuple[StoredModel, ...]
    artifacts: tuple[StoredArtifact, ...]
    failures: tuple[StoredFailure, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    missing: tuple[MissingDevice, ...] = ()
    plan: tuple[PlannedTrial, ...]
    gate: Gate | None = None
    warnings: tuple[str, ...] = ()

    @property
    def cautions(self) -> tuple[str, ...]:
        """What must be known of its devices and runtimes: a sentence each."""
        said = [device.caution for device in self.devices]
        said += [runtime.caution for runtime in self.runtimes]
        return tuple(filter(None, said))

    def device(self, name: str) -> DeviceFacts | None:
        """The device of that name."""
        return next((device for device in self.devices if device.name == name), None)

    def runtime(self, name: str) -> Runtime | None:
        """The runtime of that name."""
        return next((runtime for runtime in self.runtimes if runtime.name == name), None)

    def model(self, name: str) -> StoredModel | None:
        """The model of that name."""
        return next((model for model in self.models if model.name == name), None)

    def artifacts_of(self, model: str) -> dict[str, StoredArtifact]:
        """A model's files, by recipe."""
        return {found.recipe: found for found in self.artifacts if found.model == model}

    def failures_of(self, model: str) -> dict[str, StoredFailure]:
        """Which of a model's variants could not be made, by recipe."""
        return {found.recipe: found for found in self.failures if found.model == model}

    def refusals_at(self, model: str, device: str, runtime: str) -> dict[str, str]:
        """Why variants of a model are not measured in a place, by recipe."""
        place = (model, device, runtime)
        return {
            r.recipe: r.reason for r in self.refusals if (r.model, r.device, r.runtime) == place
        }

    def document(self) -> dict[str, Any]:
        """What ``run.json`` holds, as plain values."""
        return {"format": FORMAT, **self.model_dump(mode="json")}


def read_run(document: Any, origin: str) -> Run:
    """The run that a document of any known format holds.

    Args:
        document: what was read from JSON.
        origin: where, for a sentence.

    Raises:
        BadInputError: it is none, or of a newer format; the message names the key.
    """
    return _read(Run, document, origin)


def read_identity(document: Any, origin: str) -> Identity:
    """As ``read_run``, of that part alone: of thousands of runs the rest need not be looked at."""
    return _read(Identity, _only(Identity, document), origin)


def read_circumstances(document: Any, origin: str) -> Circumstances:
    """As ``read_run``, of that part alone."""
    return _read(Circumstances, _only(Circumstances, document), origin)


def _only(model: type[BaseModel], document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    return {key: document[key] for key in ("format", "run", *model.model_fields) if key in document}


def _read(model: type[_Found], document: Any, origin: str) -> _Found:
    if not isinstance(document, dict):
        raise BadInputError(f"{origin} is damaged: it holds no table")
    found = document.get("format")
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= FORMAT:
        raise BadInputError(
            f"{origin} has format {found!r}, and this version reads formats 1 to {FORMAT}; "
            "use the version of MobileBench that wrote it"
        )
    try:
        # Parts that are kept as they were must be writable again: no infinity, no half character.
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
        return model.model_validate(migrate(document))
    except ValidationError as error:
        why = explain_document(error, model).removesuffix(".")
        older = "" if found == FORMAT else f" (format {found}, read as format {FORMAT})"
        raise BadInputError(f"{origin} is damaged: {why}{older}") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{origin} is damaged: {first_line(error)}") from error


def migrate(document: dict[str, Any]) -> dict[str, Any]:
    """The same run in format 2, whatever format it has; what is damaged stays so.

    Format 1 called the run's name ``run`` and a gate's pairs ``places``; it had a key for each size
    of an artifact; and what a suite says of a device's battery was in the suite alone.
    """
    if document.get("format") != 1:
        return document
    new = {key: value for key, value in document.items() if key != "run"}
    if "run" in document:
        new["name"] = document["run"]
    # What a run lacked that was interrupted early.
    for part in ("devices", "runtimes", "models", "artifacts", "plan"):
        new.setdefault(part, [])
    suite = document.get("suite")
    specs = suite.get("devices") if isinstance(suite, dict) else None
    new["devices"] = _each(new["devices"], lambda table: _device_2(table, specs))
    new["artifacts"] = _each(new["artifacts"], _artifact_2)
    if isinstance(gate := document.get("gate"), dict):
        new["gate"] = _renamed(gate, "places", "pairs")
        if isinstance(gate.get("noise"), list):
            noise = _each(gate["noise"], lambda table: _renamed(table, "place", "pair"))
            new["gate"]["noise"] = noise
    return {**new, "format": FORMAT}


def _each(part: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if not isinstance(part, list):
        return part
    return [change(entry) if isinstance(entry, dict) else entry for entry in part]


def _device_2(table: dict[str, Any], specs: Any) -> dict[str, Any]:
    """With what the suite says of it, which goes before what an earlier run had shown."""
    of_it = (s for s in (specs if isinstance(specs, list) else ()) if isinstance(s, dict))
    spec = next((s for s in of_it if s.get("name") == table.get("name")), {})
    asked = {key: spec[key] for key in ("battery_current", "power_counter") if spec.get(key)}
    return {**table, **asked}


_SIZES_1 = {"bytes": FILE, "gzip_bytes": "gzip", "zstd_bytes": "zstd", "xz_bytes": "xz"}


def _artifact_2(table: dict[str, Any]) -> dict[str, Any]:
    new = {key: value for key, value in table.items() if key not in _SIZES_1}
    sizes = {to: table[key] for key, to in _SIZES_1.items() if table.get(key) is not None}
    return {**new, "sizes": sizes}


def _renamed(table: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if key == old else key: value for key, value in table.items()}
