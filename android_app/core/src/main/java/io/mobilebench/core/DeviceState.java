package io.mobilebench.core;

import java.util.List;

/** What can change a number from outside: battery, heat, clocks, screen. */
public interface DeviceState {
    /**
     * The state now. What cannot be read is unavailable with a reason, never 0. Read before and
     * after a trial, never inside one.
     */
    List<Metric> read();

    /** Why what was just measured, or is to be, was disturbed; empty if it was not. */
    String disturbance();
}
