package io.mobilebench.agent;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.Context;
import android.content.Intent;
import android.os.BatteryManager;
import android.os.Build;
import android.os.PowerManager;
import android.provider.Settings;
import io.mobilebench.core.Metric;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** What the app reads of battery, heat and screen, from Android's own classes. */
@RunWith(RobolectricTestRunner.class)
public class AndroidStateTest {
    private Context context;

    @Before
    public void findContext() {
        context = RuntimeEnvironment.getApplication();
    }

    /** Unchecked, as classes translated back from the APK have no type parameters. */
    @SuppressWarnings("unchecked")
    private Map<String, Metric> read() {
        Map<String, Metric> found = new LinkedHashMap<>();
        List<Metric> metrics = new AndroidState(context, new Foreground()).read();
        for (Metric metric : metrics) {
            assertNull(metric.name, found.put(metric.name, metric));
        }
        return found;
    }

    private static void assertValue(double wanted, Metric metric) {
        assertEquals(metric.name, wanted, metric.value.doubleValue(), 1e-9);
    }

    @SuppressWarnings("deprecation")
    private void say(Intent battery) {
        context.sendStickyBroadcast(battery);
    }

    @Test
    public void battery() {
        say(
                new Intent(Intent.ACTION_BATTERY_CHANGED)
                        .putExtra(BatteryManager.EXTRA_LEVEL, 42)
                        .putExtra(BatteryManager.EXTRA_SCALE, 50)
                        .putExtra(BatteryManager.EXTRA_TEMPERATURE, 287)
                        .putExtra(BatteryManager.EXTRA_VOLTAGE, 4063)
                        .putExtra(
                                BatteryManager.EXTRA_PLUGGED, BatteryManager.BATTERY_PLUGGED_USB));
        Map<String, Metric> found = read();
        assertValue(84.0, found.get("battery_level"));
        assertValue(28.7, found.get("battery_temperature"));
        assertValue(4063.0, found.get("battery_voltage"));
        assertValue(2.0, found.get("battery_plugged"));
        // This broadcast does not have the status.
        assertEquals("unavailable", found.get("battery_status").validity);
    }

    @Test
    public void aBatteryOfWhichNothingIsTold() {
        say(new Intent(Intent.ACTION_BATTERY_CHANGED));
        assertNull(read().get("battery_level").value);
        assertEquals("this phone does not report it", read().get("battery_temperature").reason);
    }

    @Test
    public void fuelGauge() {
        BatteryManager manager = context.getSystemService(BatteryManager.class);
        shadowOf(manager)
                .setLongProperty(BatteryManager.BATTERY_PROPERTY_CURRENT_NOW, -412_000);
        shadowOf(manager)
                .setLongProperty(BatteryManager.BATTERY_PROPERTY_CHARGE_COUNTER, Long.MIN_VALUE);
        shadowOf(manager).setLongProperty(BatteryManager.BATTERY_PROPERTY_ENERGY_COUNTER, 0);
        Map<String, Metric> found = read();
        assertValue(-412_000.0, found.get("battery_current"));
        assertNull(found.get("battery_charge").value);
        assertNull(found.get("battery_energy").value);
    }

    @Test
    public void powerSaveHeatAndScreen() {
        PowerManager power = context.getSystemService(PowerManager.class);
        assertValue(0.0, read().get("power_save"));
        shadowOf(power).setIsPowerSaveMode(true);
        shadowOf(power).turnScreenOn(false);
        Settings.System.putInt(
                context.getContentResolver(), Settings.System.SCREEN_BRIGHTNESS, 128);
        if (Build.VERSION.SDK_INT >= 29) {
            shadowOf(power).setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE);
        }
        Map<String, Metric> found = read();
        assertValue(1.0, found.get("power_save"));
        assertValue(0.0, found.get("screen_on"));
        assertValue(128.0, found.get("screen_brightness"));
        if (Build.VERSION.SDK_INT >= 29) {
            assertValue(3.0, found.get("thermal_status"));
        } else {
            assertEquals("Android has it from API 29", found.get("thermal_status").reason);
        }
    }

    @Test
    public void whatThisAndroidHasNotIsUnavailable() {
        for (Metric metric : read().values()) {
            assertEquals(metric.name, metric.value == null, metric.validity.equals("unavailable"));
            assertEquals(metric.name, metric.value == null, !metric.reason.isEmpty());
        }
    }

    @Test
    @SuppressWarnings("unchecked")
    public void factsNameTheSystem() {
        Map<String, Object> facts = AndroidDevice.facts(context);
        assertEquals(Build.VERSION.SDK_INT, facts.get("api"));
        assertEquals(Build.MODEL, facts.get("model"));
        assertEquals(Build.VERSION.SDK_INT >= 31, facts.containsKey("soc"));
        assertTrue(facts.containsKey("memory_bytes"));
    }
}
