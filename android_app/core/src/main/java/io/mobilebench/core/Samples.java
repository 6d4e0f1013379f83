package io.mobilebench.core;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * The samples that the host sent, put into a model one by one.
 *
 * <p>A {@link TensorFile} in which {@code "0"}, {@code "1"}, … are the model's inputs by position,
 * each (count, <em>shape of one sample</em>), of the same count.
 */
final class Samples implements Closeable {
    private final TensorFile file;
    /** By position of the input. */
    private final List<TensorFile.Tensor> tensors = new ArrayList<>();
    private final List<ByteBuffer> rows = new ArrayList<>();
    private final long[] clipped;
    final int count;

    private Samples(TensorFile file, LoadedModel model) throws AgentException {
        this.file = file;
        int inputs = model.inputs().size();
        for (int index = 0; index < inputs; index++) {
            TensorFile.Tensor tensor = file.tensor(Integer.toString(index));
            if (tensor != null) {
                tensors.add(tensor);
            }
        }
        if (inputs == 0 || tensors.size() != inputs || file.names().size() != inputs) {
            throw bad(
                    "the model has " + inputs + " inputs, and the samples are for "
                            + (file.names().isEmpty() ? "none" : String.join(", ", file.names()))
                            + " (counted from 0)");
        }
        clipped = new long[inputs];
        count = tensors.get(0).rows();
        for (TensorFile.Tensor tensor : tensors) {
            if (tensor.rows() != count || tensor.shape.length == 0 || tensor.bytes == 0) {
                throw bad("each input needs the same number of samples, at least one");
            }
        }
    }

    /**
     * Opens a file of samples and gives the model's inputs the shape of one sample.
     *
     * @throws AgentException {@code inputs_bad}: it is no such file, or does not fit the model
     */
    static Samples open(String path, LoadedModel model) throws AgentException {
        TensorFile file = null;
        try {
            file = TensorFile.open(new File(path));
            Samples samples = new Samples(file, model);
            samples.fit(model);
            file = null;
            return samples;
        } catch (IOException error) {
            throw bad("the file of samples cannot be used: " + error.getMessage());
        } catch (ArithmeticException error) {
            throw bad("a sample is larger than this agent can hold");
        } finally {
            if (file != null) {
                closeQuietly(file);
            }
        }
    }

    /** Puts a sample into the model's inputs. */
    void put(int number, LoadedModel model) throws AgentException {
        for (int index = 0; index < tensors.size(); index++) {
            TensorFile.Tensor tensor = tensors.get(index);
            ByteBuffer row = rows.get(index);
            try {
                file.readRow(tensor, number, row);
            } catch (IOException error) {
                throw bad("sample " + number + " cannot be read: " + error.getMessage());
            }
            TensorInfo input = model.inputs().get(index);
            clipped[index] += put(row, tensor.type, input, model.input(index));
        }
    }

    /** A sentence for each input of which more than 1 % of all values were clipped. */
    List<String> warnings(LoadedModel model) {
        List<String> warnings = new ArrayList<>();
        for (int index = 0; index < clipped.length; index++) {
            TensorInfo input = model.inputs().get(index);
            warnings.addAll(warnings(clipped[index], (long) count * input.elements(), input));
        }
        return warnings;
    }

    @Override
    public void close() {
        closeQuietly(file);
    }

