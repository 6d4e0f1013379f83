package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** How often a classifier is right, on labelled samples that the host sent. */
final class Accuracy {
    private static final long NANOSECONDS_BETWEEN_EVENTS = 500_000_000;

    private Accuracy() {}

    /**
     * Runs every sample of the dataset, one at a time, and compares the largest output.
     *
     * <p>The dataset is an {@code .npz} with {@code x} (count, <em>input shape</em>) and
     * {@code y} (count,) of class indices.
     */
    static Result measure(Engine engine, Job job, Progress progress) throws AgentException {
        progress.phase("load", 0);
        Files.verify(job.dataset, job.datasetSha256, "dataset_bad", "dataset_bad");
        try (Npz dataset = Npz.open(job.dataset);
                LoadedModel model = engine.load(job)) {
            only(model.inputs(), "input");
            fit(model, dataset);
            TensorInfo output = only(model.outputs(), "output");
            check(dataset.labels, output);
            TensorInfo input = model.inputs().get(0);

            int count = dataset.labels.length;
            long[] predictions = new long[count];
            int right = 0;
            long clipped = 0;
            long nextEvent = System.nanoTime();
            for (int number = 0; number < count; number++) {
                Elements target = new Elements(input.type, model.input(0));
                clipped += convert(dataset.next(), dataset.type(), input, target);
                model.invoke();
                if (!Outputs.finite(output, model.output(0))) {
                    throw new AgentException(
                            "output_nan",
                            "the model answered sample " + number + " with NaN or infinity");
                }
                predictions[number] = Outputs.largest(output, model.output(0));
                right += predictions[number] == dataset.labels[number] ? 1 : 0;
                if (System.nanoTime() - nextEvent >= 0) {
                    progress.phase("accuracy", (double) number / count);
                    nextEvent = System.nanoTime() + NANOSECONDS_BETWEEN_EVENTS;
                }
            }
            Metric accuracy =
                    Metric.of(
                            "accuracy_top1", "1", "dataset labels", (double) right / count,
                            1.0 / count, count);
            return new Result(
                    job.trial,
                    job.kind,
                    Collections.singletonList(accuracy),
                    new long[0],
                    predictions,
                    Collections.<String, Object>emptyMap(),
                    warnings(
                            model.delegation().warnings,
                            clipped,
                            (long) count * input.elements(),
                            input));
        }
    }

    private static TensorInfo only(List<TensorInfo> tensors, String what) throws AgentException {
        if (tensors.size() != 1) {
            throw new AgentException(
                    "dataset_bad",
                    "accuracy needs a model with one " + what + ", and this one has "
                            + tensors.size());
        }
        return tensors.get(0);
    }

    /** Resizes the model to batches of one, and checks the samples' shape against its input. */
    private static void fit(LoadedModel model, Npz dataset) throws AgentException {
        int[] shape = model.inputs().get(0).shape;
        int[] wanted = shape.length == 0 ? shape : Arrays.copyOfRange(shape, 1, shape.length);
        if (!Arrays.equals(dataset.shape, wanted)) {
            throw new AgentException(
                    "dataset_bad",
                    "samples have shape " + Npz.text(dataset.shape) + ", and the model takes "
                            + Npz.text(wanted));
        }
        if (shape.length > 0 && shape[0] != 1) {
            int[] one = shape.clone();
            one[0] = 1;
            model.resizeInput(0, one);
        }
    }

    private static void check(int[] labels, TensorInfo output) throws AgentException {
        int classes = output.shape.length == 0 ? 1 : output.shape[output.shape.length - 1];
        int lowest = Integer.MAX_VALUE;
        int highest = Integer.MIN_VALUE;
        for (int label : labels) {
            lowest = Math.min(lowest, label);
            highest = Math.max(highest, label);
        }
        if (lowest < 0 || highest >= classes) {
            throw new AgentException(
                    "dataset_bad",
                    "labels run from " + lowest + " to " + highest + ", but the model has "
                            + classes + " classes");
        }
    }

    /**
     * One sample in the input's type. Whole numbers go into an integer input as they are; real
     * ones are quantized for it.
     *
     * <p>q = round(x / scale) + zero_point, clipped to the type's range (LiteRT's 8-bit
     * quantization specification). Single-precision samples are divided in single precision,
     * as the Linux agent does it: the two must not round differently.
     *
     * @return how many values were clipped
     * @throws AgentException numbers that an integer input cannot hold: whole ones beyond its
     *     range, or fractions where it has no scale
     */
    static int convert(Elements sample, ElementType from, TensorInfo input, Elements target)
            throws AgentException {
        int count = input.elements();
        boolean whole = !input.type.isFloat() && input.type != ElementType.BOOL;
        int clipped = 0;
        for (int index = 0; index < count; index++) {
            if (!whole) {
                if (from.isFloat()) {
                    target.putReal(index, sample.real(index));
                } else {
                    target.putWhole(index, sample.whole(index));
                }
            } else if (from.isFloat() && input.scale != 0) {
                double level = level(sample.real(index), from, input);
                double near = Math.min(Math.max(level, input.type.lowest()), input.type.highest());
                clipped += near == level ? 0 : 1;
                target.putWhole(index, (long) near);
            } else {
                requireHeld(sample.real(index), input);
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

    private static void requireHeld(double value, TensorInfo input) throws AgentException {
        if (value != Math.rint(value)) {
            throw new AgentException(
                    "dataset_bad",
                    "the data have fractions, and the model's input '" + input.name + "' takes "
                            + input.type.name().toLowerCase(Locale.ROOT));
        }
        if (value < input.type.lowest() || value > input.type.highest()) {
            throw new AgentException(
                    "dataset_bad",
                    "the data have whole numbers beyond " + input.type.lowest() + " to "
                            + input.type.highest() + ", which the model's input '" + input.name
                            + "' can hold"
                            + (input.scale == 0
                                    ? ""
                                    : "; give real numbers to have them quantized"));
        }
    }

    /** A sentence more if more than 1 % of all values were clipped. */
    static List<String> warnings(List<String> said, long clipped, long count, TensorInfo input) {
        List<String> warnings = new ArrayList<>(said);
        if (100 * clipped > count) {
            warnings.add(
                    "at least " + 100 * clipped / count + " % of the values in the data are beyond"
                            + " the range of the model's input '" + input.name
                            + "' and were clipped: are they scaled as it expects?");
        }
        return warnings;
    }
}
