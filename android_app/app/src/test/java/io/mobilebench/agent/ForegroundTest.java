package io.mobilebench.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ForegroundTest {
    private final Foreground foreground = new Foreground();

    @Test
    void allIsWellWhileItStaysInFront() {
        foreground.resumed();
        assertEquals("", foreground.disturbance());
        assertEquals("", foreground.disturbance());
    }

    @Test
    void itIsWaitedFor() throws InterruptedException {
        Thread late = new Thread(foreground::resumed);
        late.start();
        assertEquals("", foreground.disturbance());
        late.join();
    }

    @Test
    void whatHappenedBeforeTheTrialDoesNotCount() {
        foreground.resumed();
        foreground.paused();
        foreground.resumed();
        assertEquals("", foreground.disturbance());
    }

    @Test
    void leavingTheFrontIsNotForgotten() {
        foreground.resumed();
        foreground.disturbance();
        foreground.paused();
        foreground.resumed();
        assertTrue(foreground.disturbance().contains("left the front"));
    }

    @Test
    void anInterruptedWaitIsTold() {
        Thread.currentThread().interrupt();
        assertEquals("the trial was interrupted", foreground.disturbance());
        assertTrue(Thread.interrupted());
    }
}
