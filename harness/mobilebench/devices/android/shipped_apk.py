"""The APK that travels in the Python package, and what is known of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mobilebench.errors import BadInputError

#: Where a checkout's build puts it; its description is beside it.
APK = Path(__file__).with_name("apk") / "mobilebench-agent.apk"

#: How it is built, for messages.
BUILD = "python android_app/build.py"


@dataclass(frozen=True)
class AppInfo:
    """What an APK of ours is, as its build wrote it down (``android_app/tools/app_build``)."""

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

    def as_json(self) -> dict[str, Any]:
        """The description as it stands beside the APK."""
        return asdict(self)


def info(apk: Path = APK) -> AppInfo:
    """What is known of an APK: by default of the one in this package.

    Raises:
        BadInputError: there is no such APK, or no description of it.
    """
    path = apk.with_suffix(".json")
    try:
        return AppInfo(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadInputError(
            f"there is no description of the app at {path}: build the app with `{BUILD}` in a "
            "checkout of MobileBench"
        ) from error
