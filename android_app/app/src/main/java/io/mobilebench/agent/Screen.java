package io.mobilebench.agent;

import android.app.Activity;
import android.content.res.ColorStateList;
import android.os.Build;
import android.view.Gravity;
import android.view.View;
import android.view.ViewGroup;
import android.widget.LinearLayout;
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
    private static final float LARGE_TYPE = 1.3f;

    private final Activity activity;

    /** The part of the run, of 0 to 1, that this trial is; all of it if that is not known. */
    private double begin = 0;
    private double end = 1;

    Screen(Activity activity) {
        this.activity = activity;
        String model = Build.MODEL;
        if (!model.startsWith(Build.MANUFACTURER)) {
            model = Build.MANUFACTURER + " " + model;
        }
        text(R.id.device, activity.getString(R.string.device, model, Build.VERSION.RELEASE));
        showHeat();
    }

    void showIdle() {
        text(R.id.model, activity.getString(R.string.ready));
        text(R.id.phase, activity.getString(R.string.idle));
    }

    void showWaiting() {
        text(R.id.model, activity.getString(R.string.waiting));
        progress(0);
    }

    /** Everything that a trial shows until its end: later drawing would be measured with it. */
    void showJob(Job job) {
        text(R.id.trial, Summary.trial(activity, job));
        text(R.id.model, Summary.model(activity, job));
        text(R.id.recipe, Finding.plain(job.shownRecipe));
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
        if (job.shownTrials > 0) {
            begin = (job.shownTrial - 1) / (double) job.shownTrials;
            end = job.shownTrial / (double) job.shownTrials;
        }
        progress(begin);
        showHeat();
    }

    /** Of an outputs trial, in which nothing is timed. */
    void showProgress(double done) {
        progress(begin + (end - begin) * done);
    }

    void showEnd(Finding finding) {
        text(R.id.value, finding.value);
        text(R.id.phase, finding.how);
        color(R.id.value, finding);
        progress(end);
        showHeat();
    }

    void showHeat() {
        Heat heat = Heat.now(activity);
        text(R.id.heat, heat.words(activity));
        text(R.id.temperature, heat.temperature(activity));
        View dot = activity.findViewById(R.id.heat_dot);
        dot.setBackgroundTintList(ColorStateList.valueOf(heat.color(activity)));
    }

    void showResults(List<String> lines) {
        ViewGroup list = activity.findViewById(R.id.results);
        list.removeAllViews();
        activity.findViewById(R.id.none_yet)
                .setVisibility(lines.isEmpty() ? View.VISIBLE : View.GONE);
        for (String line : lines) {
            Finding finding = Finding.read(line);
            View row = activity.getLayoutInflater().inflate(R.layout.result, list, false);
            text(row.findViewById(R.id.result_what), finding.what);
            text(row.findViewById(R.id.result_how), finding.how);
            TextView value = row.findViewById(R.id.result_value);
            text(value, finding.value);
            color(value, finding);
            if (activity.getResources().getConfiguration().fontScale > LARGE_TYPE) {
                stack((LinearLayout) row);
            }
            list.addView(row);
        }
    }

    /** Puts the parts of a row one below the other: side by side, large type has no room. */
    private static void stack(LinearLayout row) {
        row.setOrientation(LinearLayout.VERTICAL);
        row.setGravity(Gravity.START);
        for (int index = 0; index < row.getChildCount(); index++) {
            row.getChildAt(index)
                    .setLayoutParams(
                            new LinearLayout.LayoutParams(
                                    LinearLayout.LayoutParams.MATCH_PARENT,
                                    LinearLayout.LayoutParams.WRAP_CONTENT));
        }
        TextView value = row.findViewById(R.id.result_value);
        value.setGravity(Gravity.START);
    }

    private void color(int id, Finding finding) {
        color((TextView) activity.findViewById(id), finding);
    }

    private void color(TextView view, Finding finding) {
        view.setTextColor(activity.getColor(finding.failed ? R.color.hot : R.color.accent));
    }

    private void text(int id, String text) {
        text((TextView) activity.findViewById(id), text);
    }

    private static void text(TextView view, String text) {
        view.setText(text);
        view.setVisibility(text.isEmpty() ? View.GONE : View.VISIBLE);
    }

    private void progress(double done) {
        ProgressBar bar = activity.findViewById(R.id.progress);
        bar.setProgress((int) Math.round(bar.getMax() * done));
        bar.setVisibility(View.VISIBLE);
    }
}
