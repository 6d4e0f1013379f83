package io.mobilebench.core;

import java.nio.ByteBuffer;

/** Looking at what a model answered. */
final class Outputs {
    private Outputs() {}

    /** Refuses a model of which any output holds NaN or infinity. */
    static void check(LoadedModel model) throws AgentException {
        for (int index = 0; index < model.outputs().size(); index++) {
            TensorInfo tensor = model.outputs().get(index);
            if (!finite(tensor, model.output(index))) {
                throw new AgentException(
                        "output_nan",
                        "output '" + tensor.name + "' of the model holds NaN or infinity");
            }
        }
    }

    static boolean finite(TensorInfo tensor, ByteBuffer values) {
        if (!tensor.type.isFloat()) {
            return true;
        }
        Elements elements = new Elements(tensor.type, values);
        int count = values.capacity() / tensor.type.bytes;
        for (int index = 0; index < count; index++) {
            double value = elements.real(index);
            if (Double.isNaN(value) || Double.isInfinite(value)) {
                return false;
            }
        }
        return true;
    }

    /** The index of the largest value, the first of equal ones. */
    static int largest(TensorInfo tensor, ByteBuffer values) {
        Elements elements = new Elements(tensor.type, values);
        int count = values.capacity() / tensor.type.bytes;
        int best = 0;
        for (int index = 1; index < count; index++) {
            if (elements.real(index) > elements.real(best)) {
                best = index;
            }
        }
        return best;
    }
}
