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

    static List<Metric> read(Context context) {
        SystemHealthManager health = context.getSystemService(SystemHealthManager.class);
        try {
            AtomicReference<List<PowerMonitor>> monitors = new AtomicReference<>();
            CountDownLatch listed = new CountDownLatch(1);
            health.getSupportedPowerMonitors(
                    Runnable::run,
                    found -> {
                        monitors.set(found);
                        listed.countDown();
                    });
            if (!listed.await(WAIT_SECONDS, TimeUnit.SECONDS) || monitors.get().isEmpty()) {
                return none("this phone has no such counters");
            }
            AtomicReference<PowerMonitorReadings> readings = new AtomicReference<>();
            CountDownLatch read = new CountDownLatch(1);
            health.getPowerMonitorReadings(
                    monitors.get(),
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
            if (!read.await(WAIT_SECONDS, TimeUnit.SECONDS) || readings.get() == null) {
                return none("the counters do not answer");
            }
            return metrics(monitors.get(), readings.get());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return none("the reading was interrupted");
        } catch (RuntimeException error) {
            return none("the counters cannot be read: " + error.getMessage());
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
