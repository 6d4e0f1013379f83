package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An outputs trial of a fake model: its samples, its answers, and what cannot be answered. */
class OutputsTrialTest {
    @TempDir Path folder;
    private Path own;
    private final Fake model = new Fake();
    private final List<String> phases = new ArrayList<>();

    @BeforeEach
    void ownFolder() {
        own = folder.resolve("own");
    }

    /** Sums and counts: (batch, 2) floats and (batch, 3) bytes in, (1, 2) floats and a long out. */
    private static final class Fake implements Engine, LoadedModel {
        int batch = 4;
        int resets;
        int runs;
        int kept;
        int nanAt = -1;
        int failAt = -1;
        int longerFrom = Integer.MAX_VALUE;
        boolean fixed;
        boolean closed;
        ElementType answer = ElementType.FLOAT32;
        private ByteBuffer floats;
        private ByteBuffer bytes;
        private final ByteBuffer sums = room(8);
        private final ByteBuffer count = room(8);

        private static ByteBuffer room(int bytes) {
            return ByteBuffer.allocate(bytes).order(ByteOrder.nativeOrder());
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
            floats = room(batch * 8);
            bytes = room(batch * 3);
            return this;
        }

        @Override
        public List<TensorInfo> inputs() {
            return Arrays.asList(
                    new TensorInfo("x", ElementType.FLOAT32, new int[] {batch, 2}, 0, 0),
                    new TensorInfo("q", ElementType.INT8, new int[] {batch, 3}, 0.5f, 1));
        }

        @Override
        public List<TensorInfo> outputs() {
            int width = runs >= longerFrom ? 1 : 2;
            return Arrays.asList(
                    new TensorInfo("sums", answer, new int[] {1, width}, 0, 0),
                    new TensorInfo("count", ElementType.INT64, new int[0], 0, 0));
        }

        @Override
        public void resizeInputs(int[][] shapes) throws AgentException {
            if (fixed) {
                throw new AgentException("inputs_bad", "it does not take one at a time");
            }
            assertArrayEquals(new int[] {1, 2}, shapes[0]);
            assertArrayEquals(new int[] {1, 3}, shapes[1]);
            batch = 1;
            load(null);
        }

        @Override
        public ByteBuffer input(int index) {
            return index == 0 ? floats : bytes;
        }

        @Override
        public int[] tableRows() {
            return new int[2];
        }

        @Override
        public void reset() {
            resets++;
            kept = 0;
        }

        @Override
        public long invoke() {
            if (runs == failAt) {
                throw new IllegalArgumentException("Internal error:\n gather index out of bounds");
            }
            float first = floats.getFloat(0) + floats.getFloat(4);
            sums.putFloat(0, runs == nanAt ? Float.NaN : first);
            sums.putFloat(4, bytes.get(0) + bytes.get(1) + bytes.get(2));
            count.putLong(0, ++kept);
            runs++;
            return 1;
        }

        @Override
        public String clock() {
            return "fake";
        }

