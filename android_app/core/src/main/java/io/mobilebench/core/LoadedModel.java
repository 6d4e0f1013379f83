package io.mobilebench.core;

import java.nio.ByteBuffer;
import java.util.List;

/** A model that is ready to run. Used by one thread. */
public interface LoadedModel extends AutoCloseable {
    List<TensorInfo> inputs();

    List<TensorInfo> outputs();

    /** Gives an input another shape; the buffer of {@link #input} is then a new one. */
    void resizeInput(int index, int[] shape) throws AgentException;

    /** The values of an input in the machine's byte order: write them here, from position 0. */
    ByteBuffer input(int index);

    /**
     * For each input, how many rows the smallest table has that it looks up; 0: it looks none up,
     * or that is not known. May read the model file.
     */
    int[] tableRows();

    /**
     * Runs the model once on the values in its inputs.
     *
     * @return nanoseconds that the runtime was running, without the copying of inputs
     */
    long invoke();

    /** Where {@link #invoke}'s nanoseconds come from. */
    String clock();

    /** The values of an output after the last run, in the machine's byte order. */
    ByteBuffer output(int index);

    /**
     * What the delegate took; reads the model file, so never call it near a timed region.
     *
     * @throws AgentException {@code accelerator_unavailable}: the accelerator that was asked for
     *     took nothing, so that what ran was the CPU
     */
    Delegation delegation() throws AgentException;

    @Override
    void close();
}
