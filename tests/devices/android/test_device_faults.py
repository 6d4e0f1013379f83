"""What can happen to a trial on a phone, through real adb: each ends in its code and a sentence."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.devices.base import InvalidTrialError, TrialError
from mobilebench.errors import InvalidRunError
from mobilebench_agent.contract import Event, Result

from tests.phone import apps, personalities
from tests.phone.android import Android
from tests.phone.cable import Cut
from tests.phone.fixtures import Connect
from tests.phone.server import Server
from tests.phone.system import System
from tests.support.android import make, plan
from tests.support.models import sha256

HELLO = {
    "type": "hello",
    "protocol": 2,
    "agent": "0",
    "runtime": "none",
    "runtime_version": "0",
    "device": {"virtual": True},
}
RESULT = {
    "type": "result",
    "trial": "run.phone.00001",
    "kind": "latency",
    "metrics": [],
    "samples_ns": [5, 6],
    "delegation": {},
    "warnings": [],
}


def once(action: Callable[[], None], phase: str = "measure") -> Callable[[Event], None]:
    """Does something the first time that the trial gets so far."""
    done: list[str] = []

    def on_event(event: Event) -> None:
        if event.phase == phase and not done:
            done.append(phase)
            action()

    return on_event


def run(
    device: AndroidDevice, model: Path, on_event: Callable[[Event], None], timeout: float = 60
) -> Result:
    return device.run(plan(device, model, seconds=1), on_event, timeout)


def failure(
    device: AndroidDevice, model: Path, on_event: Callable[[Event], None], timeout: float = 60
) -> TrialError:
    with pytest.raises(TrialError) as caught:
        run(device, model, on_event, timeout)
    return caught.value


# The link.


def test_unplugged_in_mid_trial_and_back(
    any_android: Android, connect: Connect, model_file: Path
) -> None:
    device = make(any_android, connect)
    device.probe()
    result = run(device, model_file, once(any_android.phone.cable.drop))
    assert result.samples_ns
    assert "the link was lost during this trial, and it was repeated" in result.warnings


def test_unplugged_for_good(pixel: Android, connect: Connect, model_file: Path) -> None:
    device = make(pixel, connect, wait=0.5)
    device.probe()
    with pytest.raises(InvalidRunError, match=r"did not come back within 0\.5 s.*resume the run"):
        run(device, model_file, once(pixel.phone.cable.unplug))


def test_unplugged_between_trials_and_back(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    device = make(pixel, connect)
    device.probe()
    assert run(device, model_file, lambda _: None).samples_ns
    pixel.phone.cable.drop()
    assert run(device, model_file, lambda _: None).samples_ns


def test_unplugged_in_mid_push_and_back(
    pixel: Android, connect: Connect, model_file: Path, tmp_path: Path
) -> None:
    device = make(pixel, connect)
    device.probe()
    large = tmp_path / "large.tflite"
    large.write_bytes(os.urandom(3_000_000))
    pixel.phone.cable.cut = Cut(1_000_000, back_after=0.5)
    path = device.push(large, sha256(large))
    assert (pixel.phone.folder / path[1:]).read_bytes() == large.read_bytes()
    assert run(device, model_file, lambda _: None).samples_ns


def test_rebooted_in_mid_trial(pixel: Android, connect: Connect, model_file: Path) -> None:
    device = make(pixel, connect)
    device.probe()

    properties, battery = pixel.phone.make.properties, pixel.battery

    def services_are_up() -> None:
        pixel.battery = battery

    def has_booted() -> None:
        properties["sys.boot_completed"] = "1"
        threading.Timer(0.5, services_are_up).start()

    def reboot() -> None:
        """adb is there at once, the services are not."""
        properties["sys.boot_completed"] = "0"
        pixel.battery = lambda _: "Can't find service: battery\n"
        pixel.phone.reboot()
        threading.Timer(1.0, has_booted).start()

    result = run(device, model_file, once(reboot))
    assert "the device restarted during this trial, and it was repeated" in result.warnings


def test_the_link_breaks_in_every_attempt(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    device = make(pixel, connect)
    device.probe()
    error = failure(device, model_file, lambda _: pixel.phone.cable.drop())
    assert error.code == "link_lost"


def test_the_adb_server_dies_in_mid_trial(
    pixel: Android, connect: Connect, model_file: Path, adb_process: Server
) -> None:
    device = make(pixel, connect)
    device.probe()

    def restart() -> None:
        adb_process.kill()
        adb_process.start()

    result = run(device, model_file, once(restart))
    assert "the link was lost" in result.warnings[0]


def test_a_slow_link(pixel: Android, connect: Connect, model_file: Path) -> None:
    device = make(pixel, connect)
    pixel.phone.cable.rate = 8e6
    pixel.phone.cable.latency = 0.02
    device.probe()
    assert run(device, model_file, lambda _: None).samples_ns


# The app.


@pytest.mark.parametrize(
    ("reason", "description", "code", "words"),
    [
        ("APP CRASH(EXCEPTION)", "crash", "app_crashed", "the app crashed"),
        ("APP CRASH(NATIVE)", "null", "app_crashed", "NATIVE"),
        ("ANR", "user request after error", "app_hung", "did not respond"),
        ("LOW_MEMORY", "null", "out_of_memory", "for memory"),
        ("SIGNALED", "null", "agent_died", "out of memory?"),
        ("USER REQUESTED", "stop by user", "agent_died", "USER REQUESTED"),
    ],
)
def test_the_app_ends(
    pixel: Android,
    connect: Connect,
    model_file: Path,
    reason: str,
    description: str,
    code: str,
    words: str,
) -> None:
    device = make(pixel, connect)
    device.probe()
    error = failure(device, model_file, once(lambda: pixel.kill_app(reason, description)))
    assert error.code == code
    assert words in error.reason


def test_the_app_ends_on_an_android_that_keeps_no_record(
    phone_system: System, connect: Connect, model_file: Path, tmp_path: Path
) -> None:
    old = personalities.old_phone(tmp_path / "phone", phone_system, apps.agent)
    device = make(old, connect)
    device.probe()
    error = failure(device, model_file, once(lambda: old.kill_app("APP CRASH(EXCEPTION)")))
    assert (error.code, error.reason) == ("app_crashed", "the app crashed: " + old.crash)


@pytest.mark.alone
def test_the_app_does_not_respond(pixel: Android, connect: Connect, model_file: Path) -> None:
    device = make(pixel, connect)
    device.probe()

    def hang() -> None:
        pixel.anr = True

    # Time enough to get as far as the job on a busy machine, and not to its end.
    with pytest.raises(TrialError) as caught:
        device.run(plan(device, model_file, seconds=60), once(hang, "load"), 6)
    error = caught.value
    assert error.code == "app_hung"
    assert ["am", "force-stop", "io.mobilebench.agent"] in pixel.phone.calls


def test_the_app_hangs_unnoticed_by_android(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    device = make(pixel, connect)
    device.probe()
    error = failure(device, model_file, lambda _: None, timeout=0.5)
    assert (error.code, error.reason) == ("timeout", "no answer within 0.5 s")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Status: timeout\nComplete\n", "did not come to the screen"),
        ("Error: Activity not started, unknown error code 102\n", "unknown error code 102"),
        ("Exception occurred while executing 'start':\n", "Exception occurred"),
        ("", "it said nothing"),
        ("Status: ok\nActivity: com.android.systemui/.Lock\nComplete\n", "in the app's place"),
    ],
)
def test_the_app_does_not_start(
    pixel: Android, connect: Connect, model_file: Path, answer: str, words: str
) -> None:
    device = make(pixel, connect)
    device.probe()
    pixel.start_answer = answer
    if not answer:
        pixel.phone.answer("am", lambda _: 0)
    error = failure(device, model_file, lambda _: None)
    assert error.code == "start_failed"
    assert words in error.reason


def test_the_activity_service_is_not_up_yet(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    device = make(pixel, connect)
    device.probe()
    pixel.state.services_up = False
    error = failure(device, model_file, lambda _: None)
    assert (error.code, error.reason) == (
        "start_failed",
        "the app did not start: cmd: Can't find service: activity",
    )


# What it says.


def say(*messages: dict[str, object] | str) -> str:
    lines = [m if isinstance(m, str) else json.dumps(m) + "\n" for m in messages]
    return "sys.stdout.write(" + repr("".join(lines)) + "); sys.stdout.flush()\n"


def answer(message: dict[str, object] | str) -> str:
    """Waits for the job, and answers it with this."""
    return say(HELLO) + "sys.stdin.readline()\n" + say(message)


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (answer(json.dumps(RESULT)[:-20] + "\n"), "protocol_violation", "not a JSON"),
        (answer(json.dumps(RESULT)[:-20]), "agent_died", "exit code 0"),
        (answer(""), "agent_died", "exit code 0"),
        (answer("\n"), "protocol_violation", "not a JSON"),
        (answer(RESULT | {"samples_ns": []}), "protocol_violation", "no samples"),
        (answer(RESULT | {"trial": "run.phone.00000"}), "protocol_violation", "00000"),
        (answer(RESULT | {"kind": "memory"}), "protocol_violation", "got memory"),
        (say(HELLO | {"protocol": 1}), "protocol_violation", "update the older"),
        (answer(RESULT | {"samples_ns": [5, -6]}), "protocol_violation", "negative"),
        (say(RESULT), "protocol_violation", "expected hello"),
        (
            answer({"type": "error", "code": "output_nan", "message": "NaN", "trial": ""}),
            "output_nan",
            "NaN",
        ),
    ],
)
def test_the_app_lies(
    phone_system: System,
    connect: Connect,
    model_file: Path,
    tmp_path: Path,
    script: str,
    code: str,
    words: str,
) -> None:
    liar = personalities.pixel(tmp_path / "phone", phone_system, apps.script(script))
    device = make(liar, connect)
    error = failure(device, model_file, lambda _: None)
    assert error.code == code
    assert words in error.reason


LEFT = {
    "type": "error",
    "code": "disturbed",
    "message": "the app left the front during the trial: leave the phone alone",
    "trial": "run.phone.00001",
}


def test_the_app_leaves_the_front(
    phone_system: System, connect: Connect, model_file: Path, tmp_path: Path
) -> None:
    """As when somebody presses the home button: that attempt does not count."""
    script = f"""
        print({json.dumps(HELLO)!r}, flush=True)
        if sys.stdin.readline():
            print({json.dumps(LEFT)!r}, flush=True)
    """
    pixel = personalities.pixel(tmp_path / "phone", phone_system, apps.script(script))
    error = failure(make(pixel, connect), model_file, lambda _: None)
    assert isinstance(error, InvalidTrialError)
    assert (error.code, error.reason) == ("disturbed", LEFT["message"])


def test_the_user_stops_while_a_phone_is_waited_for(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    device = make(pixel, connect, wait=600)
    device.probe()

    def on_event(event: Event) -> None:
        pixel.phone.cable.unplug()
        if event.phase == "reconnect":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(device, model_file, on_event)
