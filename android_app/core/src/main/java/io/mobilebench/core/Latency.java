package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How long one inference takes: raw nanoseconds, no statistics. */
final class Latency {
    private static final String CLOCK = "CLOCK_MONOTONIC by System.nanoTime";

    private Latency() {}

    /**
     * Loads the model, warms up, and times inferences one by one.
     *
     * <p>Each loop ends when it has its number of runs <em>and</em> its seconds
     * (benchmark_model's rule), or at {@code max_seconds}. Nothing is read, written or drawn
     * while it runs.
     */
    static Result measure(Engine engine, Job job, Progress progress) throws AgentException {
        progress.phase("load", 0);
        long start = System.nanoTime();
        try (LoadedModel model = engine.load(job)) {
            long initialization = System.nanoTime() - start;
            Noise.fill(model, job.seed);

            progress.phase("warmup", 0);
            long first = model.invoke();
            Outputs.check(model);

            // Garbage of the loading is collected now and not in the middle of the loop.
            System.gc();
            Loop warmup = Loop.run(model, job.warmupRuns, job.warmupSeconds, job.maxSeconds);
            progress.phase("measure", 0);
            Loop measured = Loop.run(model, job.runs, job.seconds, job.maxSeconds);

            Delegation delegation = model.delegation();
            List<String> warnings = new ArrayList<>(delegation.warnings);
            if (measured.capped) {
                warnings.add(
                        "stopped after " + measured.samples.length + " runs at the limit of "
                                + seconds(job.maxSeconds) + " s, before the " + job.runs
                                + " runs asked for");
            }
            return new Result(
                    job.trial,
                    job.kind,
                    Arrays.asList(
                            Metric.of("initialization_time", "ns", CLOCK, initialization, 1, 1),
                            Metric.of("first_inference", "ns", model.clock(), first, 1, 1),
                            Metric.of("warmup_runs", "1", "count", warmup.samples.length, 1, 1),
                            Metric.of(
                                    "warmup_time", "ns", model.clock(), warmup.total(), 1,
                                    warmup.samples.length)),
                    measured.samples,
                    new long[0],
                    delegation.told,
                    warnings);
        }
    }

    /** Without the decimals that say nothing. */
    private static String seconds(double value) {
        return value == Math.rint(value) && value < 1e15
                ? Long.toString((long) value)
                : Double.toString(value);
    }

    /** Inferences timed one by one. */
    static final class Loop {
        /** Enough for most trials, so that the loop rarely makes garbage. */
        private static final int ROOM = 4096;

        final long[] samples;
        /** Whether {@code maxSeconds} ended the loop before it had its runs. */
        final boolean capped;

        private Loop(long[] samples, boolean capped) {
            this.samples = samples;
            this.capped = capped;
        }

        static Loop run(LoadedModel model, long runs, double seconds, double maxSeconds) {
            long[] samples = new long[ROOM];
            int count = 0;
            long begin = System.nanoTime();
            long enough = nanoseconds(seconds);
            long limit = nanoseconds(Math.max(seconds, maxSeconds));
            while (true) {
                long passed = System.nanoTime() - begin;
                if (count >= runs && passed >= enough || passed >= limit) {
                    return new Loop(Arrays.copyOf(samples, count), count < runs);
                }
                if (count == samples.length) {
                    samples = Arrays.copyOf(samples, count * 2);
                }
                // A clock that did not move between two readings: one step is the least it can say.
                samples[count++] = Math.max(1, model.invoke());
            }
        }

        long total() {
            long total = 0;
            for (long sample : samples) {
                total += sample;
            }
            return total;
        }

        private static long nanoseconds(double seconds) {
            return (long) (seconds * 1e9);
        }
    }
}
