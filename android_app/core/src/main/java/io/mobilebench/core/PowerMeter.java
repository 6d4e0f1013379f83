package io.mobilebench.core;

import java.util.List;

/** Some power counters that are read together. */
public interface PowerMeter {
    /** Takes what was read. */
    interface Readings {
        /** @param timeNs when it was so, by the clock of {@link PowerMeters} */
        void put(PowerCounter counter, long timeNs, long value);

        /** The counter cannot be read, and the sentence says why. */
        void lost(PowerCounter counter, String why);
    }

    /** The counters that this device has; empty if there are none. */
    List<PowerCounter> counters();

    /** Why there are none, or fewer than there could be. */
    List<String> missing();

    /**
     * Reads the counters now.
     *
     * @param momentsOnly leave out those that count up or down
     */
    void read(boolean momentsOnly, Readings readings);
}
