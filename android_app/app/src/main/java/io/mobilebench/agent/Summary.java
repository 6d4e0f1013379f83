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

    /** What runs: kind and model. */
    static String of(Context context, Job job) {
        String hash = job.modelSha256;
        return context.getString(
                R.string.job,
                job.kind,
                hash.substring(0, Math.min(SHORT_HASH, hash.length())));
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

    /** What came of it. */
    static String of(Context context, Job job, Message end) {
        String what = job == null ? "" : of(context, job) + ": ";
        if (end instanceof Failure) {
            return what + context.getString(R.string.failed, ((Failure) end).message);
        }
        Result result = (Result) end;
        if (result.samplesNs.length > 0) {
            return what
                    + context.getString(
                            R.string.median,
                            milliseconds(median(result.samplesNs)),
                            result.samplesNs.length);
        }
        for (Metric metric : result.metrics) {
            if (metric.value == null) {
                continue;
            }
            if (metric.name.equals("answered_samples")) {
                int count = metric.value.intValue();
                return what
                        + context.getResources()
                                .getQuantityString(R.plurals.answered, count, count);
            }
            if (metric.name.equals("memory_pss")) {
                String size = Formatter.formatShortFileSize(context, metric.value.longValue());
                return what + context.getString(R.string.memory, size);
            }
        }
        return what + context.getString(R.string.finished);
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
