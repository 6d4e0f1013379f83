package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.Delegation;
import io.mobilebench.core.ElementType;
import io.mobilebench.core.Job;
import io.mobilebench.core.LoadedModel;
import io.mobilebench.core.TensorInfo;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;

/** A model in an interpreter of TensorFlow Lite. */
final class TfLiteModel implements LoadedModel {
    /** Outputs are read where the runtime keeps them: a run copies none. */
    private static final Map<Integer, Object> NO_COPIES = Collections.emptyMap();

    private final Interpreter interpreter;
    private final Delegate delegate;
    private final Job job;
    private final Supplier<String> log;
    private final List<TensorInfo> inputs = new ArrayList<>();
    private final Object[] values;

    TfLiteModel(Interpreter interpreter, Delegate delegate, Job job, Supplier<String> log)
            throws AgentException {
        this.interpreter = interpreter;
        this.delegate = delegate;
        this.job = job;
        this.log = log;
        this.values = new Object[interpreter.getInputTensorCount()];
        describe();
    }

    private void describe() throws AgentException {
        inputs.clear();
        for (int index = 0; index < values.length; index++) {
            Tensor tensor = interpreter.getInputTensor(index);
            inputs.add(info(tensor, inputType(tensor), tensor.shape()));
            values[index] =
                    ByteBuffer.allocateDirect(inputs.get(index).byteCount())
                            .order(ByteOrder.nativeOrder());
        }
    }

    private static TensorInfo info(Tensor tensor, ElementType type, int[] shape) {
        Tensor.QuantizationParams quantization = tensor.quantizationParams();
        return new TensorInfo(
                tensor.name(),
                type,
                shape,
                quantization.getScale(),
                quantization.getZeroPoint());
    }

    private static ElementType inputType(Tensor tensor) throws AgentException {
        String type;
        try {
            type = tensor.dataType().name();
            return ElementType.valueOf(type);
        } catch (IllegalArgumentException unknown) {
            type = unknown.getMessage();
        }
        throw new AgentException(
                "model_unsupported",
                "input '" + tensor.name() + "' is of a type that this agent cannot use: " + type);
    }

    /** An output need not be read for the model to be timed: of other types nothing is known. */
    private TensorInfo describeOutput(int index) {
        Tensor tensor;
        try {
            tensor = interpreter.getOutputTensor(index);
        } catch (IllegalArgumentException unknown) {
            // The runtime's Java API has no such type; it then has no such tensor either.
            return new TensorInfo("number " + index, ElementType.OTHER, new int[0], 0, 0);
        }
        try {
            ElementType type = ElementType.valueOf(tensor.dataType().name());
            return info(tensor, type, CurrentShape.of(tensor));
        } catch (IllegalArgumentException text) {
            return new TensorInfo(tensor.name(), ElementType.OTHER, new int[0], 0, 0);
        }
    }

    @Override
    public List<TensorInfo> inputs() {
        return inputs;
    }

    @Override
    public List<TensorInfo> outputs() {
        List<TensorInfo> outputs = new ArrayList<>();
        for (int index = 0; index < interpreter.getOutputTensorCount(); index++) {
            outputs.add(describeOutput(index));
        }
        return outputs;
    }

    @Override
    public void resizeInputs(int[][] shapes) throws AgentException {
        try {
            for (int index = 0; index < shapes.length; index++) {
                interpreter.resizeInput(index, shapes[index]);
            }
            interpreter.allocateTensors();
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new AgentException(
                    "inputs_bad",
                    "the model does not take one sample at a time: "
                            + TfLiteEngine.oneLine(error));
        }
        describe();
    }

    @Override
    public void reset() {
        interpreter.resetVariableTensors();
    }

    @Override
    public ByteBuffer input(int index) {
        return (ByteBuffer) values[index];
    }

    @Override
    public int[] tableRows() {
        for (TensorInfo input : inputs) {
            if (!input.type.isFloat()) {
                return TableRows.of(new File(job.model), inputs.size());
            }
        }
        return new int[inputs.size()];
    }

    @Override
    public long invoke() {
        for (Object buffer : values) {
            ((ByteBuffer) buffer).rewind();
        }
        interpreter.runForMultipleInputsOutputs(values, NO_COPIES);
        return interpreter.getLastNativeInferenceDurationNanoseconds();
    }

    @Override
    public String clock() {
        return "CLOCK_MONOTONIC by System.nanoTime around the runtime's native run";
    }

    @Override
    public ByteBuffer output(int index) {
        return interpreter.getOutputTensor(index).asReadOnlyBuffer().order(ByteOrder.nativeOrder());
    }

    @Override
    public Delegation delegation() throws AgentException {
        return Delegations.describe(
                job.accelerator,
                job.xnnpack,
                Operators.read(new File(job.model)),
                ExecutionPlan.length(interpreter),
                log.get());
    }

    @Override
    public void close() {
        Accelerators.close(interpreter);
        Accelerators.close(delegate);
    }
}
