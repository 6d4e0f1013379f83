package io.mobilebench.core;

/** What a power counter counts, in which unit and steps. Counters of one name belong together. */
public final class PowerCounter {
    public final String name;
    /** One of {@link PowerSeries#QUANTITIES}. */
    public final String quantity;
    public final String unit;
    public final String source;
    /** The smallest step of the source, in {@link #unit}; null where it is not known. */
    public final Number resolution;
    /** Where a counter begins again at 0; null where it does not. */
    public final Number maximum;
    /** Whether it sees what the device draws, charging or not. */
    public final boolean downstream;

    public PowerCounter(
            String name,
            String quantity,
            String unit,
            String source,
            Number resolution,
            Number maximum,
            boolean downstream) {
        this.name = name;
        this.quantity = quantity;
        this.unit = unit;
        this.source = source;
        this.resolution = resolution;
        this.maximum = maximum;
        this.downstream = downstream;
    }

    /** Whether it is of the moment, so that it is read within a window, too. */
    boolean isMomentary() {
        return quantity.equals("power") || quantity.equals("current") || quantity.equals("voltage");
    }
}
