"""Small packages with recipe steps, written into a folder as pip would install them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_ADDING = Path(__file__).parents[2] / "docs" / "adding.md"


def install(
    folder: Path,
    files: dict[str, str],
    steps: dict[str, str],
    *,
    name: str = "tiny-steps",
    version: str = "1.0",
) -> None:
    """Writes modules and a dist-info with entry points into a folder that is on the path.

    Args:
        folder: where to.
        files: the content of each file, by its path.
        steps: the entry points in the group ``mobilebench.steps``.
        name: the distribution's.
        version: the distribution's.
    """
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (information / "METADATA").write_text(metadata)
    lines = "".join(f"{step} = {value}\n" for step, value in steps.items())
    (information / "entry_points.txt").write_text(f"[mobilebench.steps]\n{lines}")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def install_documented(folder: Path) -> None:
    """The example of ``docs/adding.md``, as it stands there."""
    text = _ADDING.read_text("utf-8")
    (python,) = re.findall(r"```python\n# mobilebench_strip_names\.py\n(.*?)```", text, re.DOTALL)
    (toml,) = re.findall(r"```toml\n# pyproject\.toml\n(.*?)```", text, re.DOTALL)
    project = tomllib.loads(toml)["project"]
    install(
        folder,
        {"mobilebench_strip_names.py": python},
        project["entry-points"]["mobilebench.steps"],
        name=project["name"],
        version=project["version"],
    )
