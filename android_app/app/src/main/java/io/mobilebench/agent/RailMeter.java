package io.mobilebench.agent;

import android.annotation.TargetApi;
import android.content.Context;
import android.os.PowerMonitor;
import android.os.PowerMonitorReadings;
import io.mobilebench.core.PowerCounter;
import io.mobilebench.core.PowerMeter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The phone's own energy counters (Android 15) as a power meter: rails that are measured behind the
 * battery, so that charging does not matter. What the system only models is left out.
 *
 * <p>The system answers from a cache that may be 30 s old, adds noise, and says what time each
 * number is of: the host holds that against the ends of a window.
 */
@TargetApi(35)
final class RailMeter implements PowerMeter {
    private static final String NAME = "PowerMonitor";
    private static final long NANOSECONDS = 1_000_000;

    private final Context context;
    private final Map<PowerMonitor, PowerCounter> rails = new LinkedHashMap<>();
    private String missing = "";

    RailMeter(Context context) {
        this.context = context;
        try {
            for (PowerMonitor monitor : PowerRails.monitors(context)) {
                if (monitor.getType() == PowerMonitor.POWER_MONITOR_TYPE_MEASUREMENT) {
                    String source = NAME + " " + monitor.getName();
                    rails.put(
                            monitor,
                            new PowerCounter(NAME, "energy", "uWs", source, 1, null, true));
                }
            }
            if (rails.isEmpty()) {
                missing = NAME + ": this phone has no such counters";
            }
        } catch (PowerRails.UnavailableException error) {
            missing = NAME + ": " + error.getMessage();
        }
    }

    @Override
    public List<PowerCounter> counters() {
        return new ArrayList<>(rails.values());
    }

    @Override
    public List<String> missing() {
        return missing.isEmpty()
                ? Collections.<String>emptyList()
                : Collections.singletonList(missing);
    }

    @Override
    public void read(boolean momentsOnly, Readings readings) {
        if (momentsOnly || rails.isEmpty()) {
            return;
        }
        PowerMonitorReadings found;
        try {
            found = PowerRails.readings(context, new ArrayList<>(rails.keySet()));
        } catch (PowerRails.UnavailableException error) {
            readings.lost(rails.values().iterator().next(), error.getMessage());
            return;
        }
        for (Map.Entry<PowerMonitor, PowerCounter> rail : rails.entrySet()) {
            long energy = found.getConsumedEnergy(rail.getKey());
            if (energy == PowerMonitorReadings.ENERGY_UNAVAILABLE) {
                readings.lost(rail.getValue(), "the counter has no value");
            } else {
                // Since the phone started, as the clock of the windows.
                long time = found.getTimestampMillis(rail.getKey()) * NANOSECONDS;
                readings.put(rail.getValue(), time, energy);
            }
        }
    }
}
