package io.mobilebench.core;

/** A battery's own words, as they come; null where it reports none. */
public interface BatteryGauge {
    /** On paper µA, positive while charging; phones differ in both. */
    Long current();

    /** µAh that are left. */
    Long charge();

    /** nWh that are left. */
    Long energy();

    /** Millivolts. */
    Long voltage();

    /** 0 on battery, else what it is plugged into. */
    Long plugged();
}
