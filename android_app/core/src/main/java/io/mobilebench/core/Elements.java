package io.mobilebench.core;

import java.nio.ByteBuffer;

/** Numbers of one type in a buffer, by index from its start; the buffer's byte order holds. */
final class Elements {
    private final ElementType type;
    private final ByteBuffer buffer;

    Elements(ElementType type, ByteBuffer buffer) {
        this.type = type;
        this.buffer = buffer;
    }

    /** An element as a real number. */
    double real(int index) {
        int at = index * type.bytes;
        switch (type) {
            case FLOAT32:
                return buffer.getFloat(at);
            case FLOAT64:
                return buffer.getDouble(at);
            case FLOAT16:
                return half(buffer.getShort(at));
            case UINT64:
                return unsigned(buffer.getLong(at));
            default:
                return whole(index);
        }
    }

    /** An element as a whole number; what is no long, such as a float, is cut to one. */
    long whole(int index) {
        int at = index * type.bytes;
        switch (type) {
            case INT8:
                return buffer.get(at);
            case UINT8:
                return buffer.get(at) & 0xFF;
            case BOOL:
                return buffer.get(at) == 0 ? 0 : 1;
            case INT16:
                return buffer.getShort(at);
            case UINT16:
                return buffer.getShort(at) & 0xFFFF;
            case INT32:
                return buffer.getInt(at);
            case UINT32:
                return buffer.getInt(at) & 0xFFFFFFFFL;
            case INT64:
                return buffer.getLong(at);
            default:
                return (long) real(index);
        }
    }

    /** Sets an element; a whole type gets the number cut to whole. */
    void putReal(int index, double value) {
        int at = index * type.bytes;
        switch (type) {
            case FLOAT32:
                buffer.putFloat(at, (float) value);
                break;
            case FLOAT64:
                buffer.putDouble(at, value);
                break;
            default:
                putWhole(index, (long) value);
        }
    }

    /** Sets an element; a narrow type gets the number's low bits. */
    void putWhole(int index, long value) {
        int at = index * type.bytes;
        switch (type) {
            case BOOL:
                buffer.put(at, (byte) (value == 0 ? 0 : 1));
                break;
            case INT8:
            case UINT8:
                buffer.put(at, (byte) value);
                break;
            case INT16:
            case UINT16:
                buffer.putShort(at, (short) value);
                break;
            case INT32:
            case UINT32:
                buffer.putInt(at, (int) value);
                break;
            case INT64:
            case UINT64:
                buffer.putLong(at, value);
                break;
            case FLOAT32:
                buffer.putFloat(at, value);
                break;
            case FLOAT64:
                buffer.putDouble(at, value);
                break;
            default:
                throw new IllegalArgumentException("no " + type + " can be written");
        }
    }

    private static double unsigned(long value) {
        // Halved, with its last bit kept for the rounding, it has no sign.
        return value >= 0 ? value : 2.0 * (value >>> 1 | value & 1);
    }

    /** IEEE 754 binary16. */
    private static float half(short bits) {
        int exponent = bits >> 10 & 0x1F;
        int fraction = bits & 0x3FF;
        float size;
        if (exponent == 0) {
            size = fraction * 0x1p-24f;
        } else if (exponent == 31) {
            size = fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
        } else {
            size = Float.intBitsToFloat(exponent + 112 << 23 | fraction << 13);
        }
        return bits < 0 ? -size : size;
    }
}
