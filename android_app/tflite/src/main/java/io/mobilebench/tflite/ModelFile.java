package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.ElementType;
import io.mobilebench.core.TensorInfo;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** What a model takes and gives, read from its file: for a runtime that does not report it. */
public final class ModelFile {
    /** By the schema's TensorType, from 0; null: no numbers that this agent reads. */
    private static final ElementType[] TYPES = {
        ElementType.FLOAT32,
        ElementType.FLOAT16,
        ElementType.INT32,
        ElementType.UINT8,
        ElementType.INT64,
        null,
        ElementType.BOOL,
        ElementType.INT16,
        null,
        ElementType.INT8,
        ElementType.FLOAT64,
    };

    public final List<TensorInfo> inputs;
    public final List<TensorInfo> outputs;
    private final File file;

    private ModelFile(File file, Operators graph) {
        this.file = file;
        inputs = described(graph, graph.inputs());
        outputs = described(graph, graph.outputs());
    }

    /** @throws AgentException {@code model_corrupt}: it cannot be read */
    public static ModelFile read(File model) throws AgentException {
        try {
            return new ModelFile(model, Operators.open(model));
        } catch (IOException | RuntimeException unreadable) {
            throw new AgentException(
                    "model_corrupt", "the model's file cannot be read: " + unreadable.getMessage());
        }
    }

    /** As {@link io.mobilebench.core.LoadedModel#tableRows} has them. */
    public int[] tableRows() {
        return TableRows.of(file, inputs.size());
    }

    private static List<TensorInfo> described(Operators graph, int[] tensors) {
        List<TensorInfo> described = new ArrayList<>();
        for (int tensor : tensors) {
            int number = graph.type(tensor);
            ElementType type = number < 0 || number >= TYPES.length ? null : TYPES[number];
            described.add(
                    new TensorInfo(
                            graph.tensorName(tensor),
                            type == null ? ElementType.OTHER : type,
                            graph.shape(tensor),
                            graph.scale(tensor),
                            graph.zeroPoint(tensor)));
        }
        return described;
    }
}
