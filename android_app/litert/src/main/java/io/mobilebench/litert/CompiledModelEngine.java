package io.mobilebench.litert;

import com.google.ai.edge.litert.Accelerator;
import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.LiteRtException;
import io.mobilebench.core.AgentException;
import io.mobilebench.core.Engine;
import io.mobilebench.core.Job;
import io.mobilebench.core.LoadedModel;
import io.mobilebench.core.TensorInfo;
import io.mobilebench.tflite.ModelFile;
import java.io.File;
import java.util.ArrayList;
import java.util.List;

/**
 * LiteRT's CompiledModel by its public API: GPU and NPU.
 *
 * <p>Never run: it is compiled against stubs of that API's signatures (in the test sources), and
 * built into an app only with a runtime that has it.
 */
public final class CompiledModelEngine implements Engine {
    @Override
    public String name() {
        return "litert";
    }

    @Override
    public String version() {
        return ""; // the API has none
    }

    @Override
    public LoadedModel load(Job job) throws AgentException {
        CompiledModel.Options options = new CompiledModel.Options(accelerator(job));
        if (!job.preference.isEmpty() || job.serialization) {
            throw unavailable("LiteRT's CompiledModel takes no preference and serializes nothing");
        }
        if (!job.precision.isEmpty()) {
            options.setGpuOptions(gpuOptions(job));
        }
        ModelFile file = ModelFile.read(new File(job.model));
        if (file.inputs.size() != 1 || file.outputs.size() != 1) {
            throw new AgentException(
                    "model_unsupported",
                    "LiteRT's CompiledModel orders tensors by signature, which this engine does "
                            + "not read: it runs models of one input and one output");
        }
        List<TensorInfo> tensors = new ArrayList<>(file.inputs);
        tensors.addAll(file.outputs);
        for (TensorInfo tensor : tensors) {
            if (!Values.isKnown(tensor.type)) {
                throw new AgentException(
                        "model_unsupported",
                        "LiteRT's CompiledModel has no " + tensor.type + " (tensor '" + tensor.name
                                + "')");
            }
            for (int size : tensor.shape) {
                if (size < 1) {
                    throw new AgentException(
                            "open_shape", "tensor '" + tensor.name + "' has an open shape");
                }
            }
        }
        try {
            return new CompiledModelModel(CompiledModel.create(job.model, options), file, job);
        } catch (LiteRtException | RuntimeException | LinkageError error) {
            throw unavailable(job.accelerator + " cannot run this model on this device: "
                    + error.getMessage());
        }
    }

    /**
     * The accelerator alone: with the CPU beside it, the CPU's part would pass for the
     * accelerator's. LiteRT itself adds the CPU to an NPU.
     */
    private static Accelerator accelerator(Job job) throws AgentException {
        switch (job.accelerator) {
            case "gpu":
                return Accelerator.GPU;
            case "npu":
                return Accelerator.NPU;
            default:
                throw unavailable("LiteRT's CompiledModel is asked for gpu and npu alone here");
        }
    }

    private static CompiledModel.GpuOptions gpuOptions(Job job) throws AgentException {
        if (!job.accelerator.equals("gpu")) {
            throw unavailable("LiteRT's CompiledModel has a precision for the gpu alone");
        }
        CompiledModel.GpuOptions.Precision precision =
                job.precision.equals("float16")
                        ? CompiledModel.GpuOptions.Precision.FP16
                        : CompiledModel.GpuOptions.Precision.FP32;
        return new CompiledModel.GpuOptions(null, null, null, null, precision, null);
    }

    private static AgentException unavailable(String why) {
        return new AgentException("accelerator_unavailable", why);
    }
}
