"""The device protocol: the messages that host, agent and app share.

One JSON object a line, each with a ``type``. The agent says ``hello``; the host sends one
``job``; the agent answers with ``event``s and exactly one ``result`` or ``error``, and exits.
Times are integer nanoseconds, memory is bytes. See ``docs/protocol.md``.

Both sides read with ``decode``, which trusts nothing: an unknown type, a missing or
surplus field, or a value of the wrong kind is a ``ContractError``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Dict, List, Optional, Tuple, Type, Union

from mobilebench_agent import bounds

PROTOCOL_VERSION = 2

#: What a trial measures. Each runs in a process of its own, so that none disturbs another.
KINDS = ("latency", "memory", "outputs", "energy")

#: What a power counter counts. ``energy`` counts up what was consumed; ``charge`` and
#: ``energy_left`` are what a battery still has; ``power``, ``current`` and ``voltage`` are of the
#: moment; ``plugged`` is 1 while something charges or feeds the device, else 0.
QUANTITIES = ("energy", "power", "current", "voltage", "charge", "energy_left", "plugged")

#: The fewest pairs of an idle and a load window that an energy trial has.
FEWEST_WINDOWS = 10

#: The most characters of a name that a job has shown.
MOST_SHOWN = 200

#: The most characters that are said of a line that is no message.
_LONGEST_REASON = 250

#: How a model may be packed.
PACKINGS = ("gzip", "xz", "zstd")
#: What an accelerator may compute float32 in.
PRECISIONS = ("float32", "float16")
#: What a delegate may prepare for.
PREFERENCES = ("fast", "sustained")

#: Why an agent could not deliver a result.
ERROR_CODES = (
    "bad_job",  # the job is not one that this agent understands
    "runtime_missing",  # neither ai-edge-litert nor tflite-runtime can be imported
    "model_missing",  # no such file on the device
    "model_corrupt",  # the file is not the one that the host sent, or no .tflite at all
    "model_unsupported",  # the runtime has no kernel for an operator of the model
    "open_shape",  # an input leaves a dimension open, other than the batch
    "accelerator_unavailable",  # this device or runtime does not have that accelerator
    "cpus_unavailable",  # the process cannot be kept to those CPUs
    "unpacking_unavailable",  # this agent cannot unpack such a model
    "output_nan",  # the model answered with NaN or infinity
    "inputs_bad",  # the samples do not fit the model's inputs
    "outputs_unsupported",  # an output of the model cannot be given back
    "storage_full",  # there is no room on the device for the outputs
    "out_of_memory",
    "disturbed",  # the app was not, or did not stay, in front of everything else
    "internal",  # a fault of the agent itself
)


class ContractError(ValueError):
    """A line that is not a message of this protocol; what it quotes of the line is bounded."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
        )


@dataclass(frozen=True)
class Metric:
    """One measured quantity: what, how much, and where the number comes from.

    ``value`` is None exactly when ``validity`` is ``unavailable``; ``reason`` then says why.
    ``resolution`` is the smallest step of the source, in ``unit``.
    """

    name: str
    unit: str
    source: str
    value: Optional[float] = None
    resolution: Optional[float] = None
    n: int = 0
    validity: str = "valid"
    reason: str = ""

    def __post_init__(self) -> None:
        if self.validity not in ("valid", "unavailable"):
            raise ContractError(f"metric {self.name!r}: unknown validity {self.validity!r}")
        if (self.value is None) != (self.validity == "unavailable"):
            raise ContractError(f"metric {self.name!r}: a value exactly when it is valid")
        if self.validity == "unavailable" and not self.reason:
            raise ContractError(f"metric {self.name!r}: unavailable without a reason")
        if self.value is not None and not bounds.is_finite(self.value):
            raise ContractError(f"metric {self.name!r}: value is not finite")
        if self.resolution is not None and not (
            bounds.is_finite(self.resolution) and self.resolution >= 0
        ):
            raise ContractError(f"metric {self.name!r}: resolution is no step")
        if self.n < 0:
            raise ContractError(f"metric {self.name!r}: n is negative")

    @classmethod
    def unavailable(cls, name: str, unit: str, source: str, reason: str) -> "Metric":
        """A metric that could not be read, with the reason."""
        return cls(name, unit, source, validity="unavailable", reason=reason)


