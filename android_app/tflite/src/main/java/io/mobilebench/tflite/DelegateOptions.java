package io.mobilebench.tflite;

import io.mobilebench.core.Job;
import java.io.File;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** What a job asks of an accelerator, as its delegate takes it. What it leaves open stays so. */
final class DelegateOptions {
    private static final String GPU = "org.tensorflow.lite.gpu.";

    private DelegateOptions() {}

    /** By reflection: a build of another runtime may have no class for it. */
    static Delegate gpuDelegate(Job job, File kept) throws ReflectiveOperationException {
        Class<?> options = Class.forName(GPU + "GpuDelegateFactory$Options");
        return (Delegate)
                Class.forName(GPU + "GpuDelegate")
                        .getDeclaredConstructor(options)
                        .newInstance(gpu(job, kept));
    }

    /** A {@code GpuDelegateFactory.Options}. */
    static Object gpu(Job job, File kept) throws ReflectiveOperationException {
        Class<?> type = Class.forName(GPU + "GpuDelegateFactory$Options");
        Object options = type.getDeclaredConstructor().newInstance();
        if (!job.precision.isEmpty()) {
            boolean half = job.precision.equals("float16");
            type.getMethod("setPrecisionLossAllowed", boolean.class).invoke(options, half);
        }
        if (!job.preference.isEmpty()) {
            String name =
                    job.preference.equals("fast")
                            ? "INFERENCE_PREFERENCE_FAST_SINGLE_ANSWER"
                            : "INFERENCE_PREFERENCE_SUSTAINED_SPEED";
            int preference = type.getField(name).getInt(null);
            type.getMethod("setInferencePreference", int.class).invoke(options, preference);
        }
        if (job.serialization) {
            type.getMethod("setSerializationParams", String.class, String.class)
                    .invoke(options, kept.getPath(), job.modelSha256);
        }
        return options;
    }

    static NnApiDelegate.Options nnapi(Job job, File kept) {
        NnApiDelegate.Options options = new NnApiDelegate.Options();
        if (!job.precision.isEmpty()) {
            options.setAllowFp16(job.precision.equals("float16"));
        }
        if (!job.preference.isEmpty()) {
            options.setExecutionPreference(
                    job.preference.equals("fast")
                            ? NnApiDelegate.Options.EXECUTION_PREFERENCE_FAST_SINGLE_ANSWER
                            : NnApiDelegate.Options.EXECUTION_PREFERENCE_SUSTAINED_SPEED);
        }
        if (job.serialization) {
            options.setCacheDir(kept.getPath());
            options.setModelToken(job.modelSha256);
        }
        return options;
    }
}