    /** Resizes the model to batches of one, and checks the samples' shapes against its inputs. */
    private void fit(LoadedModel model) throws AgentException {
        int[][] shapes = new int[tensors.size()][];
        boolean other = false;
        for (int index = 0; index < shapes.length; index++) {
            TensorInfo input = model.inputs().get(index);
            TensorFile.Tensor tensor = tensors.get(index);
            shapes[index] = fed(input, tensor.rowShape());
            other |= !Arrays.equals(shapes[index], input.shape);
            int bytes = Math.toIntExact(tensor.rowBytes());
            rows.add(ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN));
        }
        if (other) {
            model.resizeInputs(shapes);
        }
    }

    /** The shape that one sample is fed in: a batch of one, or as it is without a batch. */
    private static int[] fed(TensorInfo input, int[] sample) throws AgentException {
        int[] shape = input.shape.clone();
        int[] wanted = shape.length == 0 ? shape : Arrays.copyOfRange(shape, 1, shape.length);
        if (shape.length > 0 && Arrays.equals(sample, wanted)) {
            shape[0] = 1;
        } else if (!Arrays.equals(sample, shape)) {
            throw bad(
                    "samples of input '" + input.name + "' have shape " + TensorInfo.text(sample)
                            + ", and the model takes " + TensorInfo.text(wanted));
        }
        return shape;
    }

    /**
     * One sample in the input's type. Whole numbers go into an integer input as they are; real
     * ones are quantized for it.
     *
     * <p>q = round(x / scale) + zero_point, clipped to the type's range (LiteRT's 8-bit
     * quantization specification). Single-precision samples are divided in single precision,
     * as the Linux agent does it: the two must not round differently.
     *
     * @param row from its position 0, in its own byte order
     * @return how many values were clipped
     * @throws AgentException {@code inputs_bad}: numbers that an integer input cannot hold: whole
     *     ones beyond its range, fractions where it has no scale, or NaN
     */
    static int put(ByteBuffer row, ElementType from, TensorInfo input, ByteBuffer values)
            throws AgentException {
        if (from == input.type && from != ElementType.BOOL && row.order() == values.order()) {
            values.clear();
            values.put(row);
            values.clear();
            return 0;
        }
        Elements sample = new Elements(from, row);
        Elements target = new Elements(input.type, values);
        int count = input.elements();
        int clipped = 0;
        for (int index = 0; index < count; index++) {
            if (input.type == ElementType.BOOL) {
                target.putWhole(index, sample.real(index) == 0 ? 0 : 1);
            } else if (input.type.isFloat()) {
                target.putReal(index, sample.real(index));
            } else if (from.isFloat() && input.scale != 0) {
                double level = level(sample.real(index), from, input);
                if (Double.isNaN(level)) {
                    throw bad(
                            "the samples of the model's input '" + input.name
                                    + "' have a NaN, which "
                                    + input.type.name().toLowerCase(Locale.ROOT)
                                    + " cannot hold");
                }
                double near = Math.min(Math.max(level, input.type.lowest()), input.type.highest());
                clipped += near == level ? 0 : 1;
                target.putWhole(index, (long) near);
            } else {
                requireHeld(sample, index, input);
                target.putWhole(index, sample.whole(index));
            }
        }
        return clipped;
    }

    private static double level(double value, ElementType from, TensorInfo input) {
        boolean single = from == ElementType.FLOAT32 || from == ElementType.FLOAT16;
        double steps = single ? (float) value / input.scale : value / (double) input.scale;
        return Math.rint(steps) + input.zeroPoint;
    }

    private static void requireHeld(Elements sample, int index, TensorInfo input)
            throws AgentException {
        double value = sample.real(index);
        if (value != Math.rint(value)) {
            throw bad(
                    "the samples have fractions, and the model's input '" + input.name + "' takes "
                            + input.type.name().toLowerCase(Locale.ROOT));
        }
        // As a double, the largest long is no long any more: its own range is asked separately.
        boolean held = input.type != ElementType.INT64 || value < 0x1p63;
        if (!held || value < input.type.lowest() || value > input.type.highest()) {
            throw bad(
                    "the samples have whole numbers beyond " + input.type.lowest() + " to "
                            + input.type.highest() + ", which the model's input '" + input.name
                            + "' can hold"
                            + (input.scale == 0
                                    ? ""
                                    : "; give real numbers to have them quantized"));
        }
    }

    /** A sentence if more than 1 % of all values were clipped. */
    static List<String> warnings(long clipped, long count, TensorInfo input) {
        if (100 * clipped <= count) {
            return Collections.emptyList();
        }
        return Collections.singletonList(
                "at least " + 100 * clipped / count + " % of the values of the samples are beyond"
                        + " the range of the model's input '" + input.name
                        + "' and were clipped: are they scaled as it expects?");
    }

    private static AgentException bad(String why) {
        return new AgentException("inputs_bad", why);
    }

    private static void closeQuietly(TensorFile file) {
        try {
            file.close();
        } catch (IOException ignored) {
            // It was only read.
        }
    }
}
