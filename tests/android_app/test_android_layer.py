"""The app's Android layer in Android's own framework: the shipped APK's code and resources.

Robolectric runs the framework's classes on a JVM. What only a kernel or a phone can give stands in
at the thinnest seam: the peer of an abstract socket and its user id (``FakeSockets.java``), and the
values that Robolectric's battery and power services answer.
"""

from pathlib import Path

import pytest

from app_build.errors import BuildError
from tests.android_app import robolectric
from tests.phone import needs


@pytest.mark.parametrize("sdk", robolectric.SYSTEMS)
def test_the_android_layer(
    translated: Path,
    desktop: list[str],
    resources: Path,
    model_file: Path,
    tmp_path: Path,
    sdk: int,
) -> None:
    # The runtime's library, and what of Android's C library it needs.
    (library_path,) = (word for word in desktop if word.startswith("-Djava.library.path="))
    options = [library_path, f"-Dmodel={model_file}"]
    try:
        run = robolectric.prepared("robolectric", translated, resources, sdk, options, tmp_path)
    except BuildError as error:
        needs.judge(error)
    assert robolectric.passed(run) > 10
