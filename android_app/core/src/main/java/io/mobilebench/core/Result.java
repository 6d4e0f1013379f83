package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What one trial found: raw samples and metrics, no statistics. */
public final class Result extends Message {
    public final String trial;
    public final String kind;
    public final List<Metric> metrics;
    /** Each timed inference of a latency trial, in order, in nanoseconds. */
    public final long[] samplesNs;
    /** Each inference of a latency trial's warm-up, without the very first. */
    public final long[] warmupNs;
    /**
     * When each timed inference began, from the start of measuring; with {@link #traces} if the job
     * asks for them, else both are empty.
     */
    public final long[] startsNs;
    /** The CPU time of each timed inference of one thread; empty where it is not known. */
    public final long[] cpuNs;
    /** How often the scheduler took the CPU away meanwhile; empty: Android does not count it. */
    public final long[] switches;
    public final List<Trace> traces;
    /** What held during the trial and is no number; see {@code device_agent/mobilebench_agent/contract.py}. */
    public final Map<String, Object> conditions;
    /** Of an outputs trial: the file with what the model answered; empty of any other. */
    public final OutputsFile outputs;
    /** See {@link Delegation}; empty if it is not reported. */
    public final Map<String, Object> delegation;
    /** Of an energy trial, in pairs of one idle and one load window. */
    public final List<Window> windows;
    public final List<PowerSeries> power;
    public final List<String> warnings;

    /** What a trial found that has no windows. */
    public Result(
            String trial,
            String kind,
            List<Metric> metrics,
            long[] samplesNs,
            Map<String, Object> delegation,
            List<String> warnings) {
        this(
                trial,
                kind,
                metrics,
                samplesNs,
                new long[0],
                new long[0],
                new long[0],
                new long[0],
                Collections.<Trace>emptyList(),
                Collections.<String, Object>emptyMap(),
                OutputsFile.NONE,
                delegation,
                Collections.<Window>emptyList(),
                Collections.<PowerSeries>emptyList(),
                warnings);
    }

    private Result(
            String trial,
            String kind,
            List<Metric> metrics,
            long[] samplesNs,
            long[] warmupNs,
            long[] startsNs,
            long[] cpuNs,
            long[] switches,
            List<Trace> traces,
            Map<String, Object> conditions,
            OutputsFile outputs,
            Map<String, Object> delegation,
            List<Window> windows,
            List<PowerSeries> power,
            List<String> warnings) {
        this.trial = trial;
        this.kind = kind;
        this.metrics = metrics;
        this.samplesNs = samplesNs;
        this.warmupNs = warmupNs;
        this.startsNs = startsNs;
        this.cpuNs = cpuNs;
        this.switches = switches;
        this.traces = traces;
        this.conditions = conditions;
        this.outputs = outputs;
        this.delegation = delegation;
        this.windows = windows;
        this.power = power;
        this.warnings = warnings;
    }

    /** The same result with what else a latency trial has. */
    Result timed(long[] warmupNs, long[] startsNs, long[] cpuNs, List<Trace> traces) {
        return new Result(
                trial, kind, metrics, samplesNs, warmupNs, startsNs, cpuNs, switches, traces,
                conditions,
                outputs, delegation, windows, power, warnings);
    }

    /** The same result with what an outputs trial has. */
    Result answered(OutputsFile outputs) {
        return new Result(
                trial, kind, metrics, samplesNs, warmupNs, startsNs, cpuNs, switches, traces,
                conditions,
                outputs, delegation, windows, power, warnings);
    }

    /** The same result with what an energy trial has. */
    Result metered(List<Window> windows, List<PowerSeries> power) {
        return new Result(
                trial, kind, metrics, samplesNs, warmupNs, startsNs, cpuNs, switches, traces,
                conditions,
                outputs, delegation, windows, power, warnings);
    }

    /** The same result with more metrics and warnings behind its own, and with conditions. */
    Result with(
            List<Metric> moreMetrics, Map<String, Object> conditions, List<String> moreWarnings) {
        List<Metric> allMetrics = new ArrayList<>(metrics);
        allMetrics.addAll(moreMetrics);
        List<String> allWarnings = new ArrayList<>(warnings);
        allWarnings.addAll(moreWarnings);
        return new Result(
                trial, kind, allMetrics, samplesNs, warmupNs, startsNs, cpuNs, switches, traces,
                conditions,
                outputs, delegation, windows, power, allWarnings);
    }

