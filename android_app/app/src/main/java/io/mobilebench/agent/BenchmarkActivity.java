package io.mobilebench.agent;

import android.app.Activity;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import android.os.Process;
import android.util.Log;
import io.mobilebench.core.Conversation;
import io.mobilebench.core.Job;
import io.mobilebench.core.Message;
import java.io.IOException;
import java.util.regex.Pattern;

/**
 * One trial, visible and in the foreground: where the system gives an app its fast cores.
 *
 * <pre>am start -W -S -n io.mobilebench.agent/.BenchmarkActivity --es socket NAME</pre>
 *
 * <p>Serves one job on the abstract socket {@code NAME} and then ends its process, so that every
 * trial has a fresh one. Without a {@code NAME} it shows the latest results.
 */
public final class BenchmarkActivity extends Activity {
    private static final String TAG = "MobileBench";
    private static final String EXTRA_SOCKET = "socket";

    private static final Pattern SOCKET_NAME = Pattern.compile("mobilebench-[a-z0-9]{8,32}");

    /** A computer that has started the app connects at once. */
    private static final long CONNECT_MILLISECONDS = 60_000;

    private final Handler main = new Handler(Looper.getMainLooper());
    private final Foreground foreground = new Foreground();
    private Lit lit;
    private Screen screen;
    private History history;
    private boolean serving;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.benchmark);
        lit = new Lit(this, main);
        history = new History(getFilesDir());
        screen = new Screen(this);
        screen.showResults(history.lines());
        String name = getIntent().getStringExtra(EXTRA_SOCKET);
        if (name == null || !SOCKET_NAME.matcher(name).matches()) {
            screen.showIdle();
            return;
        }
        serving = true;
        lit.expectJob();
        screen.showWaiting();
        Thread worker = new Thread(() -> serve(name), "trial");
        worker.start();
    }

    @Override
    protected void onResume() {
        super.onResume();
        foreground.resumed();
        if (!serving) {
            screen.showHeat();
        }
    }

    @Override
    protected void onPause() {
        foreground.paused();
        super.onPause();
    }

    @Override
    public void onWindowFocusChanged(boolean hasFocus) {
        super.onWindowFocusChanged(hasFocus);
        foreground.focusChanged(hasFocus);
    }

    @Override
    protected void onDestroy() {
        super.onDestroy();
        if (serving && isFinishing()) {
            endProcess();
        }
    }

    /** The worker thread's whole life. */
    private void serve(String name) {
        Runnable nobody = this::leave;
        main.postDelayed(nobody, CONNECT_MILLISECONDS);
        try (ShellSocket socket = new ShellSocket(name)) {
            socket.accept();
            main.removeCallbacks(nobody);
            Agent.conversation(this, foreground, new OnScreen())
                    .serve(socket.input(), socket.output());
            socket.waitForEnd();
        } catch (IOException gone) {
            // No socket of that name, or the computer went away: only the log can say it.
            Log.w(TAG, "no trial on socket " + name, gone);
        }
        main.post(this::leave);
    }

    private void leave() {
        finishAndRemoveTask();
        // In case the system takes its time to destroy the activity.
        main.postDelayed(BenchmarkActivity::endProcess, 500);
    }

    private static void endProcess() {
        Process.killProcess(Process.myPid());
    }

    /** Shows on the main thread what the worker thread learns. */
    private final class OnScreen implements Conversation.Listener {
        private Job job;

        @Override
        public void job(Job started) {
            job = started;
            main.post(
                    () -> {
                        lit.startJob();
                        screen.showJob(started);
                    });
        }

        @Override
        public void phase(String name, double done) {
            if (name.equals("outputs")) {
                main.post(() -> screen.showProgress(done));
            }
        }

        @Override
        public void end(Message message) {
            Finding finding = Summary.of(BenchmarkActivity.this, job, message);
            history.add(finding.line());
            main.post(
                    () -> {
                        lit.endJob();
                        screen.showEnd(finding);
                        screen.showResults(history.lines());
                    });
        }
    }
}
