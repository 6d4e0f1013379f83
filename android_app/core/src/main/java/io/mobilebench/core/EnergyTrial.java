package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What energy an inference takes: windows of load between windows of rest, counters at their ends.
 *
 * <p>The numbers are raw; what they mean, and whether the counter can tell at all, is for the host.
 */
final class EnergyTrial {
    /** Of a window's length, what goes before it in the same state: clocks and gauges are slow. */
    private static final double LEAD_IN = 0.25;

    private static final double LONGEST_PERIOD_SECONDS = 0.1;
    private static final int READINGS_A_WINDOW = 20;

    private EnergyTrial() {}

    /**
     * Idle and load windows in pairs, the order within each pair drawn by the job's seed.
     *
     * <p>All counters are read at both ends of every window; those of the moment also within, by a
     * thread that goes on in idle windows just the same.
     */
    static Result measure(Engine engine, PowerMeters power, Job job, Progress progress)
            throws AgentException {
        String refusal = power.refusal();
        if (!refusal.isEmpty()) {
            return result(
                    job,
                    Collections.singletonList(
                            Metric.unavailable(
                                    "energy_per_inference", "J", "power counters", refusal)));
        }
        progress.phase("load", 0);
        try (LoadedModel model = engine.load(job)) {
            Noise.fill(model, job.seed);
            progress.phase("warmup", 0);
            load(model, job.warmupSeconds, Math.max(1, job.warmupRuns));
            Outputs.check(model);
            System.gc();

            PowerMeters.Recorder recorder = power.new Recorder();
            Random order = new Random(job.seed);
            List<Window> windows = new ArrayList<>();
            for (int pair = 0; pair < job.windows; pair++) {
                progress.phase("energy", (double) pair / job.windows);
                boolean loadFirst = order.nextBoolean();
                for (boolean load : new boolean[] {loadFirst, !loadFirst}) {
                    work(load, model, LEAD_IN * job.windowSeconds);
                    windows.add(window(load, model, job.windowSeconds, power, recorder));
                }
            }
            Delegation delegation = model.delegation();
            List<String> warnings = new ArrayList<>(delegation.warnings);
            for (String why : recorder.lost.values()) {
                warnings.add("a counter failed in mid-trial: " + why);
            }
            warnings.addAll(power.missing());
            return new Result(
                            job.trial,
                            job.kind,
                            Collections.<Metric>emptyList(),
                            new long[0],
                            delegation.reported,
                            warnings)
                    .metered(windows, recorder.series());
        }
    }

    private static Result result(Job job, List<Metric> metrics) {
        return new Result(
                job.trial,
                job.kind,
                metrics,
                new long[0],
                Collections.<String, Object>emptyMap(),
                Collections.<String>emptyList());
    }

    private static Window window(
            boolean load,
            LoadedModel model,
            double seconds,
            PowerMeters power,
            PowerMeters.Recorder recorder) {
        recorder.read(false);
        CountDownLatch ended = new CountDownLatch(1);
        Thread reader = new Thread(() -> readOn(recorder, seconds, ended), "power");
        long start = power.now();
        reader.start();
        long count = work(load, model, seconds);
        long end = power.now();
        recorder.read(false);
        ended.countDown();
        try {
            reader.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return new Window(load, start, Math.max(end, start + 1), count);
    }

    private static void readOn(
            PowerMeters.Recorder recorder, double seconds, CountDownLatch ended) {
        double period = Math.min(LONGEST_PERIOD_SECONDS, seconds / READINGS_A_WINDOW);
        try {
            while (!ended.await((long) (period * 1e9), TimeUnit.NANOSECONDS)) {
                recorder.read(true);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static long work(boolean load, LoadedModel model, double seconds) {
        if (load) {
            return load(model, seconds, 1);
        }
        long end = System.nanoTime() + (long) (seconds * 1e9);
        try {
            for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
                TimeUnit.NANOSECONDS.sleep(left);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return 0;
    }

    /** Inferences one upon another, until both limits are met; says how many. */
    private static long load(LoadedModel model, double seconds, long runs) {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        long count = 0;
        while (count < runs || System.nanoTime() < end) {
            model.invoke();
            count++;
        }
        return count;
    }
}
