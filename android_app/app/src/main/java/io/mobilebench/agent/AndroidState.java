package io.mobilebench.agent;

import android.app.ActivityManager;
import android.content.Context;
import android.content.Intent;
import android.content.IntentFilter;
import android.os.BatteryManager;
import android.os.Build;
import android.os.Debug;
import android.os.PowerManager;
import android.provider.Settings;
import io.mobilebench.core.CpuFrequencies;
import io.mobilebench.core.DeviceState;
import io.mobilebench.core.Metric;
import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Battery, heat, clocks and screen, as any app may read them. */
final class AndroidState implements DeviceState {
    /** What {@link Intent#getIntExtra} answers for a field that is not there. */
    private static final int ABSENT = Integer.MIN_VALUE;

    private final Context context;
    private final Foreground foreground;
    private final CpuFrequencies clocks = new CpuFrequencies(new File("/sys/devices/system/cpu"));

    AndroidState(Context context, Foreground foreground) {
        this.context = context;
        this.foreground = foreground;
    }

    @Override
    public long threadCpuNs() {
        return Debug.threadCpuTimeNanos();
    }

    @Override
    public String disturbance() {
        return foreground.disturbance();
    }

    @Override
    public List<Metric> read() {
        List<Metric> metrics = new ArrayList<>();
        addBattery(metrics);
        addFuelGauge(metrics);
        addPower(metrics);
        addScreen(metrics);
        addFreeMemory(metrics);
        metrics.addAll(clocks.read());
        if (Build.VERSION.SDK_INT >= 35) {
            metrics.addAll(PowerRails.read(context));
        } else {
            metrics.add(
                    Metric.unavailable(
                            "power_rails", "uWs", "PowerMonitor", "Android has it from API 35"));
        }
        return metrics;
    }

    @Override
    public List<Metric> trace() {
        List<Metric> metrics = new ArrayList<>(clocks.current());
        addHeat(metrics, context.getSystemService(PowerManager.class));
        Intent battery =
                context.registerReceiver(null, new IntentFilter(Intent.ACTION_BATTERY_CHANGED));
        metrics.add(temperature(battery));
        return metrics;
    }

    @Override
    public Map<String, Object> conditions() {
        return Collections.<String, Object>singletonMap("governors", clocks.governors());
    }

    /** From the broadcast that the system keeps; it is as old as the last change. */
    private void addBattery(List<Metric> metrics) {
        Intent battery =
                context.registerReceiver(null, new IntentFilter(Intent.ACTION_BATTERY_CHANGED));
        String source = "ACTION_BATTERY_CHANGED ";
        int level = extra(battery, BatteryManager.EXTRA_LEVEL);
        int scale = extra(battery, BatteryManager.EXTRA_SCALE);
        boolean known = level != ABSENT && scale > 0;
        metrics.add(
                known
                        ? Metric.of(
                                "battery_level", "%", source + "level, scale",
                                100.0 * level / scale, 100.0 / scale, 1)
                        : absent("battery_level", "%", source + "level, scale"));
        metrics.add(temperature(battery));
        addExtra(metrics, battery, "battery_voltage", "mV", BatteryManager.EXTRA_VOLTAGE);
        // 0 is on battery, 1 AC, 2 USB, 4 wireless, 8 dock.
        addExtra(metrics, battery, "battery_plugged", "1", BatteryManager.EXTRA_PLUGGED);
        // 2 charging, 3 discharging, 4 not charging, 5 full.
        addExtra(metrics, battery, "battery_status", "1", BatteryManager.EXTRA_STATUS);
    }

    private static Metric temperature(Intent battery) {
        String source = "ACTION_BATTERY_CHANGED temperature";
        int temperature = extra(battery, BatteryManager.EXTRA_TEMPERATURE);
        return temperature != ABSENT
                ? Metric.of(
                        "battery_temperature", "°C", source, temperature / 10.0, 0.1, 1)
                : absent("battery_temperature", "°C", source);
    }

