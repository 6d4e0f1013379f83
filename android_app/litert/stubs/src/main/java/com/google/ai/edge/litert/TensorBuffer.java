package com.google.ai.edge.litert;

/** Stub: the signatures alone are LiteRT's. */
public class TensorBuffer implements AutoCloseable {
    Object values;

    public void writeInt(int[] data) throws LiteRtException {
        values = data;
    }

    public void writeFloat(float[] data) throws LiteRtException {
        values = data;
    }

    public void writeInt8(byte[] data) throws LiteRtException {
        values = data;
    }

    public int[] readInt() throws LiteRtException {
        return (int[]) values;
    }

    public float[] readFloat() throws LiteRtException {
        return (float[]) values;
    }

    public byte[] readInt8() throws LiteRtException {
        return (byte[]) values;
    }

    @Override
    public void close() {}
}
