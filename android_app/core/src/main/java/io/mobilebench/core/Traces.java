package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Readings of the same counters again and again, as one {@link Trace} for each of them. */
final class Traces {
    private final Map<String, List<Metric>> readings = new LinkedHashMap<>();
    private final Map<String, List<Long>> times = new LinkedHashMap<>();

    void add(long timeNs, List<Metric> metrics) {
        for (Metric metric : metrics) {
            readings.computeIfAbsent(metric.name, name -> new ArrayList<>()).add(metric);
            times.computeIfAbsent(metric.name, name -> new ArrayList<>()).add(timeNs);
        }
    }

    List<Trace> all() {
        List<Trace> traces = new ArrayList<>();
        readings.forEach((name, metrics) -> traces.add(trace(metrics, times.get(name))));
        return traces;
    }

    private static Trace trace(List<Metric> metrics, List<Long> times) {
        long[] timesNs = new long[metrics.size()];
        double[] values = new double[metrics.size()];
        int count = 0;
        Metric shown = null;
        String reason = "";
        for (int index = 0; index < metrics.size(); index++) {
            Metric metric = metrics.get(index);
            if (metric.value != null) {
                shown = shown == null ? metric : shown;
                timesNs[count] = times.get(index);
                values[count++] = metric.value.doubleValue();
            } else if (reason.isEmpty()) {
                reason = metric.reason;
            }
        }
        shown = shown == null ? metrics.get(0) : shown;
        return new Trace(
                shown.name,
                shown.unit,
                shown.source,
                shown.resolution,
                Arrays.copyOf(timesNs, count),
                Arrays.copyOf(values, count),
                reason);
    }
}
