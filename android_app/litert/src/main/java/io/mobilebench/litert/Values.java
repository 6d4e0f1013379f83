package io.mobilebench.litert;

import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.TensorBuffer;
import io.mobilebench.core.ElementType;
import io.mobilebench.core.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Values into and out of LiteRT's buffers, which take arrays of some types. */
final class Values {
    private Values() {}

    static boolean isKnown(ElementType type) {
        return type == ElementType.FLOAT32
                || type == ElementType.INT32
                || type == ElementType.INT8
                || type == ElementType.UINT8;
    }

    static void write(ElementType type, ByteBuffer values, TensorBuffer target)
            throws LiteRtException {
        values.rewind();
        if (type == ElementType.FLOAT32) {
            float[] numbers = new float[values.remaining() / type.bytes];
            values.asFloatBuffer().get(numbers);
            target.writeFloat(numbers);
        } else if (type == ElementType.INT32) {
            int[] numbers = new int[values.remaining() / type.bytes];
            values.asIntBuffer().get(numbers);
            target.writeInt(numbers);
        } else {
            byte[] numbers = new byte[values.remaining()];
            values.get(numbers);
            target.writeInt8(numbers);
        }
    }

    static ByteBuffer read(TensorInfo info, TensorBuffer source) throws LiteRtException {
        ByteBuffer values =
                ByteBuffer.allocate(info.byteCount()).order(ByteOrder.nativeOrder());
        // A buffer may be longer than its tensor, for alignment.
        if (info.type == ElementType.FLOAT32) {
            values.asFloatBuffer().put(source.readFloat(), 0, info.elements());
        } else if (info.type == ElementType.INT32) {
            values.asIntBuffer().put(source.readInt(), 0, info.elements());
        } else {
            values.put(source.readInt8(), 0, info.elements());
            values.rewind();
        }
        return values;
    }
}
