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

    void showJob(Job job) {
        text(R.id.job, Summary.of(activity, job));
        text(R.id.how, Summary.how(activity, job));
    }

    void showPhase(String name, double done) {
        switch (name) {
            case "load":
                text(R.id.phase, activity.getString(R.string.phase_load));
                progress(10);
                break;
            case "memory":
                text(R.id.phase, activity.getString(R.string.phase_memory));
                progress(30);
                break;
            case "accuracy":
                text(R.id.phase, activity.getString(R.string.phase_accuracy));
                progress((int) Math.round(20 + 80 * done));
                break;
            default:
                text(R.id.phase, activity.getString(R.string.phase_run));
                progress(50);
        }
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
