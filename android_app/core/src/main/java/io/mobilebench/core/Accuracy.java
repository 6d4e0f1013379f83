package io.mobilebench.core;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

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
            long nextEvent = System.nanoTime();
            for (int number = 0; number < count; number++) {
                Elements target = new Elements(input.type, model.input(0));
                convert(dataset.next(), dataset.type(), input, target);
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
                    model.delegation().warnings);
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
     * One sample in the input's type: quantized where the model wants integers.
     *
     * <p>q = round(x / scale) + zero_point, clipped to the type's range (LiteRT's 8-bit
     * quantization specification). Single-precision samples are divided in single precision,
     * as the Linux agent does it: the two must not round differently.
     */
    static void convert(
            Elements sample, ElementType from, TensorInfo input, Elements target) {
        int count = input.elements();
        boolean single = from == ElementType.FLOAT32 || from == ElementType.FLOAT16;
        boolean quantized = !input.type.isFloat() && input.scale != 0;
        for (int index = 0; index < count; index++) {
            if (!quantized) {
                if (from.isFloat()) {
                    target.putReal(index, sample.real(index));
                } else {
                    target.putWhole(index, sample.whole(index));
                }
                continue;
            }
            double value = sample.real(index);
            double steps = single ? (float) value / input.scale : value / (double) input.scale;
            double level = Math.rint(steps) + input.zeroPoint;
            target.putWhole(
                    index,
                    (long) Math.min(Math.max(level, input.type.lowest()), input.type.highest()));
        }
    }
}
