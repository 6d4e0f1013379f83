package io.mobilebench.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;

/** A model of one float input and output that takes as long as the test says. */
class FakeModel implements Engine, LoadedModel {
    private final ByteBuffer input = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
    private final ByteBuffer output = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
    private final long nanoseconds;
    int runs;
    boolean closed;
    Runnable atLoad = () -> {};

    FakeModel(long nanoseconds) {
        this.nanoseconds = nanoseconds;
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public String version() {
        return "1";
    }

    @Override
    public LoadedModel load(Job job) {
        atLoad.run();
        return this;
    }

    @Override
    public List<TensorInfo> inputs() {
        return Collections.singletonList(
                new TensorInfo("in", ElementType.FLOAT32, new int[] {1, 2}, 0, 0));
    }

    @Override
    public List<TensorInfo> outputs() {
        return Collections.singletonList(
                new TensorInfo("out", ElementType.FLOAT32, new int[] {1, 2}, 0, 0));
    }

    @Override
    public void resizeInputs(int[][] shapes) {
        throw new AssertionError("never resized");
    }

    @Override
    public ByteBuffer input(int index) {
        return input;
    }

    @Override
    public int[] tableRows() {
        return new int[] {0};
    }

    @Override
    public void reset() {}

    @Override
    public long invoke() {
        runs++;
        output.putFloat(0, input.getFloat(0));
        output.putFloat(4, input.getFloat(4));
        return nanoseconds;
    }

    @Override
    public String clock() {
        return "fake";
    }

    @Override
    public ByteBuffer output(int index) {
        return output;
    }

    @Override
    public Delegation delegation() {
        return Delegation.unknown("a fake has no delegate");
    }

    @Override
    public void close() {
        closed = true;
    }
}
