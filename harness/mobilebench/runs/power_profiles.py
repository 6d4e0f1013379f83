"""How each model of phone reports its battery's current, as far as real discharges have shown it.

It is kept in the cache folder, a file a model, when a run on battery has found it out, and held
against the readings of every later run. A suite's ``battery_current`` goes before it.
"""

from __future__ import annotations

from dataclasses import replace

from mobilebench.analysis.measures import trial_energy
from mobilebench.devices.android import current_profiles
from mobilebench.devices.spec import DeviceSpec
from mobilebench.records.battery_current import CurrentProfile
from mobilebench.records.device import DeviceFacts
from mobilebench.store.folder import RunFolder


def recorded(spec: DeviceSpec, facts: DeviceFacts) -> DeviceFacts:
    """The facts, with how the battery is read: as the suite says, or as an earlier run showed."""
    asked = spec.battery_current
    profile = (
        CurrentProfile(asked.unit, asked.discharging)
        if asked
        else current_profiles.known(facts.info)
    )
    return replace(facts, battery_current=profile, power_counter=spec.power_counter)


def learn(folder: RunFolder) -> None:
    """Keeps what a run's energy trials have shown of a phone whose model was not known.

    Trials that contradict each other teach nothing. A cache that cannot be written costs nothing
    but the knowledge.
    """
    for device in folder.run().devices:
        if device.battery_current is not None:
            continue
        profiles = (
            trial_energy(trial, None, device.power_counter).profile
            for trial in folder.trials()
            if (trial.device, trial.kind, trial.state) == (device.name, "energy", "valid")
        )
        found = {profile for profile in profiles if profile is not None}
        if len(found) == 1:
            current_profiles.keep(device.info, found.pop(), folder.path.name)
