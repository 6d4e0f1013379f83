package io.mobilebench.core;

/** What one input or output of a model takes or gives. */
public final class TensorInfo {
    public final String name;
    public final ElementType type;
    public final int[] shape;
    /** Of the quantization {@code real = scale * (q - zeroPoint)}; 0 where there is none. */
    public final float scale;
    public final int zeroPoint;

    public TensorInfo(String name, ElementType type, int[] shape, float scale, int zeroPoint) {
        this.name = name;
        this.type = type;
        this.shape = shape.clone();
        this.scale = scale;
        this.zeroPoint = zeroPoint;
    }

    /** How many elements the tensor has. */
    public int elements() {
        int count = 1;
        for (int size : shape) {
            count = Math.multiplyExact(count, size);
        }
        return count;
    }

    /** How many bytes the tensor has. */
    public int byteCount() {
        return Math.multiplyExact(elements(), type.bytes);
    }

    /** A shape in a sentence. */
    static String text(int[] shape) {
        StringBuilder out = new StringBuilder("(");
        for (int index = 0; index < shape.length; index++) {
            out.append(index == 0 ? "" : ", ").append(shape[index]);
        }
        return out.append(")").toString();
    }
}
