package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How long one inference takes: raw nanoseconds, no statistics. */
final class Latency {
    static final String CLOCK = "CLOCK_MONOTONIC by System.nanoTime";

    /** A trial keeps no more timed inferences: of more, every 2nd, 4th, 8th, … from the first. */
    static final int MOST_SAMPLES = 1 << 20;

    private Latency() {}

    /**
     * Loads the model, warms up, and times inferences one by one.
     *
     * <p>Each loop ends when it has its number of runs <em>and</em> its seconds
     * (benchmark_model's rule), or at {@code max_seconds}. Nothing is read, written or drawn
     * while an inference runs; between two of them only what {@code trace_seconds} asks for, and
     * the thread's CPU time.
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
                    Loop.run(
                            model, job.warmupRuns, job.warmupSeconds, job.maxSeconds, 0, null,
                            Integer.MAX_VALUE, null);
            progress.phase("measure", 0);
            Traces traces = new Traces();
            Pause pause =
                    passed -> {
                        traces.add(passed, state.trace());
                        if (job.seconds > 0) {
                            progress.phase("measure", Math.min(1, passed / 1e9 / job.seconds));
                        }
                    };
            // Of several threads, or an accelerator, this thread's time says nothing.
            boolean alone = job.threads == 1 && job.accelerator.equals("cpu");
            CpuTimes cpuTimes = alone ? new CpuTimes(state::threadCpuNs) : null;
            Loop measured =
                    Loop.run(
                            model, job.runs, job.seconds, job.maxSeconds, job.traceSeconds, pause,
                            MOST_SAMPLES, cpuTimes);
            // A model with a state may answer well at first, and not for long.
            Outputs.check(model);

            Delegation delegation = model.delegation();
            List<String> warnings = new ArrayList<>(delegation.warnings);
            if (measured.count < job.runs) {
                warnings.add(
                        "stopped after " + measured.count + " runs at the limit of "
                                + seconds(job.maxSeconds) + " s, before the " + job.runs
                                + " runs asked for");
            }
            if (measured.stride > 1) {
                warnings.add(
                        "of every " + measured.stride + " inferences one is kept: a trial keeps at"
                                + " most " + MOST_SAMPLES);
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
                                    warmup.samples.length),
                            Metric.of("timed_runs", "1", "count", measured.count, 1, 1),
                            Metric.of(
                                    "sample_stride", "1", "every how many-th run is kept",
                                    measured.stride, 1, 1)),
                    measured.samples,
                    delegation.reported,
                    warnings);
            long[] starts = job.traceSeconds > 0 ? measured.starts : new long[0];
            long[] cpu = alone ? cpuTimes.all() : new long[0];
            return result.timed(warmup.samples, starts, cpu, traces.all());
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

    /** Inferences timed one by one; of many, every {@link #stride}-th is kept, from the first. */
    static final class Loop {
        /** Enough for most trials, so that the loop rarely makes garbage. */
        private static final int ROOM = 4096;

        final long[] samples;
        /** When each of them began, from the start of the loop. */
        final long[] starts;
        /** How many there were. */
        final long count;
        final long stride;

        private Loop(long[] samples, long[] starts, long count, long stride) {
            this.samples = samples;
            this.starts = starts;
            this.count = count;
            this.stride = stride;
        }

        /**
         * When there would be more than {@code most} samples, every second one is dropped, and from
         * then on half as many are kept: which ones does not depend on how long they took.
         *
         * @param pauseSeconds how often {@code pause} is called, also at both ends; 0: never
         * @param cpuTimes gets an entry for each sample; null: they are not asked for
         */
        static Loop run(
                LoadedModel model,
                long runs,
                double seconds,
                double maxSeconds,
                double pauseSeconds,
                Pause pause,
                int most,
                CpuTimes cpuTimes) {
            long[] samples = new long[Math.min(ROOM, most)];
            long[] starts = new long[samples.length];
            int kept = 0;
            long count = 0;
            long stride = 1;
            long begin = System.nanoTime();
            long enough = nanoseconds(seconds);
            long limit = nanoseconds(Math.max(seconds, maxSeconds));
            long between = nanoseconds(pauseSeconds);
            long nextPause = between > 0 ? 0 : Long.MAX_VALUE;
            if (cpuTimes != null) {
                cpuTimes.begin();
            }
            while (true) {
                long passed = System.nanoTime() - begin;
                boolean over = count >= runs && passed >= enough || passed >= limit;
                boolean pauses = passed >= nextPause || over && between > 0;
                if (cpuTimes != null && (over || pauses || cpuTimes.isDue())) {
                    cpuTimes.end(samples, kept);
                }
                if (pauses) {
                    pause.at(passed);
                    nextPause = passed + between;
                    if (cpuTimes != null) {
                        cpuTimes.begin();
                    }
                }
                if (over) {
                    return new Loop(
                            Arrays.copyOf(samples, kept),
                            Arrays.copyOf(starts, kept),
                            count,
                            stride);
                }
                boolean keep = count % stride == 0;
                if (keep && kept == most) {
                    if (cpuTimes != null) {
                        cpuTimes.end(samples, kept);
                        cpuTimes.halve();
                    }
                    stride *= 2;
                    kept = (kept + 1) / 2;
                    for (int index = 0; index < kept; index++) {
                        samples[index] = samples[2 * index];
                        starts[index] = starts[2 * index];
                    }
                } else if (keep && kept == samples.length) {
                    int room = (int) Math.min(most, samples.length * 2L);
                    samples = Arrays.copyOf(samples, room);
                    starts = Arrays.copyOf(starts, room);
                }
                long start = System.nanoTime() - begin;
                // A clock that did not move between two readings: one step is the least it can say.
                long took = Math.max(1, model.invoke());
                if (keep) {
                    samples[kept] = took;
                    starts[kept++] = start;
                }
                count++;
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
