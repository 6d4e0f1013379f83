package io.mobilebench.agent;

import android.annotation.TargetApi;
import android.content.Context;
import android.os.OutcomeReceiver;
import android.os.PowerMonitor;
import android.os.PowerMonitorReadings;
import android.os.health.SystemHealthManager;
import io.mobilebench.core.Metric;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The phone's own energy counters (Android 15), each in microwatt-seconds since the phone started.
 *
 * <p>The system answers from a cache that may be 30 s old and adds noise; the time of the reading
 * stands beside each.
 */
@TargetApi(35)
final class PowerRails {
    private static final String SOURCE = "PowerMonitor ";
    private static final long WAIT_SECONDS = 2;

    private PowerRails() {}

    /** Why the counters cannot be read. */
    static final class UnavailableException extends Exception {
        private static final long serialVersionUID = 1;

        UnavailableException(String message) {
            super(message);
        }
    }

    static List<Metric> read(Context context) {
        try {
            List<PowerMonitor> monitors = monitors(context);
            return metrics(monitors, readings(context, monitors));
        } catch (UnavailableException error) {
            return none(error.getMessage());
        }
    }

    /** The counters of this phone; at least one. */
    static List<PowerMonitor> monitors(Context context) throws UnavailableException {
        AtomicReference<List<PowerMonitor>> monitors = new AtomicReference<>();
        CountDownLatch listed = new CountDownLatch(1);
        try {
            context.getSystemService(SystemHealthManager.class)
                    .getSupportedPowerMonitors(
                            Runnable::run,
                            found -> {
                                monitors.set(found);
                                listed.countDown();
                            });
        } catch (RuntimeException error) {
            throw new UnavailableException("the counters cannot be read: " + error.getMessage());
        }
        if (!within(listed) || monitors.get().isEmpty()) {
            throw new UnavailableException("this phone has no such counters");
        }
        return monitors.get();
    }

    /** What the counters say, each with the time of its number. */
    static PowerMonitorReadings readings(Context context, List<PowerMonitor> monitors)
            throws UnavailableException {
        AtomicReference<PowerMonitorReadings> readings = new AtomicReference<>();
        CountDownLatch read = new CountDownLatch(1);
        try {
            context.getSystemService(SystemHealthManager.class)
                    .getPowerMonitorReadings(
                            monitors,
                            Runnable::run,
                            new OutcomeReceiver<PowerMonitorReadings, RuntimeException>() {
                                @Override
                                public void onResult(PowerMonitorReadings result) {
                                    readings.set(result);
                                    read.countDown();
                                }

                                @Override
                                public void onError(RuntimeException error) {
                                    read.countDown();
                                }
                            });
        } catch (RuntimeException error) {
            throw new UnavailableException("the counters cannot be read: " + error.getMessage());
        }
        if (!within(read) || readings.get() == null) {
            throw new UnavailableException("the counters do not answer");
        }
        return readings.get();
    }

    private static boolean within(CountDownLatch latch) throws UnavailableException {
        try {
            return latch.await(WAIT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new UnavailableException("the reading was interrupted");
        }
    }

    private static List<Metric> metrics(
            List<PowerMonitor> monitors, PowerMonitorReadings readings) {
        List<Metric> metrics = new ArrayList<>();
        for (PowerMonitor monitor : monitors) {
            String kind = monitor.getType() == PowerMonitor.POWER_MONITOR_TYPE_MEASUREMENT
                    ? "measured" : "modelled";
            String name = "power_rail_" + monitor.getName();
            long energy = readings.getConsumedEnergy(monitor);
            if (energy == PowerMonitorReadings.ENERGY_UNAVAILABLE) {
                metrics.add(
                        Metric.unavailable(
                                name, "uWs", SOURCE + kind, "the counter has no value"));
                continue;
            }
            metrics.add(Metric.of(name, "uWs", SOURCE + kind, energy, 1, 1));
            metrics.add(
                    Metric.of(
                            name + "_time", "ms", SOURCE + "timestamp, since the phone started",
                            readings.getTimestampMillis(monitor), 1, 1));
        }
        return metrics;
    }

    private static List<Metric> none(String reason) {
        return Collections.singletonList(
                Metric.unavailable("power_rails", "uWs", SOURCE.trim(), reason));
    }
}