    /** The same result with the unpacking as a metric, and within the initialization. */
    Result unpackedIn(long nanoseconds) {
        List<Metric> changed = new ArrayList<>();
        for (Metric metric : metrics) {
            boolean loading = metric.name.equals("initialization_time") && metric.value != null;
            changed.add(
                    loading
                            ? Metric.of(
                                    metric.name,
                                    metric.unit,
                                    metric.source,
                                    metric.value.longValue() + nanoseconds,
                                    metric.resolution,
                                    metric.n)
                            : metric);
        }
        changed.add(Metric.of("unpacking_time", "ns", Latency.CLOCK, nanoseconds, 1, 1));
        return new Result(
                trial, kind, changed, samplesNs, warmupNs, startsNs, cpuNs, switches, traces,
                conditions,
                outputs, delegation, windows, power, warnings);
    }

    static Result read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields(
                        "result", document, "trial", "kind", "metrics", "samples_ns",
                        "warmup_ns", "starts_ns", "cpu_ns", "switches", "traces", "conditions", "outputs",
                        "outputs_sha256", "outputs_bytes", "delegation", "windows", "power",
                        "warnings");
        List<Metric> metrics = new ArrayList<>();
        for (Map<String, Object> metric : fields.objects("metrics")) {
            metrics.add(Metric.read(metric));
        }
        List<Window> windows = new ArrayList<>();
        for (Map<String, Object> window : fields.objects("windows")) {
            windows.add(Window.read(window));
        }
        List<PowerSeries> power = new ArrayList<>();
        for (Map<String, Object> series : fields.objects("power")) {
            power.add(PowerSeries.read(series));
        }
        List<Trace> traces = new ArrayList<>();
        for (Map<String, Object> trace : fields.objects("traces")) {
            traces.add(Trace.read(trace));
        }
        Result result =
                new Result(
                        fields.text("trial"),
                        fields.text("kind"),
                        metrics,
                        fields.wholes("samples_ns"),
                        fields.wholes("warmup_ns"),
                        fields.wholes("starts_ns"),
                        fields.wholes("cpu_ns"),
                        fields.wholes("switches"),
                        traces,
                        fields.object("conditions"),
                        new OutputsFile(
                                fields.text("outputs", ""),
                                fields.text("outputs_sha256", ""),
                                fields.whole("outputs_bytes", 0)),
                        fields.object("delegation"),
                        windows,
                        power,
                        fields.texts("warnings"));
        if (result.startsNs.length != 0 && result.startsNs.length != result.samplesNs.length) {
            throw fields.bad("as many starts as samples, or none");
        }
        for (long[] marks : new long[][] {result.cpuNs, result.switches}) {
            if (marks.length != 0 && marks.length != result.samplesNs.length) {
                throw fields.bad("as many CPU times and switches as samples, or none");
            }
            for (long mark : marks) {
                if (mark < 0) {
                    throw fields.bad("CPU times and switches must not be negative");
                }
            }
        }
        if (!result.outputs.isOf(result.kind)) {
            throw fields.bad(
                    "outputs, outputs_sha256 and outputs_bytes exactly when its kind is outputs");
        }
        return result;
    }

    @Override
    public String type() {
        return "result";
    }

    @Override
    Map<String, Object> fields() {
        List<Object> written = new ArrayList<>();
        for (Metric metric : metrics) {
            written.add(metric.fields());
        }
        List<Object> writtenTraces = new ArrayList<>();
        for (Trace trace : traces) {
            writtenTraces.add(trace.fields());
        }
        List<Object> writtenWindows = new ArrayList<>();
        for (Window window : windows) {
            writtenWindows.add(window.fields());
        }
        List<Object> writtenPower = new ArrayList<>();
        for (PowerSeries series : power) {
            writtenPower.add(series.fields());
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("trial", trial);
        fields.put("kind", kind);
        fields.put("metrics", written);
        fields.put("samples_ns", samplesNs);
        fields.put("warmup_ns", warmupNs);
        fields.put("starts_ns", startsNs);
        fields.put("cpu_ns", cpuNs);
        fields.put("switches", switches);
        fields.put("traces", writtenTraces);
        fields.put("conditions", conditions);
        fields.put("outputs", outputs.path);
        fields.put("outputs_sha256", outputs.sha256);
        fields.put("outputs_bytes", outputs.bytes);
        fields.put("delegation", delegation);
        fields.put("windows", writtenWindows);
        fields.put("power", writtenPower);
        fields.put("warnings", warnings);
        return fields;
    }
}
