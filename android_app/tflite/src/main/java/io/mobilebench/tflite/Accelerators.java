package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.Job;
import java.io.File;
import java.lang.reflect.InvocationTargetException;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** Delegates by the names that jobs use. */
final class Accelerators {
    private Accelerators() {}

    /**
     * The delegate of a job's accelerator, or null for the CPU.
     *
     * <p>By reflection: a build for a desktop, or of another runtime, has no class for it.
     *
     * @param kept the folder for what a delegate prepared; null: there is none
     */
    static Delegate delegate(Job job, File kept) throws AgentException {
        switch (job.accelerator) {
            case "cpu":
                return null;
            case "gpu":
            case "nnapi":
                if (job.serialization && kept == null) {
                    throw new AgentException(
                            "accelerator_unavailable",
                            "this agent has no folder to keep what a delegate prepares: leave "
                                    + "serialization out");
                }
                return created(job, kept);
            case "npu":
                throw new AgentException(
                        "accelerator_unavailable",
                        "TensorFlow Lite's Interpreter runs on no NPU but by NNAPI: LiteRT's "
                                + "CompiledModel does, which this build is without");
            default:
                throw new AgentException(
                        "accelerator_unavailable",
                        "this agent has no accelerator '" + job.accelerator
                                + "'; it runs on cpu, gpu, nnapi");
        }
    }

    private static Delegate created(Job job, File kept) throws AgentException {
        Throwable reason;
        try {
            return job.accelerator.equals("gpu")
                    ? DelegateOptions.gpuDelegate(job, kept)
                    : new NnApiDelegate(DelegateOptions.nnapi(job, kept));
        } catch (InvocationTargetException error) {
            reason = error.getCause();
        } catch (ReflectiveOperationException | RuntimeException | LinkageError error) {
            reason = error;
        }
        throw new AgentException(
                "accelerator_unavailable",
                "this device or build has no " + job.accelerator + ": " + reason);
    }

    /** Closes what can be closed; whatever it has to say comes too late. */
    static void close(Object resource) {
        if (resource instanceof AutoCloseable) {
            try {
                ((AutoCloseable) resource).close();
            } catch (Exception ignored) {
                // The process is about to end, and its resources with it.
            }
        }
    }
}
