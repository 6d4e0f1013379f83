package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import java.util.ArrayList;
import java.util.List;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;

/** Inputs whose shape nobody gave: they would be run at length 1, and that is nobody's latency. */
final class OpenShapes {
    private OpenShapes() {}

    static void refuse(Interpreter interpreter) throws AgentException {
        List<String> names = new ArrayList<>();
        List<int[]> shapes = new ArrayList<>();
        for (int index = 0; index < interpreter.getInputTensorCount(); index++) {
            Tensor tensor = interpreter.getInputTensor(index);
            names.add(tensor.name());
            shapes.add(tensor.shapeSignature());
        }
        refuse(names, shapes);
    }

    /**
     * Refuses open dimensions, which are -1, other than the batch, which is run as 1.
     *
     * <p>The batch is the first of several dimensions. An input of one open dimension has none of
     * its own, and is a batch only beside an input that has one.
     */
    static void refuse(List<String> names, List<int[]> shapes) throws AgentException {
        boolean hasBatch = false;
        for (int[] shape : shapes) {
            hasBatch |= shape.length > 1 && shape[0] == -1;
        }
        for (int index = 0; index < shapes.size(); index++) {
            int[] shape = shapes.get(index);
            for (int place = shape.length > 1 || hasBatch ? 1 : 0; place < shape.length; place++) {
                if (shape[place] == -1) {
                    throw new AgentException(
                            "open_shape",
                            "the input '" + names.get(index) + "' has an open shape "
                                    + text(shape) + "; convert it with a fixed shape");
                }
            }
        }
    }

    private static String text(int[] shape) {
        StringBuilder out = new StringBuilder("[");
        for (int size : shape) {
            out.append(out.length() == 1 ? "" : ", ").append(size == -1 ? "?" : size);
        }
        return out.append("]").toString();
    }
}
