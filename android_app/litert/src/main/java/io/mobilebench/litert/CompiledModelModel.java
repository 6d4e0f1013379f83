package io.mobilebench.litert;

import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.TensorBuffer;
import io.mobilebench.core.AgentException;
import io.mobilebench.core.Delegation;
import io.mobilebench.core.Job;
import io.mobilebench.core.LoadedModel;
import io.mobilebench.core.TensorInfo;
import io.mobilebench.tflite.ModelFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;

/** A model of one input and one output in LiteRT's CompiledModel. */
final class CompiledModelModel implements LoadedModel {
    private final CompiledModel model;
    private final ModelFile file;
    private final Job job;
    private final List<TensorBuffer> inputs;
    private final List<TensorBuffer> outputs;
    private final ByteBuffer values;

    CompiledModelModel(CompiledModel model, ModelFile file, Job job) throws LiteRtException {
        this.model = model;
        this.file = file;
        this.job = job;
        inputs = model.createInputBuffers();
        outputs = model.createOutputBuffers();
        values =
                ByteBuffer.allocateDirect(file.inputs.get(0).byteCount())
                        .order(ByteOrder.nativeOrder());
    }

    @Override
    public List<TensorInfo> inputs() {
        return file.inputs;
    }

    @Override
    public List<TensorInfo> outputs() {
        return file.outputs;
    }

    @Override
    public void resizeInputs(int[][] shapes) throws AgentException {
        if (!Arrays.equals(shapes[0], file.inputs.get(0).shape)) {
            throw new AgentException(
                    "inputs_bad", "LiteRT's CompiledModel keeps the shapes that it compiled");
        }
    }

    @Override
    public ByteBuffer input(int index) {
        return values;
    }

    @Override
    public int[] tableRows() {
        return file.tableRows();
    }

    @Override
    public void reset() {
        // The API has nothing for it.
    }

    @Override
    public long invoke() {
        try {
            Values.write(file.inputs.get(0).type, values, inputs.get(0));
            long begin = System.nanoTime();
            model.run(inputs, outputs);
            return System.nanoTime() - begin;
        } catch (LiteRtException error) {
            throw new IllegalStateException(error.getMessage(), error);
        }
    }

    @Override
    public String clock() {
        return "CLOCK_MONOTONIC by System.nanoTime around CompiledModel.run";
    }

    @Override
    public ByteBuffer output(int index) {
        try {
            return Values.read(file.outputs.get(0), outputs.get(0));
        } catch (LiteRtException error) {
            throw new IllegalStateException(error.getMessage(), error);
        }
    }

    @Override
    public Delegation delegation() {
        return Delegation.unknown(
                job.accelerator.equals("npu")
                        ? "LiteRT lets the CPU run what the NPU does not, and does not report what"
                        : "LiteRT's CompiledModel does not report which nodes it gave to the GPU");
    }

    @Override
    public void close() {
        for (TensorBuffer buffer : inputs) {
            buffer.close();
        }
        for (TensorBuffer buffer : outputs) {
            buffer.close();
        }
        model.close();
    }
}
