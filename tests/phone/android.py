"""What Android answers: packages, activities and dumps, from a model with a state.

The texts follow recorded dumps and AOSP's ``dump`` methods; ``tests/devices/dumps`` has the
recordings that the host's parsers are tested with.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.phone.phone import Call, Phone, stop_listening
from tests.phone.sandbox import APP_UID, walls

PACKAGE = "io.mobilebench.agent"

_BASE = f"/data/app/~~kQ0yZ3c1dA8y==/{PACKAGE}-2M4x8G1Zr0pW==/base.apk"
#: The app's external files folder, in the phone's storage.
_FILES = f"Android/data/{PACKAGE}/files"

_FOUND = "Starting: Intent {{ cmp={0} (has extras) }}\nStatus: ok\n{1}Activity: {0}\n{2}Complete\n"
_MISSING = (
    "Starting: Intent {{ cmp={0} }}\nError type 3\nError: Activity class {{{0}}} does not exist.\n"
)

#: What a maker's Android says to adb where its owner has not let it; the frames are AOSP's.
_NOT_LET = (
    "Exception occurred while executing 'keyevent':\n"
    "java.lang.SecurityException: Injecting input events requires the caller (or the source of the "
    "instrumentation, if any) to have the INJECT_EVENTS permission.\n"
    "\tat com.android.server.input.InputManagerService.injectInputEventToTarget"
    "(InputManagerService.java:856)\n"
    "\tat android.os.Binder.execTransact(Binder.java:1179)\n"
)

_SHUT = (
    "\nException occurred while executing 'list':\n"
    "java.lang.SecurityException: Shell does not have permission to access user {}\n"
    "\tat com.android.server.am.UserController.ensureNotSpecialUser(UserController.java:2912)\n"
    "\tat android.os.Binder.execTransact(Binder.java:1339)\n"
)


@dataclass
class State:
    """What a person or the environment can change on a phone."""

    level: int = 84
    temperature: int = 287  # 0.1 °C
    plugged: bool = True
    faked: bool = False
    thermal_status: int = 0
    skin: float = 31.3
    power_save: str = "null"
    awake: bool = True
    locked: bool = False
    secure: bool = True
    stay_on: str = "0"
    services_up: bool = True
    has_battery: bool = True
    hal_ready: bool = True
    settings: dict[str, dict[str, str]] = field(
        default_factory=lambda: {
            "system": {"screen_brightness": "102"},
            "secure": {"android_id": "f00"},
        }
    )
    #: The tables of users other than the first; who is not here has the first one's.
    settings_of_users: dict[int, dict[str, dict[str, str]]] = field(default_factory=dict)
    user: int = 0
    #: Users whom Android keeps from adb.
    shut_users: set[int] = field(default_factory=set)
    page_size: str = "4096"
    #: Whether Android refuses ``input``, ``settings put`` and the like to adb.
    guarded: bool = False


@dataclass(frozen=True)
class Package:
    """What of an APK matters here: its version, and who signed it."""

    version: int
    signer: str = "ours"


@dataclass
class Android:
    """A model of Android behind a phone's commands.

    Attributes:
        phone: whose commands it answers.
        battery, thermal, policy: the phone's own way to print its state.
        program: what the app is: a command that speaks the device protocol on its standard
            streams. It runs as another user than the shell, in a sandbox of its own.
        packages: known APK files by their SHA-256.
        installed: by package name.
        users: who has which package: those that are not named have all that are installed.
        install_failure: what ``pm install`` answers instead, such as ``INSTALL_FAILED_…``.
        exits: how processes of the app ended, newest first: reason and description.
        has_exit_info: Android 11 and later.
    """

    phone: Phone
    program: Sequence[str]
    battery: Callable[[State], str]
    thermal: Callable[[State], str]
    policy: Callable[[State], str]
    state: State = field(default_factory=State)
    packages: dict[str, Package] = field(default_factory=dict)
    installed: dict[str, Package] = field(default_factory=dict)
    users: dict[str, set[int]] = field(default_factory=dict)
    install_failure: str = ""
    exits: list[tuple[int, str, str]] = field(default_factory=list)
    anr: bool = False
    crash: str = "java.lang.IllegalStateException: as the test wanted"
    has_exit_info: bool = True
    launch_state: str = "LaunchState: COLD\n"
    start_answer: str = ""

    def __post_init__(self) -> None:
        (self.phone.data / "media/0" / _FILES).mkdir(parents=True, exist_ok=True)
        self._app: subprocess.Popen[bytes] | None = None
        self._listener: socket.socket | None = None
        self._killed = ""
        self.running = threading.Event()
        for name in ("getprop", "setprop", "settings", "dumpsys", "am", "pm", "cmd", "logcat"):
            self.phone.answer(name, getattr(self, f"_{name}"))
        self.phone.when_off.append(self._end_app)
        self.phone.answer("pidof", self._pidof)
        self.phone.answer("getconf", self._getconf)
        for name in ("input", "svc", "wm"):
            self.phone.answer(name, getattr(self, f"_{name}"))

    def know(self, apk: Path, package: Package) -> None:
        """Tells the package manager what is in a file."""
        self.packages[hashlib.sha256(apk.read_bytes()).hexdigest()] = package

    def kill_app(self, reason: str, description: str = "null") -> None:
        """Ends the app as the system would, and remembers why.

        Args:
            reason: as in ``dumpsys activity exit-info``: ``LOW_MEMORY``, ``ANR``, …
            description: likewise.
        """
        self._killed = reason
        self.exits.insert(0, (self._app.pid if self._app else 0, reason, description))
        self._end_app()

    # Commands.

    def _getprop(self, call: Call) -> int:
        properties = self.phone.make.properties
        if len(call.words) > 1:
            default = call.words[2] if len(call.words) > 2 else ""
            call.say(properties.get(call.words[1], default) + "\n")
        else:
            call.say("".join(f"[{k}]: [{v}]\n" for k, v in sorted(properties.items())))
        return 0

    def _setprop(self, call: Call) -> int:
        self.phone.make.properties[call.words[1]] = call.words[2]
        return 0

    def _getconf(self, call: Call) -> int:
        call.say(f"{self.state.page_size}\n")
        return 0

    def _refuses(self, call: Call) -> bool:
        if self.state.guarded:
            call.complain(_NOT_LET)
        return self.state.guarded

    def _settings(self, call: Call) -> int:
        tables = self.state.settings
        if call.words[1:3] == ["--user", "current"]:
            call = replace(call, words=[call.words[0], *call.words[3:]])
            tables = self.state.settings_of_users.get(self.state.user, tables)
        if call.words[1] == "list":
            table = tables.get(call.words[2], {})
            call.say("".join(f"{key}={value}\n" for key, value in table.items()))
            return 0
        if call.words[1] == "put" and self._refuses(call):
            return 255
        known = {
            ("global", "low_power"): self.state.power_save,
            ("global", "adb_enabled"): "1",
            ("global", "development_settings_enabled"): "1",
            ("global", "stay_on_while_plugged_in"): self.state.stay_on,
        }
        if call.words[1] == "put" and call.words[3] == "low_power":
            self.state.power_save = call.words[4]
        elif call.words[1] == "get":
            call.say(known.get((call.words[2], call.words[3]), "null") + "\n")
        return 0

    def _dumpsys(self, call: Call) -> int:
        what = call.words[1]
        if what == "battery" and call.words[2:] == ["reset"]:
            self.state.faked = False
        elif what == "battery":
            call.say(self.battery(self.state))
        elif what == "thermalservice":
            call.say(self.thermal(self.state))
        elif what == "power":
            awake = "Awake" if self.state.awake else "Asleep"
            call.say(f"POWER MANAGER (dumpsys power)\n\n  mWakefulness={awake}\n")
        elif what == "window":
            call.say(self.policy(self.state))
        elif what == "package":
            call.say(self._package_dump(call.words[2]))
        elif what == "activity" and call.words[2] == "exit-info" and self.has_exit_info:
            call.say(self._exit_info())
        elif what == "activity":
            call.say("Bad activity command, or no activities match: exit-info\n")
        else:
            call.say(f"Can't find service: {what}\n")
        return 0

    def _package_dump(self, name: str) -> str:
        package = self.installed.get(name)
        if package is None:
            return f"Unable to find package: {name}\n"
        return (
            f"Packages:\n  Package [{name}] (5f2a1c):\n    userId={APP_UID}\n"
            f"    versionCode={package.version} minSdk=26 targetSdk=35\n    versionName=0.1.0\n"
        )

    def _has(self, user: int, name: str) -> bool:
        return name in self.installed and user in self.users.get(name, {user})

    def _exit_info(self) -> str:
        text = "ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)\n"
        text += f"  package: {PACKAGE}\n    Historical Process Exit for uid={APP_UID}\n"
        for number, (pid, reason, description) in enumerate(self.exits):
            status = 9 if reason == "SIGNALED" else 0
            text += (
                f"        ApplicationExitInfo #{number}:\n"
                f"          timestamp=2026-10-08 22:49:31.375 pid={pid} realUid={APP_UID} "
                f"packageUid={APP_UID} definingUid={APP_UID} user=0\n"
                f"          process={PACKAGE} reason=4 ({reason}) subreason=0 (UNKNOWN) "
                f"status={status}\n"
                f"          importance=100 pss=0.00 rss=0.00 description={description} "
                "state=empty trace=null\n"
            )
        return text

    def _logcat(self, call: Call) -> int:
        pid = self._app.pid if self._app else 0
        if "crash" in call.words:
            call.say("--------- beginning of crash\n")
            if any(reason.startswith("APP CRASH") for _, reason, _ in self.exits):
                call.say(
                    f"11-24 12:00:00.000 {pid} 42 E AndroidRuntime: FATAL EXCEPTION: worker\n"
                    f"11-24 12:00:00.000 {pid} 42 E AndroidRuntime: Process: {PACKAGE}, "
                    f"PID: {pid}\n11-24 12:00:00.000 {pid} 42 E AndroidRuntime: {self.crash}\n"
                )
            return 0
        call.say("--------- beginning of events\n")
        if self.anr:
            call.say(
                f"11-24 12:00:00.000  1500  1600 I am_anr  : [0,{pid},{PACKAGE},545832518,"
                "Input dispatching timed out]\n"
            )
        return 0

    def _cmd(self, call: Call) -> int:
        if call.words[1:2] == ["package"]:
            return self._pm(replace(call, words=["pm", *call.words[2:]]))
        call.complain(f"cmd: Can't find service: {call.words[1]}\n")
        return 20

    def _pm(self, call: Call) -> int:
        words = call.words[1:]
        if words[0] in ("install", "install-write"):
            return self._install(call, words)
        if words[0] == "uninstall":
            gone = self.installed.pop(words[-1], None)
            call.say("Success\n" if gone else "Failure [DELETE_FAILED_INTERNAL_ERROR]\n")
            return 0 if gone else 1
        user = int(words[words.index("--user") + 1]) if "--user" in words else 0
        if user in self.state.shut_users or not self._has(user, words[-1]):
            call.complain(_SHUT.format(user) if user in self.state.shut_users else "")
            return 1
        if words[0] == "path":
            call.say(f"package:{_BASE}\n")
            return 0
        if words[:2] == ["list", "packages"]:
            call.say(f"package:{words[-1]}\npackage:{words[-1]}.other\n")
            return 0
        return 1

    def _install(self, call: Call, words: list[str]) -> int:
        if "-S" in words:
            content = call.input.read(int(words[words.index("-S") + 1]))
        else:
            content = (self.phone.folder / words[-1].removeprefix("/")).read_bytes()
        failure = self._install_failure(content, "-d" in words)
        if failure:
            call.say(f"Failure [{failure}]\n")
            return 1
        self.installed[PACKAGE] = self.packages[hashlib.sha256(content).hexdigest()]
        if "--user" in words and PACKAGE in self.users:
            self.users[PACKAGE].add(int(words[words.index("--user") + 1]))
        file = self.phone.folder / _BASE[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        call.say("Success\n")
        return 0

    def _install_failure(self, content: bytes, downgrade: bool) -> str:
        package = self.packages.get(hashlib.sha256(content).hexdigest())
        before = self.installed.get(PACKAGE)
        if self.install_failure:
            return self.install_failure
        if package is None:
            return "INSTALL_FAILED_INVALID_APK: Failed to parse base.apk"
        if before and before.signer != package.signer:
            return (
                f"INSTALL_FAILED_UPDATE_INCOMPATIBLE: Existing package {PACKAGE} signatures do "
                "not match newer version; ignoring!"
            )
        if before and before.version > package.version and not downgrade:
            return (
                "INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected: Update version code "
                f"{package.version} is older than current {before.version}"
            )
        return ""

    def _am(self, call: Call) -> int:
        if call.words[1] == "force-stop":
            self._end_app()
            return 0
        if call.words[1] == "get-current-user":
            call.say(f"{self.state.user}\n")
            return 0
        return self._start(call) if call.words[1] == "start" else 1

    def _start(self, call: Call) -> int:
        component = call.words[call.words.index("-n") + 1]
        if not self.state.services_up:
            call.complain("cmd: Can't find service: activity\n")
            return 20
        if self.start_answer:
            call.say(self.start_answer)
            return 0
        if not self._has(self.state.user, component.partition("/")[0]):
            call.say(_MISSING.format(component))
            return 0
        self._end_app()
        name = call.words[call.words.index("socket") + 1]
        listener = call.socket.dup()
        listener.bind(b"\0" + name.encode())
        listener.listen(1)
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        times = "TotalTime: 412\nWaitTime: 415\n"
        call.say(_FOUND.format(component, self.launch_state, times))
        return 0

    def _pidof(self, call: Call) -> int:
        alive = self._app is not None and self._app.poll() is None
        call.say(f"{self._app.pid}\n" if self._app and alive else "")
        return 0 if alive else 1

    def _input(self, call: Call) -> int:
        if self._refuses(call):
            return 255
        if call.words[1:] == ["keyevent", "KEYCODE_WAKEUP"]:
            self.state.awake = True
        return 0

    def _wm(self, call: Call) -> int:
        if self._refuses(call):
            return 255
        if call.words[1:] == ["dismiss-keyguard"] and not self.state.secure:
            self.state.locked = False
        return 0

    def _svc(self, call: Call) -> int:
        if call.words[1:] == ["power", "stayon", "true"]:
            self.state.stay_on = "15"
        return 0

    # The app.

    def _serve(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        self._killed = ""
        with connection:
            self._app = app = self._spawn(connection)
            self.running.set()
        code = app.wait()
        if not self._killed:
            self.exits.insert(0, (app.pid, "EXIT_SELF" if code >= 0 else "SIGNALED", "null"))

    def _spawn(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            # An agent in the app's place writes its outputs where the app does.
            "TMPDIR": f"/sdcard/{_FILES}",
        }
        command = walls(
            self.phone.folder,
            self.phone.system,
            uid=APP_UID,
            environment=environment,
            machine=True,
            visible=self._files(),
        )
        with (self.phone.folder / "app.log").open("ab") as log:
            return subprocess.Popen(
                command + list(self.program),
                stdin=connection,
                stdout=connection,
                stderr=log,
                start_new_session=True,
            )

    def _files(self) -> list[Path]:
        """What the program's words name on this machine, class paths included."""
        names = {name for word in self.program for name in word.split(os.pathsep)}
        return [Path(name) for name in sorted(names) if name.startswith("/tmp/")]  # noqa: S108

    def _end_app(self) -> None:
        self.running.clear()
        if self._listener is not None:
            stop_listening(self._listener)
            self._listener = None
        app = self._app
        if app is not None and app.poll() is None:
            self._killed = self._killed or "USER REQUESTED"
            os.killpg(app.pid, signal.SIGKILL)
            app.wait()
