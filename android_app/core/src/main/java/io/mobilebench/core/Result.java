package io.mobilebench.core;

import java.util.ArrayList;
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
    /** The class chosen for each sample of an accuracy trial, in order. */
    public final long[] predictions;
    /** See {@link Delegation}; empty if it is not told. */
    public final Map<String, Object> delegation;
    public final List<String> warnings;

    public Result(
            String trial,
            String kind,
            List<Metric> metrics,
            long[] samplesNs,
            long[] predictions,
            Map<String, Object> delegation,
            List<String> warnings) {
        this.trial = trial;
        this.kind = kind;
        this.metrics = metrics;
        this.samplesNs = samplesNs;
        this.predictions = predictions;
        this.delegation = delegation;
        this.warnings = warnings;
    }

    /** The same result with more metrics and warnings behind its own. */
    public Result with(List<Metric> moreMetrics, List<String> moreWarnings) {
        List<Metric> allMetrics = new ArrayList<>(metrics);
        allMetrics.addAll(moreMetrics);
        List<String> allWarnings = new ArrayList<>(warnings);
        allWarnings.addAll(moreWarnings);
        return new Result(
                trial, kind, allMetrics, samplesNs, predictions, delegation, allWarnings);
    }

    static Result read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields(
                        "result", document, "trial", "kind", "metrics", "samples_ns",
                        "predictions", "delegation", "warnings");
        List<Metric> metrics = new ArrayList<>();
        for (Map<String, Object> metric : fields.objects("metrics")) {
            metrics.add(Metric.read(metric));
        }
        return new Result(
                fields.text("trial"),
                fields.text("kind"),
                metrics,
                fields.wholes("samples_ns"),
                fields.wholes("predictions"),
                fields.object("delegation"),
                fields.texts("warnings"));
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
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("trial", trial);
        fields.put("kind", kind);
        fields.put("metrics", written);
        fields.put("samples_ns", samplesNs);
        fields.put("predictions", predictions);
        fields.put("delegation", delegation);
        fields.put("warnings", warnings);
        return fields;
    }
}
