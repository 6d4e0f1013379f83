package io.mobilebench.core;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The readings of one power counter, with the device's own times. */
public final class PowerSeries {
    /** What a counter counts; {@code device_agent/mobilebench_agent/contract.py} says what each means. */
    static final List<String> QUANTITIES =
            Collections.unmodifiableList(
                    Arrays.asList(
                            "energy", "power", "current", "voltage", "charge", "energy_left",
                            "plugged"));

    public final PowerCounter counter;
    public final long[] timesNs;
    public final long[] values;

    public PowerSeries(PowerCounter counter, long[] timesNs, long[] values) {
        this.counter = counter;
        this.timesNs = timesNs;
        this.values = values;
    }

    static PowerSeries read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields(
                        "power series", document, "name", "quantity", "unit", "source",
                        "resolution", "maximum", "downstream", "times_ns", "values");
        PowerSeries series =
                new PowerSeries(
                        new PowerCounter(
                                fields.text("name"),
                                fields.text("quantity"),
                                fields.text("unit"),
                                fields.text("source"),
                                fields.numberOrNull("resolution"),
                                fields.numberOrNull("maximum"),
                                fields.truth("downstream", false)),
                        fields.wholes("times_ns"),
                        fields.wholes("values"));
        if (!QUANTITIES.contains(series.counter.quantity)) {
            throw fields.bad("unknown quantity '" + series.counter.quantity + "'");
        }
        if (series.timesNs.length != series.values.length) {
            throw fields.bad("as many times as values");
        }
        for (int index = 1; index < series.timesNs.length; index++) {
            if (series.timesNs[index] < series.timesNs[index - 1]) {
                throw fields.bad("its times go backwards");
            }
        }
        return series;
    }

    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("name", counter.name);
        fields.put("quantity", counter.quantity);
        fields.put("unit", counter.unit);
        fields.put("source", counter.source);
        fields.put("resolution", counter.resolution);
        fields.put("maximum", counter.maximum);
        fields.put("downstream", counter.downstream);
        fields.put("times_ns", timesNs);
        fields.put("values", values);
        return fields;
    }
}