@dataclass(frozen=True)
class Trace:
    """The readings of one counter while a latency trial was timed, taken between inferences.

    ``times_ns`` count from the start of measuring, on the clock of the samples. A reading that
    failed is left out, and ``reason`` says why the first of them did.
    """

    name: str
    unit: str
    source: str
    resolution: Optional[float] = None
    times_ns: Tuple[int, ...] = ()
    values: Tuple[float, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        if len(self.times_ns) != len(self.values):
            raise ContractError(f"trace {self.name!r}: as many times as values")
        if list(self.times_ns) != sorted(self.times_ns):
            raise ContractError(f"trace {self.name!r}: its times go backwards")
        if not all(map(bounds.is_finite, self.values)):
            raise ContractError(f"trace {self.name!r}: a value is not finite")
        if not self.values and not self.reason:
            raise ContractError(f"trace {self.name!r}: empty without a reason")


@dataclass(frozen=True)
class Window:
    """A stretch of an energy trial: idle with the model loaded, or inference upon inference."""

    load: bool
    start_ns: int
    end_ns: int
    inferences: int = 0

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise ContractError("window: it must end after it starts")
        if self.inferences < 0 or (self.inferences > 0) != self.load:
            raise ContractError("window: inferences exactly when there is load")


@dataclass(frozen=True)
class PowerSeries:
    """The readings of one counter, with the device's own times.

    Series of one ``name`` belong together: the packages of a processor, current and voltage of a
    battery. ``quantity`` is one of ``QUANTITIES``, ``values`` are in ``unit``. A counter that
    wraps has its ``maximum``. ``downstream``: it sees what the device draws, charging or not.
    """

    name: str
    quantity: str
    unit: str
    source: str
    resolution: Optional[float] = None
    maximum: Optional[float] = None
    downstream: bool = False
    times_ns: Tuple[int, ...] = ()
    values: Tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise ContractError(f"power series {self.name!r}: unknown quantity {self.quantity!r}")
        if len(self.times_ns) != len(self.values):
            raise ContractError(f"power series {self.name!r}: as many times as values")
        if list(self.times_ns) != sorted(self.times_ns):
            raise ContractError(f"power series {self.name!r}: its times go backwards")


@dataclass(frozen=True)
class Hello:
    """The agent's greeting: what it is and what it runs on."""

    type: ClassVar[str] = "hello"
    protocol: int
    agent: str
    runtime: str  # "ai-edge-litert", "tflite-runtime", or "" where there is none
    runtime_version: str
    device: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One trial. Paths are on the device; ``model_sha256`` and ``inputs_sha256`` are checked.

    ``precision``, ``preference``, ``serialization``: what is asked of an accelerator; empty: its
    delegate's own choice. Only agents whose ``hello.device`` has ``accelerator_options`` are sent
    them.
    ``inputs``: the samples of an outputs trial, a tensor file; ``outputs_folder``: where the agent
    writes its own, none: a folder that the agent chooses.
    ``cpus``: the process is kept to these; none: it runs where the system lets it. ``cluster``
    ``big``: it is kept to the CPUs of the highest capacity.
    ``trace_seconds``: in a latency trial counters are read so often, between inferences; 0: never.
    ``packing``: the model's file is packed so; ``unpacked_sha256`` is the hash of what is in it,
    ``unpacked_bytes`` its length, beyond which nothing is unpacked; empty: it is a plain .tflite.
    ``shown_…``: what a screen shows to a person, and nothing else depends on: the names of model
    and recipe, and which of how many trials this is (from 1). An agent whose ``hello.device`` has
    no ``shows_trial`` is sent none of them.
    """

    type: ClassVar[str] = "job"
    protocol: int
    trial: str
    kind: str
    model: str
    model_sha256: str
    accelerator: str = "cpu"
    precision: str = ""
    preference: str = ""
    serialization: bool = False
    threads: int = 1
    xnnpack: bool = True
    warmup_runs: int = 1
    warmup_seconds: float = 0.5
    runs: int = 50
    seconds: float = 1.0
    max_seconds: float = 150.0
    seed: int = 0
    inputs: str = ""
    inputs_sha256: str = ""
    outputs_folder: str = ""
    cpus: Tuple[int, ...] = ()
    cluster: str = ""
    trace_seconds: float = 0.0
    windows: int = FEWEST_WINDOWS
    window_seconds: float = 2.0
    packing: str = ""
    unpacked_sha256: str = ""
    unpacked_bytes: int = 0
    shown_model: str = ""
    shown_recipe: str = ""
    shown_trial: int = 0
    shown_trials: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ContractError(f"job: unknown kind {self.kind!r}, known are {', '.join(KINDS)}")
        if self.threads < 1:
            raise ContractError("job: threads must be at least 1")
        if self.runs < 1 or self.warmup_runs < 0:
            raise ContractError("job: at least one run, and no negative number of warm-up runs")
        if self.windows < FEWEST_WINDOWS:
            raise ContractError(f"job: at least {FEWEST_WINDOWS} windows")
        for name in ("warmup_seconds", "seconds", "max_seconds", "window_seconds", "trace_seconds"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ContractError(f"job: {name} must be a finite number, not negative")
        if len(set(self.cpus)) < len(self.cpus) or any(cpu < 0 for cpu in self.cpus):
            raise ContractError("job: cpus must differ, and count from 0")
        if self.packing and self.packing not in PACKINGS:
            known = ", ".join(PACKINGS)
            raise ContractError(f"job: unknown packing {self.packing!r}, known are {known}")
        if bool(self.packing) != bool(self.unpacked_sha256):
            raise ContractError("job: unpacked_sha256 exactly when there is a packing")
        if self.unpacked_bytes < 0 or bool(self.packing) != bool(self.unpacked_bytes):
            raise ContractError("job: unpacked_bytes exactly when there is a packing")
        if self.kind == "outputs" and not self.inputs:
            raise ContractError("job: an outputs trial needs inputs")
        if bool(self.inputs) != bool(self.inputs_sha256):
            raise ContractError("job: inputs_sha256 exactly when there are inputs")
        self._check_options()
        self._check_shown()

    def _check_options(self) -> None:
        if self.precision not in ("", *PRECISIONS):
            known = ", ".join(PRECISIONS)
            raise ContractError(f"job: unknown precision {self.precision!r}, known are {known}")
        if self.preference not in ("", *PREFERENCES):
            known = ", ".join(PREFERENCES)
            raise ContractError(f"job: unknown preference {self.preference!r}, known are {known}")

        if self.cluster not in ("", "big") or (self.cluster and self.cpus):
            raise ContractError("job: cluster is 'big', or empty where there are cpus")

    def _check_shown(self) -> None:
        if max(len(self.shown_model), len(self.shown_recipe)) > MOST_SHOWN:
            raise ContractError(f"job: names to show have at most {MOST_SHOWN} characters")
        counted = 1 <= self.shown_trial <= self.shown_trials
        if not counted and (self.shown_trial or self.shown_trials):
            raise ContractError("job: shown_trial counts from 1 to shown_trials")


@dataclass(frozen=True)
class Event:
    """Progress of a trial: the phase it is in, and how much of it is done (0 to 1)."""

    type: ClassVar[str] = "event"
    trial: str
    phase: str  # "unpack", "load", "warmup", "measure", "memory", "outputs", "energy"
    done: float = 0.0


@dataclass(frozen=True)
class Result:
    """What one trial found.

    ``samples_ns``: each timed inference of a latency trial, in order; ``warmup_ns``: each of its
    warm-up, without the very first (the metric ``first_inference``).
    ``starts_ns``: when each timed inference began, from the start of measuring; with ``traces`` if
    the job asks for them, else both are empty.
    ``cpu_ns``, ``switches``: of each timed inference its CPU time, of the thread that runs it or,
    of several threads, of the process, and the involuntary context switches meanwhile; inferences
    of less than 0.1 ms share those of the interval between two readings. Empty where the system
    does not report them.
    ``conditions``: what held during the trial and is no number: ``cpus`` (where the process could
    run), ``governors`` (by cluster), ….
    ``outputs``: the path on the device of the tensor file that an outputs trial wrote, with its
    hash and its length in bytes; all three exactly when ``kind`` is ``outputs``.
    ``delegation``: which nodes a delegate took (``nodes``, ``delegated``, ``partitions``,
    ``left``: the operators that stayed with the built-in kernels), or empty if not reported.
    ``windows``, ``power``: of an energy trial, in pairs of one idle and one load window; both are
    empty where the device has no counter that can measure it, and a metric says why.
    """

    type: ClassVar[str] = "result"
    trial: str
    kind: str
    metrics: Tuple[Metric, ...] = ()
    samples_ns: Tuple[int, ...] = ()
    warmup_ns: Tuple[int, ...] = ()
    starts_ns: Tuple[int, ...] = ()
    cpu_ns: Tuple[int, ...] = ()
    switches: Tuple[int, ...] = ()
    traces: Tuple[Trace, ...] = ()
    conditions: Dict[str, Any] = field(default_factory=dict)
    outputs: str = ""
    outputs_sha256: str = ""
    outputs_bytes: int = 0
    delegation: Dict[str, Any] = field(default_factory=dict)
    windows: Tuple[Window, ...] = ()
    power: Tuple[PowerSeries, ...] = ()
    warnings: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ContractError(f"result: unknown kind {self.kind!r}")
        for name in ("samples_ns", "warmup_ns", "starts_ns"):
            if min(getattr(self, name), default=0) < 0:
                raise ContractError(f"result: {name} has a negative time")
        if self.starts_ns and len(self.starts_ns) != len(self.samples_ns):
            raise ContractError("result: as many starts as samples, or none")
        for name in ("cpu_ns", "switches"):
            values = getattr(self, name)
            if values and (len(values) != len(self.samples_ns) or min(values) < 0):
                raise ContractError(f"result: as many {name} as samples, not negative, or none")
        described = (bool(self.outputs), bool(self.outputs_sha256), self.outputs_bytes > 0)
        if described != (self.kind == "outputs",) * 3 or self.outputs_bytes < 0:
            raise ContractError(
                "result: outputs, outputs_sha256 and outputs_bytes exactly when its kind is outputs"
            )


@dataclass(frozen=True)
class Error:
    """Why a trial has no result."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    trial: str = ""

    def __post_init__(self) -> None:
        if self.code not in ERROR_CODES:
            raise ContractError(f"error: unknown code {self.code!r}")


#: How the names of fields begin that older agents do not know: left out where they are empty.
_NEWER = ("shown_", "precision", "preference", "serialization", "cluster")

Message = Union[Hello, Job, Event, Result, Error]
_TYPES: Dict[str, Type[Any]] = {cls.type: cls for cls in (Hello, Job, Event, Result, Error)}


def encode(message: Message) -> str:
    """The message as one line, with its newline."""
    document = {"type": message.type, **vars(message)}
    if isinstance(message, Job):
        # An agent that does not know these fields would refuse the job for them.
        document = {k: v for k, v in document.items() if v or not k.startswith(_NEWER)}
    if isinstance(message, Result):
        # `dataclasses.asdict` would copy a hundred thousand samples one by one.
        document.update({name: [vars(item) for item in document[name]] for name in _NESTED})
    line = json.dumps(document, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    # Half a character, as of a path that is no text, is no reason to say nothing at all.
    return line.encode("utf-8", "replace").decode() + "\n"


def decode(line: Union[str, bytes]) -> Message:
    """The message that a line holds.

    Raises:
        ContractError: the line is not a whole valid message of this protocol.
    """
    try:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
        document = json.loads(
            text, parse_constant=_reject_constant, object_pairs_hook=_without_duplicates
        )
    except ContractError:
        raise
    except (ValueError, RecursionError) as error:
        raise ContractError(f"not a JSON message: {_shorten(line)}") from error
    if not isinstance(document, dict):
        raise ContractError(f"not a JSON object: {_shorten(line)}")
    kind = document.pop("type", None)
    cls = _TYPES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        shown = _shorten(str(kind))
        raise ContractError(f"unknown message type {shown}, known are {', '.join(_TYPES)}")
    if cls is Result:
        document = _with_nested(document)
    message: Message = _build(cls, document)
    return message


# The value kinds of each annotation that the messages use. `bool` is an `int` to Python, not here.
_KINDS: Dict[str, Tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "Optional[float]": (int, float, type(None)),
    "Dict[str, Any]": (dict,),
    "Tuple[int, ...]": (list,),
    "Tuple[str, ...]": (list,),
    "Tuple[float, ...]": (list,),
    "Tuple[Metric, ...]": (tuple,),
    "Tuple[Trace, ...]": (tuple,),
    "Tuple[Window, ...]": (tuple,),
    "Tuple[PowerSeries, ...]": (tuple,),
}

#: What the items of a list may be.
_ITEMS: Dict[str, Tuple[type, ...]] = {
    "Tuple[int, ...]": (int,),
    "Tuple[float, ...]": (int, float),
    "Tuple[str, ...]": (str,),
}

#: The fields of a result that hold objects, and of which kind.
_NESTED: Dict[str, Type[Any]] = {
    "metrics": Metric,
    "traces": Trace,
    "windows": Window,
    "power": PowerSeries,
}


def _build(cls: Type[Any], document: Dict[str, Any]) -> Any:
    known = {f.name: f for f in fields(cls)}
    surplus = sorted(set(document) - set(known))
    if surplus:
        raise ContractError(f"{cls.__name__.lower()}: unknown field {_shorten(', '.join(surplus))}")
    values: Dict[str, Any] = {}
    for name, value in document.items():
        annotation = str(known[name].type)
        accepted = _KINDS[annotation]
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise ContractError(f"{cls.__name__.lower()}: {name} has the wrong type")
        values[name] = tuple(value) if isinstance(value, list) else value
        # Exact types, in one pass of C: a result may have millions of samples.
        if isinstance(value, list) and not set(map(type, value)) <= set(_ITEMS[annotation]):
            raise ContractError(f"{cls.__name__.lower()}: {name} has an item of the wrong type")
        if fault := bounds.fault(value):
            raise ContractError(f"{cls.__name__.lower()}: {name} {fault}")
    try:
        return cls(**values)
    except TypeError as error:
        raise ContractError(f"{cls.__name__.lower()}: a field is missing ({error})") from error


def _with_nested(document: Dict[str, Any]) -> Dict[str, Any]:
    built = {}
    for name, cls in _NESTED.items():
        items: List[Any] = document.get(name, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ContractError(f"result: {name} must be a list of objects")
        if len(items) > bounds.MOST_ENTRIES:
            raise ContractError(f"result: {name} has more than {bounds.MOST_ENTRIES} entries")
        built[name] = tuple(_build(cls, item) for item in items)
    return {**document, **built}


def _without_duplicates(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ContractError("a field is there twice")
    return document


def _reject_constant(name: str) -> None:
    raise ContractError(f"{name} is not a JSON number")


def _shorten(line: Union[str, bytes]) -> str:
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    return repr(text if len(text) <= 80 else text[:80] + "…")