        @Override
        public ByteBuffer output(int index) {
            ByteBuffer values = (index == 0 ? sums : count).asReadOnlyBuffer();
            return values.order(ByteOrder.nativeOrder());
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

    private Path samples(int count, int width, String second) throws Exception {
        TensorFile.Tensor x =
                new TensorFile.Tensor("0", ElementType.FLOAT32, new int[] {count, width});
        TensorFile.Tensor q =
                new TensorFile.Tensor(second, ElementType.FLOAT32, new int[] {count, 3});
        Path path = folder.resolve("samples.safetensors");
        try (TensorFile file = TensorFile.create(path.toFile(), Arrays.asList(x, q))) {
            for (int row = 0; row < count; row++) {
                ByteBuffer values =
                        ByteBuffer.allocate(4 * width).order(ByteOrder.LITTLE_ENDIAN);
                values.putFloat(0, row);
                file.writeRow(x, row, values);
                ByteBuffer whole = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
                whole.putFloat(0, row).putFloat(4, 1).putFloat(8, row == 0 ? 1000 : 0);
                file.writeRow(q, row, whole);
            }
        }
        return path;
    }

    private Job job(Path samples, String folder) throws Exception {
        return (Job)
                Contract.decode(
                        "{\"type\":\"job\",\"protocol\":2,\"trial\":\"t\",\"kind\":\"outputs\","
                                + "\"model\":\"m\",\"model_sha256\":\"0\",\"inputs\":\"" + samples
                                + "\",\"inputs_sha256\":\""
                                + UnpackedTest.sha256(Files.readAllBytes(samples))
                                + "\",\"outputs_folder\":\"" + folder + "\"}");
    }

    private Result measure(Path samples) throws Exception {
        return OutputsTrial.measure(
                model, own.toFile(), job(samples, ""), (name, done) -> phases.add(name));
    }

    private AgentException refused(Path samples) throws Exception {
        AgentException refused = assertThrows(AgentException.class, () -> measure(samples));
        File[] left = own.toFile().listFiles();
        assertTrue(left == null || left.length == 0, "nothing is left of it");
        assertTrue(model.closed);
        return refused;
    }

    @Test
    void everySampleIsAnsweredInItsPlace() throws Exception {
        Result result = measure(samples(5, 2, "1"));
        assertEquals("answered_samples", result.metrics.get(0).name);
        assertEquals(5, result.metrics.get(0).value.intValue());
        File file = new File(result.outputs.path);
        assertEquals(own.toFile(), file.getParentFile());
        assertEquals(file.length(), result.outputs.bytes);
        assertEquals(UnpackedTest.sha256(Files.readAllBytes(file.toPath())), result.outputs.sha256);
        try (TensorFile answers = TensorFile.open(file)) {
            assertEquals(new TreeSet<>(Arrays.asList("0", "1")), new TreeSet<>(answers.names()));
            TensorFile.Tensor sums = answers.tensor("0");
            TensorFile.Tensor count = answers.tensor("1");
            assertArrayEquals(new int[] {5, 2}, sums.shape);
            assertArrayEquals(new int[] {5}, count.shape);
            ByteBuffer row = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            for (int number = 0; number < 5; number++) {
                answers.readRow(sums, number, row);
                assertEquals(number, row.getFloat(0));
                // Each level is 2 x + 1, and the first sample's last value is clipped to 127.
                float levels = 2 * number + 1 + 3 + (number == 0 ? 127 : 1);
                assertEquals(levels, row.getFloat(4));
                answers.readRow(count, number, row);
                assertEquals(1, row.getLong(0), "the state is reset before each sample");
            }
        }
        assertEquals(5, model.resets);
        assertEquals(Arrays.asList("load", "outputs"), phases);
        assertTrue(model.closed);
        assertEquals("a fake has no delegate", result.warnings.get(0));
        assertTrue(result.warnings.get(1).startsWith("at least 6 % of the values of the samples"));
    }

    @Test
    void theJobsOwnFolderGoesBeforeTheAgents() throws Exception {
        Path other = folder.resolve("other/folder");
        Job job = job(samples(1, 2, "1"), other.toString());
        Result result = OutputsTrial.measure(model, null, job, (name, done) -> {});
        assertEquals(other.toFile(), new File(result.outputs.path).getParentFile());
        assertFalse(own.toFile().exists());
    }

    @Test
    void withoutAPlaceForTheFileItSaysSo() throws Exception {
        Path samples = samples(1, 2, "1");
        AgentException none =
                assertThrows(
                        AgentException.class,
                        () -> OutputsTrial.measure(model, null, job(samples, ""), (n, d) -> {}));
        assertTrue(none.getMessage().contains("no storage"), none.getMessage());
        Files.write(own, new byte[1]);
        AgentException noFolder = assertThrows(AgentException.class, () -> measure(samples));
        assertTrue(
                noFolder.getMessage().startsWith("the outputs cannot be stored on the device"),
                noFolder.getMessage());
    }

    @Test
    void whatIsNoNumberEndsTheTrialWithTheSample() throws Exception {
        model.nanAt = 3;
        AgentException refused = refused(samples(5, 2, "1"));
        assertEquals("output_nan", refused.code);
        assertEquals(
                "output 'sums' of the model holds NaN or infinity for sample 3",
                refused.getMessage());
    }

    @Test
    void anOutputWhoseShapeChanges() throws Exception {
        model.longerFrom = 3;
        AgentException refused = refused(samples(5, 2, "1"));
        assertEquals("outputs_unsupported", refused.code);
        assertEquals(
                "output 'sums' has shape (1, 2) for sample 0 and (1, 1) for sample 2",
                refused.getMessage());
    }

    @Test
    void anOutputOfText() throws Exception {
        model.answer = ElementType.OTHER;
        AgentException refused = refused(samples(5, 2, "1"));
        assertEquals("outputs_unsupported", refused.code);
        assertTrue(refused.getMessage().contains("'sums'"), refused.getMessage());
        assertEquals(0, model.runs);
    }

    @Test
    void samplesThatDoNotFit() throws Exception {
        String[] words = {
            "samples of input 'x' have shape (3), and the model takes (2)",
            "the model has 2 inputs, and the samples are for 0, 2 (counted from 0)",
            "each input needs the same number of samples, at least one",
        };
        List<Path> files = new ArrayList<>();
        for (int wrong = 0; wrong < words.length; wrong++) {
            Path path =
                    samples(wrong == 2 ? 0 : 2, wrong == 0 ? 3 : 2, wrong == 1 ? "2" : "1");
            files.add(Files.move(path, folder.resolve(wrong + ".safetensors")));
        }
        for (int wrong = 0; wrong < words.length; wrong++) {
            AgentException refused = refused(files.get(wrong));
            assertEquals("inputs_bad", refused.code);
            assertEquals(words[wrong], refused.getMessage());
        }
    }

    @Test
    void aModelThatDoesNotTakeOneSampleOrDoesNotRunOnOne() throws Exception {
        model.fixed = true;
        assertEquals("inputs_bad", refused(samples(2, 2, "1")).code);
        model.fixed = false;
        model.failAt = 1;
        AgentException refused = refused(samples(2, 2, "1"));
        assertEquals("inputs_bad", refused.code);
        assertEquals(
                "the model does not run on sample 1: Internal error: gather index out of bounds",
                refused.getMessage());
    }

    @Test
    void samplesOfAFixedShapeWithoutABatchAreFedAsTheyAre() throws Exception {
        model.batch = 1;
        TensorFile.Tensor x = new TensorFile.Tensor("0", ElementType.FLOAT32, new int[] {1, 1, 2});
        TensorFile.Tensor q = new TensorFile.Tensor("1", ElementType.INT8, new int[] {1, 3});
        Path path = folder.resolve("whole.safetensors");
        TensorFile.create(path.toFile(), Arrays.asList(x, q)).close();
        assertTrue(measure(path).outputs.bytes > 0);
        assertEquals(1, model.runs);
    }

    @Test
    void anotherFileThanTheOneSent() throws Exception {
        Path samples = samples(2, 2, "1");
        Job job = job(samples, "");
        Files.write(samples, new byte[20]);
        AgentException refused =
                assertThrows(
                        AgentException.class,
                        () -> OutputsTrial.measure(model, null, job, (name, done) -> {}));
        assertEquals("inputs_bad", refused.code);
        Files.write(samples, Collections.singletonList("no tensors at all"));
        AgentException none = assertThrows(AgentException.class, () -> measure(samples));
        assertEquals("inputs_bad", none.code);
        assertTrue(
                none.getMessage().startsWith("the file of samples cannot be used: "),
                none.getMessage());
    }
}
