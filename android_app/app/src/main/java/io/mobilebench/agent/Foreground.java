package io.mobilebench.agent;

/**
 * Whether the activity is, and stayed, in front. In the background a process gets slower cores:
 * what is measured there is another quantity.
 */
final class Foreground {
    private static final long WAIT_MILLISECONDS = 5000;

    private boolean inFront;
    private boolean watching;
    private boolean lost;

    synchronized void resumed() {
        inFront = true;
        notifyAll();
    }

    synchronized void paused() {
        inFront = false;
        lost = lost || watching;
    }

    /**
     * The first call waits until the activity is in front; later ones tell whether it was paused
     * since. Never on the main thread.
     *
     * @return a sentence, or nothing if all is well
     */
    synchronized String disturbance() {
        long end = System.nanoTime() + WAIT_MILLISECONDS * 1_000_000;
        while (!watching && !inFront) {
            long left = (end - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return "the app did not come to the front: unlock the phone and close what covers"
                        + " the app";
            }
            try {
                wait(left);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
                return "the trial was interrupted";
            }
        }
        watching = true;
        return lost ? "the app left the front during the trial: leave the phone alone" : "";
    }
}
