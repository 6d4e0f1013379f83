"""Small packages with plug-ins, written into a folder as pip would install them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_ADDING = Path(__file__).parents[2] / "docs" / "adding.md"


def install(
    folder: Path,
    files: dict[str, str],
    entries: dict[str, str],
    *,
    group: str = "mobilebench.steps",
    name: str = "tiny-steps",
    version: str = "1.0",
) -> None:
    """Writes modules and a dist-info with entry points into a folder that is on the path.

    Args:
        folder: where to.
        files: the content of each file, by its path.
        entries: the entry points.
        group: the group that they are in.
        name: the distribution's.
        version: the distribution's.
    """
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (information / "METADATA").write_text(metadata)
    lines = "".join(f"{entry} = {value}\n" for entry, value in entries.items())
    (information / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def install_documented(folder: Path, module: str = "mobilebench_strip_names") -> None:
    """An example of ``docs/adding.md``, as it stands there.

    Args:
        folder: where to.
        module: which of the examples: the name of its module.
    """
    text = _ADDING.read_text("utf-8")
    (python,) = re.findall(rf"```python\n# {module}\.py\n(.*?)```", text, re.DOTALL)
    tomls = re.findall(r"```toml\n# pyproject\.toml\n(.*?)```", text, re.DOTALL)
    projects = [tomllib.loads(toml)["project"] for toml in tomls]
    for project in projects:
        for group, entries in project["entry-points"].items():
            if any(value.partition(":")[0] == module for value in entries.values()):
                install(
                    folder,
                    {f"{module}.py": python},
                    entries,
                    group=group,
                    name=project["name"],
                    version=project["version"],
                )