    private static void addExtra(
            List<Metric> metrics, Intent battery, String name, String unit, String extra) {
        int value = extra(battery, extra);
        String source = "ACTION_BATTERY_CHANGED " + extra;
        metrics.add(
                value != ABSENT
                        ? Metric.of(name, unit, source, value, 1, 1)
                        : absent(name, unit, source));
    }

    private static int extra(Intent battery, String name) {
        return battery == null ? ABSENT : battery.getIntExtra(name, ABSENT);
    }

    /** The gauge's own words: makers differ in unit and sign, and the host knows which does. */
    private void addFuelGauge(List<Metric> metrics) {
        BatteryManager manager = context.getSystemService(BatteryManager.class);
        addGauge(
                metrics, manager, "battery_current", "uA",
                BatteryManager.BATTERY_PROPERTY_CURRENT_NOW, "CURRENT_NOW");
        addGauge(
                metrics, manager, "battery_charge", "uAh",
                BatteryManager.BATTERY_PROPERTY_CHARGE_COUNTER, "CHARGE_COUNTER");
        addGauge(
                metrics, manager, "battery_energy", "nWh",
                BatteryManager.BATTERY_PROPERTY_ENERGY_COUNTER, "ENERGY_COUNTER");
    }

    private static void addGauge(
            List<Metric> metrics,
            BatteryManager manager,
            String name,
            String unit,
            int property,
            String words) {
        String source = "BatteryManager " + words + ", as the phone says it";
        long value = manager.getLongProperty(property);
        // Where there is no gauge, systems before Android 9 answer 0, later ones the lowest number.
        boolean reported = value != 0 && value != Long.MIN_VALUE && value != Integer.MIN_VALUE;
        metrics.add(
                reported ? Metric.of(name, unit, source, value, 1, 1) : absent(name, unit, source));
    }

    private void addPower(List<Metric> metrics) {
        PowerManager power = context.getSystemService(PowerManager.class);
        metrics.add(flag("power_save", "PowerManager.isPowerSaveMode", power.isPowerSaveMode()));
        addHeat(metrics, power);
        metrics.add(flag("screen_on", "PowerManager.isInteractive", power.isInteractive()));
    }

    private static void addHeat(List<Metric> metrics, PowerManager power) {
        String status = "PowerManager.getCurrentThermalStatus";
        String headroom = "PowerManager.getThermalHeadroom(0), 1 = severe";
        if (Build.VERSION.SDK_INT >= 29) {
            metrics.add(
                    Metric.of(
                            "thermal_status", "1", status, power.getCurrentThermalStatus(), 1, 1));
        } else {
            metrics.add(
                    Metric.unavailable(
                            "thermal_status", "1", status, "Android has it from API 29"));
        }
        if (Build.VERSION.SDK_INT >= 30) {
            metrics.add(
                    Metric.of(
                            "thermal_headroom", "1", headroom, power.getThermalHeadroom(0), null,
                            1));
        } else {
            metrics.add(
                    Metric.unavailable(
                            "thermal_headroom", "1", headroom, "Android has it from API 30"));
        }
    }

    private void addScreen(List<Metric> metrics) {
        String source = "Settings.System.SCREEN_BRIGHTNESS";
        int brightness =
                Settings.System.getInt(
                        context.getContentResolver(), Settings.System.SCREEN_BRIGHTNESS, ABSENT);
        metrics.add(
                brightness != ABSENT
                        ? Metric.of("screen_brightness", "1", source, brightness, 1, 1)
                        : absent("screen_brightness", "1", source));
    }

    private void addFreeMemory(List<Metric> metrics) {
        ActivityManager.MemoryInfo memory = new ActivityManager.MemoryInfo();
        context.getSystemService(ActivityManager.class).getMemoryInfo(memory);
        metrics.add(
                Metric.of(
                        "memory_available", "B", "ActivityManager.MemoryInfo.availMem",
                        memory.availMem, 1024, 1));
    }

    private static Metric flag(String name, String source, boolean value) {
        return Metric.of(name, "1", source, value ? 1 : 0, 1, 1);
    }

    private static Metric absent(String name, String unit, String source) {
        return Metric.unavailable(name, unit, source, "this phone does not report it");
    }
}
