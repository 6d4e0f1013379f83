package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One measured quantity: what, how much, and where the number comes from.
 *
 * <p>{@link #value} is null exactly when {@link #validity} is {@code unavailable};
 * {@link #reason} then says why. Missing is never 0.
 */
public final class Metric {
    public final String name;
    public final String unit;
    public final String source;
    public final Number value;
    /** The smallest step of the source, in {@link #unit}; null where it is not known. */
    public final Number resolution;
    /** How many readings the value comes from. */
    public final long n;
    public final String validity;
    public final String reason;

    private Metric(
            String name,
            String unit,
            String source,
            Number value,
            Number resolution,
            long n,
            String validity,
            String reason) {
        this.name = name;
        this.unit = unit;
        this.source = source;
        this.value = value;
        this.resolution = resolution;
        this.n = n;
        this.validity = validity;
        this.reason = reason;
    }

    /** A quantity that was read. A value that is no finite number makes it unavailable. */
    public static Metric of(
            String name, String unit, String source, Number value, Number resolution, long n) {
        if (Double.isNaN(value.doubleValue()) || Double.isInfinite(value.doubleValue())) {
            return unavailable(name, unit, source, "the source answered " + value);
        }
        return new Metric(name, unit, source, value, resolution, n, "valid", "");
    }

    /** A quantity that could not be read, with the reason. */
    public static Metric unavailable(String name, String unit, String source, String reason) {
        return new Metric(name, unit, source, null, null, 0, "unavailable", reason);
    }

    /** The same quantity under a name that starts with {@code prefix}. */
    public Metric prefixed(String prefix) {
        return new Metric(prefix + name, unit, source, value, resolution, n, validity, reason);
    }

    static Metric read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields(
                        "metric", document, "name", "unit", "source", "value", "resolution", "n",
                        "validity", "reason");
        Metric metric =
                new Metric(
                        fields.text("name"),
                        fields.text("unit"),
                        fields.text("source"),
                        fields.numberOrNull("value"),
                        fields.numberOrNull("resolution"),
                        fields.whole("n", 0),
                        fields.text("validity", "valid"),
                        fields.text("reason", ""));
        boolean unavailable = metric.validity.equals("unavailable");
        if (!unavailable && !metric.validity.equals("valid")) {
            throw fields.bad("unknown validity '" + metric.validity + "'");
        }
        if ((metric.value == null) != unavailable) {
            throw fields.bad(metric.name + " must have a value exactly when it is valid");
        }
        if (unavailable && metric.reason.isEmpty()) {
            throw fields.bad(metric.name + " is unavailable without a reason");
        }
        return metric;
    }

    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("name", name);
        fields.put("unit", unit);
        fields.put("source", source);
        fields.put("value", value);
        fields.put("resolution", resolution);
        fields.put("n", n);
        fields.put("validity", validity);
        fields.put("reason", reason);
        return fields;
    }
}
