package io.mobilebench.agent;

import android.content.Context;
import android.content.Intent;
import android.content.IntentFilter;
import android.os.BatteryManager;
import io.mobilebench.core.BatteryGauge;

/** The battery in the phone's own words. */
final class AndroidGauge implements BatteryGauge {
    private final Context context;
    private final BatteryManager manager;

    AndroidGauge(Context context) {
        this.context = context;
        manager = context.getSystemService(BatteryManager.class);
    }

    @Override
    public Long current() {
        return property(BatteryManager.BATTERY_PROPERTY_CURRENT_NOW);
    }

    @Override
    public Long charge() {
        return property(BatteryManager.BATTERY_PROPERTY_CHARGE_COUNTER);
    }

    @Override
    public Long energy() {
        return property(BatteryManager.BATTERY_PROPERTY_ENERGY_COUNTER);
    }

    @Override
    public Long voltage() {
        Long millivolts = extra(BatteryManager.EXTRA_VOLTAGE);
        return millivolts == null || millivolts <= 0 ? null : millivolts;
    }

    @Override
    public Long plugged() {
        return extra(BatteryManager.EXTRA_PLUGGED);
    }

    private Long property(int property) {
        long value = manager.getLongProperty(property);
        // Where there is no gauge, systems before Android 9 answer 0, later ones the lowest number.
        boolean reported = value != 0 && value != Long.MIN_VALUE && value != Integer.MIN_VALUE;
        return reported ? value : null;
    }

    /** From the broadcast that the system keeps; it is as old as the last change. */
    private Long extra(String name) {
        Intent battery =
                context.registerReceiver(null, new IntentFilter(Intent.ACTION_BATTERY_CHANGED));
        if (battery == null || !battery.hasExtra(name)) {
            return null;
        }
        return (long) battery.getIntExtra(name, 0);
    }
}
