"""What a search was asked for, as its folder keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.explain import explain_document
from mobilebench.files import disk_errors, write_atomically
from mobilebench.models.spec import ModelSpec
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Measure
from mobilebench.search.space import Space
from mobilebench.search.study import Sampler
from mobilebench.suite.schema import RuntimeTable

SETTINGS = "search.json"
JOURNAL = "journal.log"
PAGE = "search.html"
SUITE = "suite.toml"
FILES = "files"

#: Blocks of the run that confirms: as many as a suite has.
BLOCKS = 6


class Settings(BaseModel):
    """What is searched for, in what, on what.

    Attributes:
        name: of the search and of the run that confirms it.
        model: what is compressed; its evaluation data are halved, whatever its ``split`` says.
        device: where candidates are measured.
        runtime: how they are run.
        minimize, limits, max_loss: see ``mobilebench.search.aim.Aim``.
        space: what may be tried, and what it begins with.
        sampler: what proposes candidates.
        seed: of training, calibration, inputs and proposals.
        budget: seconds of the search; the confirming run comes on top.
        most: candidates at most; None: as many as the budget allows.
        blocks: of the confirming run.
        command: how it was asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    model: ModelSpec
    device: DeviceSpec
    runtime: RuntimeTable
    minimize: tuple[Measure, ...]
    limits: dict[Measure, float]
    max_loss: float
    space: Space
    sampler: Sampler = "tpe"
    seed: int = Field(0, ge=0, lt=2**31)
    budget: float = Field(gt=0)
    most: int | None = Field(None, ge=1)
    blocks: int = Field(BLOCKS, ge=1)
    command: tuple[str, ...] = ()

    @property
    def aim(self) -> Aim:
        """What is searched for."""
        return Aim(self.minimize, self.limits, self.max_loss)

    def write(self, folder: Path) -> None:
        """Keeps them in a search's folder.

        Raises:
            InvalidRunError: the disk is full or failing.
        """
        with disk_errors(folder / SETTINGS):
            (folder / FILES).mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_atomically(folder / SETTINGS, text.encode())


def checked(given: Mapping[str, Any]) -> Settings:
    """The settings that a caller asks for.

    Raises:
        BadInputError: one is not valid; the message names it.
    """
    try:
        settings = Settings.model_validate(dict(given))
    except ValidationError as error:
        raise BadInputError(f"the search: {explain_document(error, Settings)}") from error
    _ = settings.aim  # it has rules of its own
    return settings


def read_settings(folder: Path) -> Settings:
    """What the search of a folder was asked for.

    Raises:
        BadInputError: it is no folder of a search, or a damaged one.
    """
    path = folder / SETTINGS
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        return Settings.model_validate(document)
    except FileNotFoundError as error:
        raise BadInputError(f"{folder} is no folder of a search: it has no {SETTINGS}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ValidationError):
            raise BadInputError(f"{path}: {explain_document(error, Settings)}") from error
        raise BadInputError(f"{path} cannot be read: {error}") from error
