package io.mobilebench.agent;

/**
 * Whether the activity is, and stayed, in front with nothing over it. In the background a process
 * gets slower cores: what is measured there is another quantity. A window of the system's, such as
 * a notice or the shade, does not pause the activity, but takes its focus: somebody is asked
 * something, or touches the screen.
 */
final class Foreground {
    private static final long WAIT_MILLISECONDS = 5000;

    private boolean inFront;
    private boolean focused;
    private boolean watching;
    private boolean left;
    private boolean covered;

    synchronized void resumed() {
        inFront = true;
        notifyAll();
    }

    synchronized void paused() {
        inFront = false;
        left = left || watching;
    }

    synchronized void focusChanged(boolean has) {
        focused = has;
        covered = covered || (watching && !has);
        notifyAll();
    }

    /**
     * The first call waits until the activity is in front and has the focus; later ones report
     * whether it lost either since. Never on the main thread.
     *
     * @return a sentence, or nothing if all is well
     */
    synchronized String disturbance() {
        long end = System.nanoTime() + WAIT_MILLISECONDS * 1_000_000;
        while (!watching && !(inFront && focused)) {
            long remaining = (end - System.nanoTime()) / 1_000_000;
            if (remaining <= 0) {
                return inFront
                        ? "another window lies over the app, such as a notice of Android's: close"
                                + " it on the phone"
                        : "the app did not come to the front: unlock the phone and close what"
                                + " covers the app";
            }
            try {
                wait(remaining);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
                return "the trial was interrupted";
            }
        }
        watching = true;
        if (left) {
            return "the app left the front during the trial: leave the phone alone";
        }
        return covered
                ? "another window lay over the app during the trial, such as a notice of Android's"
                        + " or its shade: close it, and leave the phone alone"
                : "";
    }
}
