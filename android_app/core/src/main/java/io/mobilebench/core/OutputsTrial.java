package io.mobilebench.core;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** What the model answers: the raw outputs of every sample that the host sent, in a file. */
final class OutputsTrial {
    private static final long NANOSECONDS_BETWEEN_EVENTS = 500_000_000;

    /** What the system says of a file that cannot grow: ENOSPC, EDQUOT and EFBIG. */
    private static final List<String> NO_ROOM =
            Arrays.asList(
                    "No space left", "ENOSPC", "quota exceeded", "EDQUOT", "too large", "EFBIG");

    private OutputsTrial() {}

    /**
     * Runs every sample, one at a time, and writes every output to a {@link TensorFile}.
     *
     * <p>The file has {@code "0"}, {@code "1"}, … for the outputs by position, each (count,
     * <em>shape of one sample</em>), raw values of the output's own type, each written in its place
     * as soon as it is there. What the model keeps from one run to the next is reset before each
     * sample, so that an answer does not depend on the samples before it.
     *
     * @param own where the file goes if the job names no folder; null: there is no such place
     * @throws AgentException {@code inputs_bad}, {@code outputs_unsupported}, {@code output_nan},
     *     {@code storage_full}, or one of loading the model
     */
    static Result measure(Engine engine, File own, Job job, Progress progress)
            throws AgentException {
        progress.phase("load", 0);
        Files.verify(job.inputs, job.inputsSha256, "inputs_bad", "inputs_bad");
        try (LoadedModel model = engine.load(job);
                Samples samples = Samples.open(job.inputs, model)) {
            for (TensorInfo output : model.outputs()) {
                if (output.type == ElementType.OTHER) {
                    throw new AgentException(
                            "outputs_unsupported",
                            "output '" + output.name + "' has a type, such as text, which cannot"
                                    + " be given back");
                }
            }
            OutputsFile answers = written(model, samples, folder(own, job), progress);
            List<String> warnings = new ArrayList<>(model.delegation().warnings);
            warnings.addAll(samples.warnings(model));
            return new Result(
                            job.trial,
                            job.kind,
                            Collections.singletonList(
                                    Metric.of(
                                            "answered_samples", "1", "count", samples.count, 1,
                                            1)),
                            new long[0],
                            Collections.<String, Object>emptyMap(),
                            warnings)
                    .answered(answers);
        }
    }

    private static File folder(File own, Job job) throws AgentException {
        File folder = job.outputsFolder.isEmpty() ? own : new File(job.outputsFolder);
        if (folder == null) {
            throw new AgentException(
                    "internal", "this device has no storage that the computer can read as well");
        }
        folder.mkdirs();
        return folder;
    }

    /** The file of all answers; if there is none in the end, nothing is left of it. */
    private static OutputsFile written(
            LoadedModel model, Samples samples, File folder, Progress progress)
            throws AgentException {
        File file = null;
        boolean whole = false;
        try {
            file = File.createTempFile("outputs-", ".safetensors", folder);
            answer(model, samples, file, progress);
            OutputsFile answers =
                    new OutputsFile(file.getPath(), Files.sha256(file), file.length());
            whole = true;
            return answers;
        } catch (IOException error) {
            String why = String.valueOf(error.getMessage());
            boolean full = NO_ROOM.stream().anyMatch(why::contains);
            throw new AgentException(
                    full ? "storage_full" : "internal",
                    "the outputs cannot be stored on the device in " + folder + ": " + why);
        } finally {
            if (!whole && file != null) {
                file.delete();
            }
        }
    }

    /** Throws IOException for what cannot be written, and for nothing else. */
    private static void answer(
            LoadedModel model, Samples samples, File path, Progress progress)
            throws IOException, AgentException {
        TensorFile file = null;
        List<TensorInfo> first = null;
        long nextEvent = System.nanoTime();
        try {
            for (int number = 0; number < samples.count; number++) {
                run(model, samples, number);
                List<TensorInfo> outputs = model.outputs();
                first = first == null ? outputs : first;
                for (int index = 0; index < outputs.size(); index++) {
                    check(model, index, first.get(index), outputs.get(index), number);
                }
                if (file == null) {
                    file = TensorFile.create(path, tensors(first, samples.count));
                }
                for (int index = 0; index < outputs.size(); index++) {
                    TensorFile.Tensor tensor = file.tensor(Integer.toString(index));
                    if (tensor.bytes > 0) {
                        file.writeRow(tensor, number, model.output(index));
                    }
                }
                if (System.nanoTime() - nextEvent >= 0) {
                    progress.phase("outputs", (double) number / samples.count);
                    nextEvent = System.nanoTime() + NANOSECONDS_BETWEEN_EVENTS;
                }
            }
        } finally {
            if (file != null) {
                file.close();
            }
        }
    }

    private static void run(LoadedModel model, Samples samples, int number)
            throws AgentException {
        model.reset();
        samples.put(number, model);
        try {
            model.invoke();
        } catch (IllegalArgumentException | IllegalStateException error) {
            // Such as an index beyond the table that it looks up.
            throw new AgentException(
                    "inputs_bad",
                    "the model does not run on sample " + number + ": "
                            + String.valueOf(error.getMessage()).trim().replaceAll("\\s+", " "));
        }
    }

    private static void check(
            LoadedModel model, int index, TensorInfo first, TensorInfo output, int number)
            throws AgentException {
        if (!Arrays.equals(first.shape, output.shape)) {
            throw new AgentException(
                    "outputs_unsupported",
                    "output '" + output.name + "' has shape " + TensorInfo.text(first.shape)
                            + " for sample 0 and " + TensorInfo.text(output.shape)
                            + " for sample " + number);
        }
        if (!Outputs.finite(model, index, output)) {
            throw new AgentException(
                    "output_nan",
                    "output '" + output.name + "' of the model holds NaN or infinity for sample "
                            + number);
        }
    }

    private static List<TensorFile.Tensor> tensors(List<TensorInfo> outputs, int count) {
        List<TensorFile.Tensor> tensors = new ArrayList<>();
        for (TensorInfo output : outputs) {
            int[] shape = output.shape;
            boolean batch = shape.length > 0 && shape[0] == 1;
            int[] all = new int[batch ? shape.length : shape.length + 1];
            all[0] = count;
            for (int place = 1; place < all.length; place++) {
                all[place] = shape[batch ? place : place - 1];
            }
            String name = Integer.toString(tensors.size());
            tensors.add(new TensorFile.Tensor(name, output.type, all));
        }
        return tensors;
    }
}
