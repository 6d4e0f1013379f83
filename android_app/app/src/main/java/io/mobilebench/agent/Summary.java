package io.mobilebench.agent;

import android.content.Context;
import android.text.format.Formatter;
import io.mobilebench.core.Failure;
import io.mobilebench.core.Job;
import io.mobilebench.core.Message;
import io.mobilebench.core.Metric;
import io.mobilebench.core.Result;
import java.text.NumberFormat;
import java.util.Arrays;
import java.util.Locale;

/** One trial in a few words, for the person who holds the phone. */
final class Summary {
    private static final int SHORT_HASH = 8;

    private Summary() {}

    /** Which model: its name, or, of a host that does not send it, the start of its hash. */
    static String model(Context context, Job job) {
        if (!job.shownModel.isEmpty()) {
            return Finding.plain(job.shownModel);
        }
        String hash = job.modelSha256;
        return context.getString(
                R.string.model, hash.substring(0, Math.min(SHORT_HASH, hash.length())));
    }

    /** Which trial of how many, and what it measures. */
    static String trial(Context context, Job job) {
        String kind = kind(context, job);
        return job.shownTrials == 0
                ? kind
                : context.getString(R.string.trial, job.shownTrial, job.shownTrials, kind);
    }

    private static String kind(Context context, Job job) {
        switch (job.kind) {
            case "latency":
                return context.getString(R.string.kind_latency);
            case "memory":
                return context.getString(R.string.kind_memory);
            case "outputs":
                return context.getString(R.string.kind_outputs);
            default:
                return context.getString(R.string.kind_energy);
        }
    }

    /** How it runs: accelerator and threads. */
    static String how(Context context, Job job) {
        String accelerator = job.accelerator.toUpperCase(Locale.ROOT);
        if (job.accelerator.equals("cpu") && job.xnnpack) {
            accelerator = context.getString(R.string.xnnpack, accelerator);
        }
        return context.getResources()
                .getQuantityString(R.plurals.how, job.threads, job.threads, accelerator);
    }

    /** What came of it; the job is null if there was none. */
    static Finding of(Context context, Job job, Message end) {
        String what = context.getString(R.string.no_job);
        String kind = "";
        if (job != null) {
            what = model(context, job);
            what = job.shownRecipe.isEmpty() ? what : what + " · " + job.shownRecipe;
            kind = kind(context, job);
        }
        if (end instanceof Failure) {
            String reason = ((Failure) end).message;
            return new Finding(
                    what,
                    kind.isEmpty() ? reason : kind + " · " + reason,
                    context.getString(R.string.failed),
                    true);
        }
        Result result = (Result) end;
        if (result.samplesNs.length > 0) {
            String median = context.getString(R.string.median, result.samplesNs.length);
            return new Finding(
                    what, kind + " · " + median, milliseconds(median(result.samplesNs)), false);
        }
        for (Metric metric : result.metrics) {
            if (metric.value == null) {
                continue;
            }
            if (metric.name.equals("answered_samples")) {
                int count = metric.value.intValue();
                String answered =
                        context.getResources().getQuantityString(R.plurals.answered, count, count);
                return new Finding(what, kind, answered, false);
            }
            if (metric.name.equals("memory_pss")) {
                String size = Formatter.formatShortFileSize(context, metric.value.longValue());
                String more = context.getString(R.string.memory);
                return new Finding(what, kind + " · " + more, size, false);
            }
        }
        return new Finding(what, kind, context.getString(R.string.finished), false);
    }

    private static double median(long[] samples) {
        long[] sorted = samples.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1
                ? sorted[middle]
                : (sorted[middle - 1] + sorted[middle]) / 2.0;
    }

    private static String milliseconds(double nanoseconds) {
        NumberFormat number = NumberFormat.getInstance();
        number.setMaximumFractionDigits(nanoseconds < 1e7 ? 3 : 1);
        return number.format(nanoseconds / 1e6) + " ms";
    }
}
