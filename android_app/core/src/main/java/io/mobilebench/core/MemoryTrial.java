package io.mobilebench.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** How much memory a model takes: this process with the model, less this process without. */
final class MemoryTrial {
    /** Enough for every lazily allocated buffer to be there. */
    private static final int RUNS = 3;

    /** What the kernel counts in (proc(5)). */
    private static final int KILOBYTE = 1024;

    /** Our name, the file and field it comes from. */
    private static final String[][] FIELDS = {
        {"memory_pss", "smaps_rollup", "Pss"},
        {"memory_swap_pss", "smaps_rollup", "SwapPss"},
        {"memory_rss", "status", "VmRSS"},
        {"memory_anonymous", "status", "RssAnon"},
        {"memory_file", "status", "RssFile"},
    };

    private MemoryTrial() {}

    /**
     * Reads the process's memory before the model is loaded and after a few inferences.
     *
     * <p>A memory-mapped .tflite counts as file memory. What the kernel or an accelerator
     * allocates outside the process (dma-buf, NPU) is not seen.
     */
    static Result measure(Engine engine, Memory memory, Job job, Progress progress)
            throws AgentException {
        progress.phase("memory", 0);
        // What start-up left behind would otherwise be collected, or not, while the model loads.
        System.gc();
        boolean peakFromHere = memory.resetPeak();
        Map<String, Long> before = memory.read();
        Object mark = memory.mark();
        try (LoadedModel model = engine.load(job)) {
            Noise.fill(model, job.seed);
            for (long run = 0; run < Math.max(RUNS, job.warmupRuns); run++) {
                model.invoke();
            }
            Map<String, Long> after = memory.read();
            List<Metric> metrics = new ArrayList<>();
            for (String[] field : FIELDS) {
                metrics.add(growth(field[0], field[1], field[2], before, after));
            }
            metrics.add(peak(before, after, peakFromHere));
            metrics.add(
                    metric(
                            "memory_baseline_pss", "smaps_rollup Pss, empty runtime",
                            before.get("Pss"), "this kernel has no Pss"));
            metrics.addAll(memory.growth(mark));
            Delegation delegation = model.delegation();
            return new Result(
                    job.trial,
                    job.kind,
                    metrics,
                    new long[0],
                    delegation.reported,
                    delegation.warnings);
        }
    }

    private static Metric growth(
            String name,
            String file,
            String key,
            Map<String, Long> before,
            Map<String, Long> after) {
        String source = "/proc/self/" + file + " " + key + ", less the empty runtime";
        Long grown = null;
        if (before.containsKey(key) && after.containsKey(key)) {
            // Pages can be given back between the readings; less than nothing is still nothing.
            grown = Math.max(0, after.get(key) - before.get(key));
        }
        return metric(name, source, grown, "this kernel has no " + key + " in /proc/self/" + file);
    }

    private static Metric peak(
            Map<String, Long> before, Map<String, Long> after, boolean fromHere) {
        String source = "/proc/self/status VmHWM, less VmRSS of the empty runtime";
        if (!fromHere) {
            // Start-up may have peaked above anything the model did: the difference bounds it.
            source += " (peak not reset: includes start-up)";
        }
        Long grown = null;
        if (after.containsKey("VmHWM") && before.containsKey("VmRSS")) {
            grown = Math.max(0, after.get("VmHWM") - before.get("VmRSS"));
        }
        return metric("memory_peak", source, grown, "this kernel has no VmHWM");
    }

    private static Metric metric(String name, String source, Long value, String reason) {
        return value == null
                ? Metric.unavailable(name, "B", source, reason)
                : Metric.of(name, "B", source, value, KILOBYTE, 1);
    }
}
