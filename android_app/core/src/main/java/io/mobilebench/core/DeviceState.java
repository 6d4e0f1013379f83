package io.mobilebench.core;

import java.util.List;
import java.util.Map;

/** What can change a number from outside: battery, heat, clocks, screen. */
public interface DeviceState {
    /**
     * The state now. What cannot be read is unavailable with a reason, never 0. Read before and
     * after a trial, never inside one.
     */
    List<Metric> read();

    /**
     * What of the state is worth watching while a trial goes on for minutes: clocks and heat. Read
     * between inferences, so it must be quick.
     */
    List<Metric> trace();

    /** What of the state is no number, as {@link Json#write} can write it; may be empty. */
    Map<String, Object> conditions();

    /** The CPU time of the calling thread so far; below 0 where it is not known. Quick. */
    long threadCpuNs();

    /** Why what was just measured, or is to be, was disturbed; empty if it was not. */
    String disturbance();
}
