package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import java.lang.reflect.InvocationTargetException;
import org.tensorflow.lite.Delegate;

/** Delegates by the names that jobs use. */
final class Accelerators {
    private Accelerators() {}

    /**
     * The delegate of an accelerator, or null for the CPU.
     *
     * <p>By reflection: a build for a desktop, or of another runtime, has no class for it.
     */
    static Delegate delegate(String accelerator) throws AgentException {
        switch (accelerator) {
            case "cpu":
                return null;
            case "gpu":
                return create(accelerator, "org.tensorflow.lite.gpu.GpuDelegate");
            case "nnapi":
                return create(accelerator, "org.tensorflow.lite.nnapi.NnApiDelegate");
            default:
                throw new AgentException(
                        "accelerator_unavailable",
                        "this agent has no accelerator '" + accelerator
                                + "'; it runs on cpu, gpu, nnapi");
        }
    }

    private static Delegate create(String accelerator, String className) throws AgentException {
        Throwable reason;
        try {
            return (Delegate) Class.forName(className).getDeclaredConstructor().newInstance();
        } catch (InvocationTargetException error) {
            reason = error.getCause();
        } catch (ReflectiveOperationException | RuntimeException | LinkageError error) {
            reason = error;
        }
        throw new AgentException(
                "accelerator_unavailable",
                "this device or build has no " + accelerator + ": " + reason);
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
