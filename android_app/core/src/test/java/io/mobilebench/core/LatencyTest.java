package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class LatencyTest {
    @Test
    void endsAtItsRunsWhenTheSecondsAreOver() {
        Latency.Loop loop = Latency.Loop.run(new FakeModel(7), 3, 0, 1, 0, null);
        assertArrayEquals(new long[] {7, 7, 7}, loop.samples);
        assertEquals(21, loop.total());
        assertFalse(loop.capped);
    }

    @Test
    void goesOnUntilTheSecondsAreOver() {
        Latency.Loop loop = Latency.Loop.run(new FakeModel(7), 3, 0.05, 1, 0, null);
        // Far more than the first room holds: nothing is lost when it grows.
        assertTrue(loop.samples.length > 4096);
        assertFalse(loop.capped);
        for (long sample : loop.samples) {
            assertEquals(7, sample);
        }
    }

    @Test
    void saysWhenTheLimitCutsItShort() {
        assertTrue(Latency.Loop.run(new FakeModel(7), Long.MAX_VALUE, 0, 0.01, 0, null).capped);
    }

    @Test
    void secondsAskedForAreNoCut() {
        assertFalse(Latency.Loop.run(new FakeModel(7), 1, 0.02, 0.01, 0, null).capped);
    }

    @Test
    void noRunsAtAllIsAllowedForWarmUp() {
        assertEquals(0, Latency.Loop.run(new FakeModel(7), 0, 0, 1, 0, null).samples.length);
    }

    @Test
    void aClockThatDidNotMoveIsNotZero() {
        assertArrayEquals(new long[] {1}, Latency.Loop.run(new FakeModel(0), 1, 0, 1, 0, null).samples);
    }
}
