package io.mobilebench.core;

import java.nio.ByteBuffer;

/** Looking at what a model answered. */
final class Outputs {
    private Outputs() {}

    /** Refuses a model of which any output holds NaN or infinity. */
    static void check(LoadedModel model) throws AgentException {
        for (int index = 0; index < model.outputs().size(); index++) {
            TensorInfo output = model.outputs().get(index);
            if (!finite(model, index, output)) {
                throw new AgentException(
                        "output_nan",
                        "output '" + output.name + "' of the model holds NaN or infinity");
            }
        }
    }

    /** Whether an output is free of NaN and infinity; what holds no real numbers is. */
    static boolean finite(LoadedModel model, int index, TensorInfo output) {
        if (!output.type.isFloat() || output.elements() == 0) {
            return true;
        }
        ByteBuffer values = model.output(index);
        Elements elements = new Elements(output.type, values);
        int count = values.capacity() / output.type.bytes;
        for (int place = 0; place < count; place++) {
            double value = elements.real(place);
            if (Double.isNaN(value) || Double.isInfinite(value)) {
                return false;
            }
        }
        return true;
    }
}
