package io.mobilebench.agent;

import android.app.Activity;
import android.os.Build;
import android.text.TextUtils;
import android.view.View;
import android.widget.ProgressBar;
import android.widget.TextView;
import io.mobilebench.core.Job;
import java.util.List;

/**
 * What a person sees. Main thread only.
 *
 * <p>Nothing moves by itself: an animation would take cores and heat from what is measured.
 */
final class Screen {
    private static final int FIRST_PERCENT = 10;

    private final Activity activity;

    Screen(Activity activity) {
        this.activity = activity;
        String model = Build.MODEL;
        if (!model.startsWith(Build.MANUFACTURER)) {
            model = Build.MANUFACTURER + " " + model;
        }
        text(R.id.device, activity.getString(R.string.device, model, Build.VERSION.RELEASE));
    }

    void showIdle() {
        text(R.id.phase, activity.getString(R.string.idle));
    }

    void showWaiting() {
        text(R.id.phase, activity.getString(R.string.waiting));
        progress(0);
    }

    /** Everything that a trial shows until its end: later drawing would be measured with it. */
    void showJob(Job job) {
        text(R.id.job, Summary.of(activity, job));
        text(R.id.how, Summary.how(activity, job));
        int phase = R.string.phase_latency;
        if (job.kind.equals("memory")) {
            phase = R.string.phase_memory;
        } else if (job.kind.equals("outputs")) {
            phase = R.string.phase_outputs;
        } else if (job.kind.equals("energy")) {
            phase = R.string.phase_energy;
        }
        text(R.id.phase, activity.getString(phase));
        progress(FIRST_PERCENT);
    }

    /** Of an outputs trial, in which nothing is timed. */
    void showProgress(double done) {
        progress((int) Math.round(FIRST_PERCENT + (100 - FIRST_PERCENT) * done));
    }

    void showEnd(String summary) {
        text(R.id.phase, summary);
        progress(100);
    }

    void showResults(List<String> lines) {
        if (!lines.isEmpty()) {
            text(R.id.results, TextUtils.join("\n", lines));
        }
    }

    private void text(int id, String text) {
        TextView view = activity.findViewById(id);
        view.setText(text);
        view.setVisibility(View.VISIBLE);
    }

    private void progress(int percent) {
        ProgressBar bar = activity.findViewById(R.id.progress);
        bar.setProgress(percent);
        bar.setVisibility(View.VISIBLE);
    }
}
