package io.mobilebench.agent;

import android.app.Activity;
import android.os.Build;
import android.os.Handler;
import android.view.Window;
import android.view.WindowManager.LayoutParams;

/**
 * Whether the activity lights the screen, keeps it on, and shows itself above the lock screen: while
 * a job runs, and for the few seconds in which one follows a start by the computer. Main thread only.
 */
final class Lit {
    /** The computer sends its job at once when the app is there. */
    static final long JOB_MILLISECONDS = 10_000;

    private final Activity activity;
    private final Handler main;
    private final Runnable off = () -> light(false);

    Lit(Activity activity, Handler main) {
        this.activity = activity;
        this.main = main;
    }

    /** The computer started the activity: a job follows, or the screen may go dark again. */
    void expectJob() {
        light(true);
        main.postDelayed(off, JOB_MILLISECONDS);
    }

    /** The job is here. */
    void startJob() {
        main.removeCallbacks(off);
        light(true);
    }

    /** The trial is over. */
    void endJob() {
        main.removeCallbacks(off);
        light(false);
    }

    private void light(boolean on) {
        Window window = activity.getWindow();
        int flags = LayoutParams.FLAG_KEEP_SCREEN_ON;
        if (Build.VERSION.SDK_INT >= 27) {
            activity.setShowWhenLocked(on);
            activity.setTurnScreenOn(on);
        } else {
            flags |= LayoutParams.FLAG_SHOW_WHEN_LOCKED | LayoutParams.FLAG_TURN_SCREEN_ON;
        }
        if (on) {
            window.addFlags(flags);
        } else {
            window.clearFlags(flags);
        }
    }
}
