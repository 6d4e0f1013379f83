package io.mobilebench.core;

import java.util.Arrays;
import java.util.function.LongSupplier;

/**
 * The CPU time of each timed inference of one thread, read between inferences: whoever waits for a
 * CPU is not on one, so an inference was interrupted where it is less than the wall time.
 */
final class CpuTimes {
    /** Read no oftener than this: shorter inferences share the readings around several of them. */
    private static final long INTERVAL_NS = 100_000;

    /**
     * The two clocks are read one after the other, so that they differ by this much with nobody
     * else there. To give a CPU to another takes longer.
     */
    private static final long RESOLUTION_NS = 5_000;

    private final LongSupplier clock;
    private long[] times = new long[0];
    private int known;
    private long wall;
    private long cpu;

    /** @param clock the calling thread's CPU time in nanoseconds; below 0 where it is not known */
    CpuTimes(LongSupplier clock) {
        this.clock = clock;
    }

    /** An interval begins: what was done since the last one ended is no inference. */
    void begin() {
        clock.getAsLong(); // the first reading takes longer
        wall = System.nanoTime();
        cpu = clock.getAsLong();
    }

    boolean isDue() {
        return System.nanoTime() - wall >= INTERVAL_NS;
    }

    /** An interval ends, and the next begins: the samples that it added get their CPU times. */
    void end(long[] samples, int count) {
        long wallNow = System.nanoTime();
        long cpuNow = clock.getAsLong();
        long passed = wallNow - wall;
        long used = cpuNow - cpu;
        double share = passed - used < RESOLUTION_NS ? 1 : used / (double) passed;
        if (times.length < samples.length) {
            times = Arrays.copyOf(times, samples.length);
        }
        for (; known < count; known++) {
            times[known] = Math.round(samples[known] * Math.max(0, share));
        }
        wall = wallNow;
        cpu = cpuNow;
    }

    /** Every second one is dropped, from the second. */
    void halve() {
        known = (known + 1) / 2;
        for (int index = 0; index < known; index++) {
            times[index] = times[2 * index];
        }
    }

    /** Of each sample; empty where the system does not report them. */
    long[] all() {
        return cpu < 0 ? new long[0] : Arrays.copyOf(times, known);
    }
}
