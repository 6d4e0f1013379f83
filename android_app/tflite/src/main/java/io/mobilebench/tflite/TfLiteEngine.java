package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.Engine;
import io.mobilebench.core.Job;
import io.mobilebench.core.LoadedModel;
import java.io.File;
import java.util.function.Supplier;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.TensorFlowLite;

/** TensorFlow Lite by its public Java API: the CPU with or without XNNPACK, GPU and NNAPI. */
public final class TfLiteEngine implements Engine {
    private final String name;
    private final String version;
    private final File kept;
    private final Supplier<String> log;

    /**
     * @param name how results call the runtime
     * @param kept the folder for what a delegate prepares and later trials read; null: there is none
     * @param log what the runtime has logged in this process so far; empty where it is not known
     * @throws LinkageError the native library cannot be loaded here
     */
    public TfLiteEngine(String name, File kept, Supplier<String> log) {
        this.name = name;
        this.kept = kept;
        this.version = TensorFlowLite.runtimeVersion();
        this.log = log;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String version() {
        return version;
    }

    @Override
    public LoadedModel load(Job job) throws AgentException {
        Delegate delegate = Accelerators.delegate(job, kept);
        Interpreter interpreter = null;
        try {
            Interpreter.Options options = new Interpreter.Options();
            options.setNumThreads(job.threads);
            // Never both: XNNPACK would take what the accelerator left, and the numbers would
            // pass for the accelerator's.
            options.setUseXNNPACK(job.xnnpack && delegate == null);
            if (delegate != null) {
                options.addDelegate(delegate);
            }
            interpreter = new Interpreter(new File(job.model), options);
            interpreter.allocateTensors();
            OpenShapes.refuse(interpreter);
            return new TfLiteModel(interpreter, delegate, job, log);
        } catch (AgentException refused) {
            Accelerators.close(interpreter);
            Accelerators.close(delegate);
            throw refused;
        } catch (IllegalArgumentException | IllegalStateException error) {
            Accelerators.close(interpreter);
            Accelerators.close(delegate);
            throw explained(error, job);
        }
    }

    /** The runtime has one kind of exception for everything: its sentence says which it is. */
    private AgentException explained(RuntimeException error, Job job) {
        String reason = oneLine(error);
        if (reason.contains("does not encode a valid")) {
            return new AgentException(
                    "model_corrupt", name + " cannot read the model: " + reason);
        }
        boolean operatorMissing =
                reason.contains("unresolved custom op") || reason.contains("Didn't find");
        if (!job.accelerator.equals("cpu") && !operatorMissing) {
            return new AgentException(
                    "accelerator_unavailable",
                    job.accelerator + " cannot run this model on this device: " + reason);
        }
        return new AgentException(
                "model_unsupported", name + " " + version + " cannot run the model: " + reason);
    }

    static String oneLine(Throwable error) {
        return String.valueOf(error.getMessage()).trim().replaceAll("\\s+", " ");
    }
}
