package io.mobilebench.tflite;

import java.lang.reflect.Method;
import org.tensorflow.lite.Tensor;

/**
 * The shape that a tensor has after the last run, which may depend on the values in the inputs.
 *
 * <p>The runtime's tensor keeps the shape it had when it was first asked, and has no public call to
 * look again; where the one that the runtime itself uses is gone, the first shape stays.
 */
final class CurrentShape {
    private CurrentShape() {}

    static int[] of(Tensor tensor) {
        try {
            Method refresh = tensor.getClass().getDeclaredMethod("refreshShape");
            refresh.setAccessible(true);
            refresh.invoke(tensor);
        } catch (ReflectiveOperationException | RuntimeException | LinkageError gone) {
            // Most changes still show, by the number of bytes: see TensorFile.writeRow.
            return tensor.shape();
        }
        return tensor.shape();
    }
}
