package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.locks.LockSupport;

import org.junit.jupiter.api.Test;

class LatencyTest {
    @Test
    void endsAtItsRunsWhenTheSecondsAreOver() {
        Latency.Loop loop = run(7, 3, 0, 1);
        assertArrayEquals(new long[] {7, 7, 7}, loop.samples);
        assertEquals(21, loop.total());
        assertEquals(3, loop.count);
    }

    @Test
    void goesOnUntilTheSecondsAreOver() {
        Latency.Loop loop = run(7, 3, 0.05, 1);
        // Far more than the first room holds: nothing is lost when it grows.
        assertTrue(loop.samples.length > 4096);
        assertEquals(loop.samples.length, loop.count);
        for (long sample : loop.samples) {
            assertEquals(7, sample);
        }
    }

    @Test
    void theLimitCutsItShort() {
        assertTrue(run(7, Long.MAX_VALUE, 0, 0.01).count < Long.MAX_VALUE);
    }

    @Test
    void secondsAskedForAreNoCut() {
        long begin = System.nanoTime();
        run(7, 1, 0.02, 0.01);
        assertTrue(System.nanoTime() - begin >= 20_000_000L);
    }

    @Test
    void noRunsAtAllIsAllowedForWarmUp() {
        assertEquals(0, run(7, 0, 0, 1).samples.length);
    }

    @Test
    void aClockThatDidNotMoveIsNotZero() {
        assertArrayEquals(new long[] {1}, run(0, 1, 0, 1).samples);
    }

    @Test
    void ofManyEverySecondFourthEighthIsKept() {
        for (int runs = 1; runs < 100; runs++) {
            // A model whose n-th run takes n + 1 nanoseconds.
            FakeModel counting =
                    new FakeModel(0) {
                        private long count;

                        @Override
                        public long invoke() {
                            return ++count;
                        }
                    };
            CpuTimes cpuTimes = new CpuTimes(() -> 5);
            Latency.Loop loop = Latency.Loop.run(counting, runs, 0, 10, 0, null, 8, cpuTimes);
            assertEquals(runs, loop.count);
            assertEquals((runs - 1) / loop.stride + 1, loop.samples.length);
            assertTrue(loop.samples.length <= 8);
            assertEquals(loop.samples.length, cpuTimes.all().length);
            assertTrue(loop.stride == 1 || loop.samples.length > 4);
            for (int index = 0; index < loop.samples.length; index++) {
                assertEquals(index * loop.stride + 1, loop.samples[index]);
                assertTrue(index == 0 || loop.starts[index] > loop.starts[index - 1]);
            }
        }
    }

    @Test
    void aModelThatOnlyLaterAnswersWithInfinity() throws Exception {
        FakeModel tiring =
                new FakeModel(1) {
                    @Override
                    public long invoke() {
                        long took = super.invoke();
                        if (runs > 20) {
                            output(0).putFloat(0, Float.POSITIVE_INFINITY);
                        }
                        return took;
                    }
                };
        assertEquals(15, measure(tiring, 15).samplesNs.length);
        AgentException refused = assertThrows(AgentException.class, () -> measure(tiring, 15));
        assertEquals("output_nan", refused.code);
        assertTrue(refused.getMessage().contains("'out'"), refused.getMessage());
    }

    @Test
    void eachInferenceOfOneThreadHasItsCpuTime() throws Exception {
        // A thread that never had a CPU: no time of its own is in any inference.
        FakeModel slow =
                new FakeModel(1) {
                    @Override
                    public long invoke() {
                        LockSupport.parkNanos(1_000_000);
                        return super.invoke();
                    }
                };
        assertArrayEquals(new long[3], measure(slow, 3).cpuNs);
        Job job = job(3, ",\"threads\":2");
        Result several =
                Latency.measure(new FakeModel(1), new QuietState(5), job, (name, done) -> {});
        assertEquals(0, several.cpuNs.length);
    }

    @Test
    void aSystemThatDoesNotKnowTheCpuTime() throws Exception {
        Result unknown =
                Latency.measure(
                        new FakeModel(1), new QuietState(-1), job(3, ""), (name, done) -> {});
        assertEquals(3, unknown.samplesNs.length);
        assertEquals(0, unknown.cpuNs.length);
    }

    private static Result measure(FakeModel model, int runs) throws Exception {
        return Latency.measure(model, new QuietState(5), job(runs, ""), (name, done) -> {});
    }

    private static Job job(int runs, String more) throws Exception {
        return (Job)
                Contract.decode(
                        "{\"type\":\"job\",\"protocol\":2,\"trial\":\"t\","
                                + "\"kind\":\"latency\",\"model\":\"m\","
                                + "\"model_sha256\":\"0\",\"warmup_seconds\":0,"
                                + "\"seconds\":0,\"runs\":" + runs + more + "}");
    }

    private static Latency.Loop run(int time, long runs, double seconds, double maxSeconds) {
        FakeModel model = new FakeModel(time);
        return Latency.Loop.run(model, runs, seconds, maxSeconds, 0, null, Integer.MAX_VALUE, null);
    }
}
