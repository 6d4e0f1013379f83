package io.mobilebench.agent;

import android.content.Context;
import android.content.Intent;
import android.content.IntentFilter;
import android.os.BatteryManager;
import android.os.Build;
import android.os.PowerManager;
import java.text.NumberFormat;

/** How hot the phone says it is, for the screen; what is measured of it {@link AndroidState} reads. */
final class Heat {
    /** What Android has no thermal status for, before Android 10. */
    private static final int UNKNOWN = -1;

    /** Of {@code PowerManager.THERMAL_STATUS_NONE} and the following, in their order. */
    private static final int[] STATUS = {
        R.string.heat_none,
        R.string.heat_light,
        R.string.heat_moderate,
        R.string.heat_severe,
        R.string.heat_critical,
        R.string.heat_emergency,
        R.string.heat_shutdown
    };

    private final int status;

    /** Tenths of a degree; {@code Integer.MIN_VALUE}: not reported. */
    private final int battery;

    private Heat(int status, int battery) {
        this.status = status;
        this.battery = battery;
    }

    static Heat now(Context context) {
        int status = UNKNOWN;
        if (Build.VERSION.SDK_INT >= 29) {
            status = context.getSystemService(PowerManager.class).getCurrentThermalStatus();
        }
        Intent changed =
                context.registerReceiver(null, new IntentFilter(Intent.ACTION_BATTERY_CHANGED));
        int battery =
                changed == null
                        ? Integer.MIN_VALUE
                        : changed.getIntExtra(
                                BatteryManager.EXTRA_TEMPERATURE, Integer.MIN_VALUE);
        return new Heat(status, battery);
    }

    /** The thermal status in words. */
    String words(Context context) {
        boolean known = status >= 0 && status < STATUS.length;
        return context.getString(known ? STATUS[status] : R.string.heat_unknown);
    }

    /** The battery's temperature; empty where it is not reported. */
    String temperature(Context context) {
        if (battery == Integer.MIN_VALUE) {
            return "";
        }
        NumberFormat number = NumberFormat.getInstance();
        number.setMaximumFractionDigits(1);
        return context.getString(R.string.battery_temperature, number.format(battery / 10.0));
    }

    /** Green, amber, red, or grey where nothing is known. */
    int color(Context context) {
        int color = status >= 3 ? R.color.hot : R.color.warm;
        if (status < 0 || status >= STATUS.length) {
            color = R.color.unknown;
        } else if (status == 0) {
            color = R.color.cool;
        }
        return context.getColor(color);
    }
}
