"""The APK that travels in the Python package, and what is known of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import BadInputError

APK = Path(__file__).with_name("mobilebench-agent.apk")


def description(apk: Path) -> Path:
    """Where the description of an APK stands: beside it."""
    return apk.with_name("apk.json") if apk == APK else apk.with_suffix(".json")


@dataclass(frozen=True)
class AppInfo:
    """What an APK of ours is, as its build wrote it down."""

    package: str
    version: str
    version_code: int
    min_sdk: int
    target_sdk: int
    sha256: str
    size: int
    runtime: str
    runtime_version: str
    abis: list[str]
    #: The smallest ELF alignment of its native libraries; below 16384 no 16 KB pages.
    library_alignment: int
    tools: dict[str, str] = field(default_factory=dict)

    @property
    def activity(self) -> str:
        """The component that ``am start -n`` names."""
        return f"{self.package}/.BenchmarkActivity"

    def as_json(self) -> dict[str, Any]:
        """The description as it is written beside the APK."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Writes the description beside the APK."""
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n", "utf-8")


def info(apk: Path = APK) -> AppInfo:
    """What is known of an APK: by default of the one in this package.

    Raises:
        BadInputError: there is no such APK, or no description of it.
    """
    path = description(apk)
    try:
        return AppInfo(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadInputError(
            f"there is no description of the app at {path}: build it with "
            "`python android_app/build.py`"
        ) from error
