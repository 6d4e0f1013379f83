package io.mobilebench.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ForegroundTest {
    private final Foreground foreground = new Foreground();

    private void comesToTheFront() {
        foreground.resumed();
        foreground.focusChanged(true);
    }

    @Test
    void allIsWellWhileItStaysInFront() {
        comesToTheFront();
        assertEquals("", foreground.disturbance());
        assertEquals("", foreground.disturbance());
    }

    @Test
    void itIsWaitedFor() throws InterruptedException {
        Thread late = new Thread(this::comesToTheFront);
        late.start();
        assertEquals("", foreground.disturbance());
        late.join();
    }

    @Test
    void whatHappenedBeforeTheTrialDoesNotCount() {
        comesToTheFront();
        foreground.focusChanged(false);
        foreground.paused();
        comesToTheFront();
        assertEquals("", foreground.disturbance());
    }

    @Test
    void leavingTheFrontIsNotForgotten() {
        comesToTheFront();
        foreground.disturbance();
        // As Android reports it where somebody goes to the home screen: the focus goes first.
        foreground.focusChanged(false);
        foreground.paused();
        comesToTheFront();
        assertTrue(foreground.disturbance().contains("left the front"));
    }

    @Test
    void aWindowThatLayOverItIsNotForgotten() {
        comesToTheFront();
        foreground.disturbance();
        foreground.focusChanged(false);
        foreground.focusChanged(true);
        assertTrue(foreground.disturbance().contains("another window lay over the app"));
    }

    @Test
    void aWindowThatStaysOverItIsNamed() {
        foreground.resumed();
        assertTrue(foreground.disturbance().contains("another window lies over the app"));
    }

    @Test
    void anInterruptedWaitIsReported() {
        Thread.currentThread().interrupt();
        assertEquals("the trial was interrupted", foreground.disturbance());
        assertTrue(Thread.interrupted());
    }
}
