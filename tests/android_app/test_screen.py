"""The app's screen, drawn by Android's graphics and fonts from the APK's code and resources."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app_build.errors import BuildError
from tests.android_app import robolectric
from tests.phone import needs

DOCS = Path(__file__).parents[2] / "docs" / "images"

#: States of the screen, and the place of those that the documentation shows.
SHOWN = {"measuring": "app-measuring.png", "result": "app-result.png"}


@pytest.fixture(scope="module")
def pictures(translated: Path, resources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture of each state."""
    folder = tmp_path_factory.mktemp("pictures")
    options = [f"-Dpictures={folder}"]
    build = folder / "build"
    build.mkdir()
    try:
        run = robolectric.prepared(
            "pictures", translated, resources, 35, options, build, graphics=True
        )
    except BuildError as error:
        needs.judge(error)
    robolectric.passed(run)
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.int16)


def test_every_state_is_drawn(pictures: Path) -> None:
    drawn = {path.stem: pixels(path) for path in pictures.glob("*.png")}
    assert set(drawn) == {"measuring", "result", "ready", "failed"}
    # By day light, by night dark; and more than an empty sheet.
    assert np.median(drawn["measuring"]) > 200
    assert np.median(drawn["result"]) < 60
    for name, picture in drawn.items():
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100, name


@pytest.mark.parametrize("state", SHOWN)
def test_the_documentation_shows_the_screen_as_it_is(
    pictures: Path, state: str, update_golden: bool
) -> None:
    drawn, shown = pictures / f"{state}.png", DOCS / SHOWN[state]
    if update_golden:
        shutil.copy(drawn, shown)
    new, old = pixels(drawn), pixels(shown)
    assert new.shape == old.shape
    differ = np.abs(new - old).max(axis=2) > 24
    assert differ.mean() < 0.002, (
        f"the app's screen has changed: look at {drawn}, and take it over with "
        "pytest tests/android_app/test_screen.py --update-golden"
    )
