package io.mobilebench.core;

import java.nio.ByteBuffer;
import java.util.List;

/** A model that is ready to run. Used by one thread. */
public interface LoadedModel extends AutoCloseable {
    List<TensorInfo> inputs();

    /** The outputs as the last run left them: a shape may depend on the values in the inputs. */
    List<TensorInfo> outputs();

    /**
     * Gives the inputs, by position, other shapes; the buffers of {@link #input} are then new ones.
     *
     * @throws AgentException {@code inputs_bad}: the model cannot have these shapes
     */
    void resizeInputs(int[][] shapes) throws AgentException;

    /** The values of an input in the machine's byte order: write them here, from position 0. */
    ByteBuffer input(int index);

    /**
     * For each input, how many rows the smallest table has that it looks up; 0: it looks none up,
     * or that is not known. May read the model file.
     */
    int[] tableRows();

    /** Forgets what the model keeps from one run to the next, such as the state of an LSTM. */
    void reset();

    /**
     * Runs the model once on the values in its inputs.
     *
     * @return nanoseconds that the runtime was running, without the copying of inputs
     */
    long invoke();

    /** Where {@link #invoke}'s nanoseconds come from. */
    String clock();

    /**
     * The values of an output after the last run, in the machine's byte order; never of one whose
     * type is {@link ElementType#OTHER}.
     */
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
