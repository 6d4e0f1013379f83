package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The readings of one counter while a latency trial was timed, taken between inferences.
 *
 * <p>A reading that failed is left out, and {@link #reason} says why the first of them did.
 */
public final class Trace {
    public final String name;
    public final String unit;
    public final String source;
    /** The smallest step of the source, in {@link #unit}; null where it is not known. */
    public final Number resolution;
    /** From the start of measuring, on the clock of the samples. */
    public final long[] timesNs;
    public final double[] values;
    public final String reason;

    Trace(
            String name,
            String unit,
            String source,
            Number resolution,
            long[] timesNs,
            double[] values,
            String reason) {
        this.name = name;
        this.unit = unit;
        this.source = source;
        this.resolution = resolution;
        this.timesNs = timesNs;
        this.values = values;
        this.reason = reason;
    }

    static Trace read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields(
                        "trace", document, "name", "unit", "source", "resolution", "times_ns",
                        "values", "reason");
        Trace trace =
                new Trace(
                        fields.text("name"),
                        fields.text("unit"),
                        fields.text("source"),
                        fields.numberOrNull("resolution"),
                        fields.wholes("times_ns"),
                        fields.numbers("values"),
                        fields.text("reason", ""));
        if (trace.timesNs.length != trace.values.length) {
            throw fields.bad("as many times as values");
        }
        for (int index = 1; index < trace.timesNs.length; index++) {
            if (trace.timesNs[index] < trace.timesNs[index - 1]) {
                throw fields.bad("its times go backwards");
            }
        }
        if (trace.values.length == 0 && trace.reason.isEmpty()) {
            throw fields.bad("empty without a reason");
        }
        return trace;
    }

    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("name", name);
        fields.put("unit", unit);
        fields.put("source", source);
        fields.put("resolution", resolution);
        fields.put("times_ns", timesNs);
        fields.put("values", values);
        fields.put("reason", reason);
        return fields;
    }
}
