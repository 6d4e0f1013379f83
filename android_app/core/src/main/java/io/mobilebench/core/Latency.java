package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How long one inference takes: raw nanoseconds, no statistics. */
final class Latency {
    static final String CLOCK = "CLOCK_MONOTONIC by System.nanoTime";

    private Latency() {}

    /**
     * Loads the model, warms up, and times inferences one by one.
     *
     * <p>Each loop ends when it has its number of runs <em>and</em> its seconds
     * (benchmark_model's rule), or at {@code max_seconds}. Nothing is read, written or drawn
     * while an inference runs; between two of them only what {@code trace_seconds} asks for.
     */
    static Result measure(Engine engine, DeviceState state, Job job, Progress progress)
            throws AgentException {
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
            Loop warmup =
                    Loop.run(model, job.warmupRuns, job.warmupSeconds, job.maxSeconds, 0, null);
            progress.phase("measure", 0);
            Traces traces = new Traces();
            Pause pause =
                    passed -> {
                        traces.add(passed, state.trace());
                        if (job.seconds > 0) {
                            progress.phase("measure", Math.min(1, passed / 1e9 / job.seconds));
                        }
                    };
            Loop measured =
                    Loop.run(
                            model, job.runs, job.seconds, job.maxSeconds, job.traceSeconds, pause);

            Delegation delegation = model.delegation();
            List<String> warnings = new ArrayList<>(delegation.warnings);
            if (measured.capped) {
                warnings.add(
                        "stopped after " + measured.samples.length + " runs at the limit of "
                                + seconds(job.maxSeconds) + " s, before the " + job.runs
                                + " runs asked for");
            }
            Result result = new Result(
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
            long[] starts = job.traceSeconds > 0 ? measured.starts : new long[0];
            return result.timed(warmup.samples, starts, traces.all());
        }
    }

    /** Without the decimals that say nothing. */
    private static String seconds(double value) {
        return value == Math.rint(value) && value < 1e15
                ? Long.toString((long) value)
                : Double.toString(value);
    }

    /** What is done between two inferences, so many nanoseconds after the first one began. */
    interface Pause {
        void at(long passed);
    }

    /** Inferences timed one by one. */
    static final class Loop {
        /** Enough for most trials, so that the loop rarely makes garbage. */
        private static final int ROOM = 4096;

        final long[] samples;
        /** When each of them began, from the start of the loop. */
        final long[] starts;
        /** Whether {@code maxSeconds} ended the loop before it had its runs. */
        final boolean capped;

        private Loop(long[] samples, long[] starts, boolean capped) {
            this.samples = samples;
            this.starts = starts;
            this.capped = capped;
        }

        /** @param pauseSeconds how often {@code pause} is called, also at both ends; 0: never */
        static Loop run(
                LoadedModel model,
                long runs,
                double seconds,
                double maxSeconds,
                double pauseSeconds,
                Pause pause) {
            long[] samples = new long[ROOM];
            long[] starts = new long[ROOM];
            int count = 0;
            long begin = System.nanoTime();
            long enough = nanoseconds(seconds);
            long limit = nanoseconds(Math.max(seconds, maxSeconds));
            long between = nanoseconds(pauseSeconds);
            long nextPause = between > 0 ? 0 : Long.MAX_VALUE;
            while (true) {
                long passed = System.nanoTime() - begin;
                boolean over = count >= runs && passed >= enough || passed >= limit;
                if (passed >= nextPause || over && between > 0) {
                    pause.at(passed);
                    nextPause = passed + between;
                }
                if (over) {
                    return new Loop(
                            Arrays.copyOf(samples, count),
                            Arrays.copyOf(starts, count),
                            count < runs);
                }
                if (count == samples.length) {
                    samples = Arrays.copyOf(samples, count * 2);
                    starts = Arrays.copyOf(starts, count * 2);
                }
                starts[count] = System.nanoTime() - begin;
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
