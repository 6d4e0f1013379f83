package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConversationTest {
    /** SHA-256 of no bytes at all. */
    private static final String EMPTY =
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    @TempDir Path folder;
    private final FakeModel model = new FakeModel(1000);
    private final List<String> seen = new ArrayList<>();
    private final List<PowerMeter> meters = new ArrayList<>();
    private String disturbance = "";
    private int traced;
    private long cpuNs;
    private Path file;

    @BeforeEach
    void modelFile() throws IOException {
        file = Files.createFile(folder.resolve("model.tflite"));
    }

    private String job(String kind, String more) {
        return "{\"type\":\"job\",\"protocol\":2,\"trial\":\"t\",\"kind\":\"" + kind
                + "\",\"model\":\"" + file + "\",\"model_sha256\":\"" + EMPTY
                + "\",\"warmup_seconds\":0,\"seconds\":0,\"runs\":5" + more + "}\n";
    }

    private final DeviceState state =
            new DeviceState() {
                @Override
                public List<Metric> read() {
                    return Arrays.asList(
                            Metric.of("battery_level", "%", "test", 80, 1, 1),
                            Metric.unavailable("thermal_status", "1", "test", "too old"));
                }

                @Override
                public List<Metric> trace() {
                    traced++;
                    // The second reading of each three fails.
                    return Collections.singletonList(
                            traced % 3 == 2
                                    ? Metric.unavailable("heat", "°C", "test", "asleep")
                                    : Metric.of("heat", "°C", "test", 40 + traced, 0.5, 1));
                }

                @Override
                public Map<String, Object> conditions() {
                    return Collections.<String, Object>singletonMap(
                            "governors", Collections.singletonMap("cpu0", "schedutil"));
                }

                @Override
                public long threadCpuNs() {
                    return cpuNs;
                }

                @Override
                public String disturbance() {
                    return disturbance;
                }
            };

    private final Conversation.Listener listener =
            new Conversation.Listener() {
                @Override
                public void job(Job job) {
                    seen.add("job " + job.trial);
                }

                @Override
                public void phase(String name, double done) {
                    seen.add(name);
                }

                @Override
                public void end(Message message) {
                    seen.add(message.type());
                }
            };

    private Conversation conversation(Engine engine) {
        return new Conversation(
                "1.2.3",
                Collections.<String, Object>singletonMap("model", "test"),
                engine,
                engine == null ? "there is no runtime" : "",
                new ProcMemory(folder.toFile()),
                state,
                new PowerMeters(System::nanoTime, meters),
                folder.toFile(),
                listener);
    }

    private List<Message> talk(String said, boolean answered) throws Exception {
        return talk(conversation(model), said, answered);
    }

    private List<Message> talk(Conversation conversation, String said, boolean answered)
            throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] bytes = said.getBytes(StandardCharsets.UTF_8);
        assertEquals(answered, conversation.serve(new ByteArrayInputStream(bytes), out));
        List<Message> messages = new ArrayList<>();
        for (String line : new String(out.toByteArray(), StandardCharsets.UTF_8).split("\n")) {
            messages.add(Contract.decode(line));
        }
        return messages;
    }

    private static Message last(List<Message> messages) {
        return messages.get(messages.size() - 1);
    }

    @Test
    void helloEventsAndOneResult() throws Exception {
        List<Message> messages = talk(job("latency", ""), true);
        Hello hello = (Hello) messages.get(0);
        assertEquals("1.2.3", hello.agent);
        assertEquals("test", hello.device.get("model"));
        Result result = (Result) last(messages);
        assertEquals(5, result.samplesNs.length);
        assertEquals(
                Arrays.asList("job t", "load", "warmup", "measure", "result"), seen);
        assertTrue(model.closed);
        assertEquals("a fake has no delegate", result.warnings.get(0));
    }

    @Test
    void theDevicesStateStandsBeforeAndAfter() throws Exception {
        Result result = (Result) last(talk(job("latency", ""), true));
        List<String> names = new ArrayList<>();
        for (Metric metric : result.metrics) {
            names.add(metric.name);
            if (metric.name.endsWith("thermal_status")) {
                assertNull(metric.value);
                assertEquals("too old", metric.reason);
            }
        }
        assertEquals(
                Arrays.asList(
                        "before_battery_level", "before_thermal_status", "after_battery_level",
                        "after_thermal_status", "last_cpu"),
                names.subList(names.size() - 5, names.size()));
    }

    @Test
    void theWarmUpIsKeptAndWhatHeldMeanwhile() throws Exception {
        Result result = (Result) last(talk(job("latency", ",\"warmup_runs\":3"), true));
        assertArrayEquals(new long[] {1000, 1000, 1000}, result.warmupNs);
        assertEquals(0, result.startsNs.length);
        assertTrue(result.traces.isEmpty());
        assertEquals(
                Collections.singletonMap("cpu0", "schedutil"),
                result.conditions.get("governors"));
        assertFalse(((List<?>) result.conditions.get("cpus")).isEmpty());
    }

    @Test
    void countersAreTracedBetweenInferences() throws Exception {
        String wanted = ",\"trace_seconds\":0.05";
        String line = job("latency", wanted).replace("\"seconds\":0,", "\"seconds\":0.22,");
        Result result = (Result) last(talk(line, true));
        assertEquals(result.samplesNs.length, result.startsNs.length);
        for (int index = 1; index < result.startsNs.length; index++) {
            assertTrue(result.startsNs[index] >= result.startsNs[index - 1]);
        }
        Trace heat = result.traces.get(0);
        assertEquals("heat", heat.name);
        assertEquals("asleep", heat.reason);
        // At both ends and four times between, of which two fail.
        assertEquals(traced, seen.stream().filter("measure"::equals).count() - 1);
        assertTrue(traced >= 3, () -> "traced " + traced);
        assertEquals(traced - (traced + 1) / 3, heat.values.length);
        assertEquals(41, heat.values[0]);
        assertTrue(heat.timesNs[0] <= result.startsNs[0]);
        assertTrue(heat.timesNs[heat.timesNs.length - 1] <= 2_000_000_000L);
    }

    @Test
    void theProcessIsKeptToItsCpus() throws Exception {
        List<Long> all = Affinity.read(new File("/proc/thread-self/status"));
        String first = String.valueOf(all.get(0));
        try {
            Result result =
                    (Result) last(talk(job("latency", ",\"cpus\":[" + first + "]"), true));
            assertEquals(all.subList(0, 1), result.conditions.get("cpus"));
        } finally {
            long[] numbers = all.stream().mapToLong(Long::longValue).toArray();
            Affinity.keepTo(numbers);
        }
        Failure failure = (Failure) last(talk(job("latency", ",\"cpus\":[4000]"), false));
        assertEquals("cpus_unavailable", failure.code);
        assertTrue(failure.message.contains("[4000]"), failure.message);
    }

    @Test
    void aHostThatSaysNothingGetsNothing() throws Exception {
        List<Message> messages = talk("", false);
        assertEquals(1, messages.size());
    }

    @Test
    void whatIsNoJobIsRefused() throws Exception {
        String old = job("latency", "").replace("\"protocol\":2", "\"protocol\":1");
        for (String line : Arrays.asList("x", "{}\n", old, job("latency", ",\"threads\":0"))) {
            Failure failure = (Failure) last(talk(line, false));
            assertEquals("bad_job", failure.code);
        }
    }

    @Test
    void withoutARuntimeItSaysSo() throws Exception {
        List<Message> messages = talk(conversation(null), job("latency", ""), false);
        assertEquals("", ((Hello) messages.get(0)).runtime);
        assertEquals("runtime_missing", ((Failure) messages.get(1)).code);
    }

    /** A job whose file holds other bytes than it says. */
    private String packed(byte[] content, byte[] said) throws Exception {
        byte[] packed = UnpackedTest.pack(content, "gzip");
        Files.write(file, packed);
        String more =
                ",\"packing\":\"gzip\",\"unpacked_sha256\":\"" + UnpackedTest.sha256(said)
                        + "\",\"unpacked_bytes\":" + said.length;
        return job("latency", more)
                .replace(
                        "\"model_sha256\":\"" + EMPTY,
                        "\"model_sha256\":\"" + UnpackedTest.sha256(packed));
    }

    @Test
    void aPackedModelIsUnpackedWithinTheInitialization() throws Exception {
        List<Message> messages = talk(packed(new byte[3], new byte[3]), true);
        Result result = (Result) messages.get(messages.size() - 1);
        Metric initialization = null;
        Metric unpacking = null;
        for (Metric metric : result.metrics) {
            initialization = metric.name.equals("initialization_time") ? metric : initialization;
            unpacking = metric.name.equals("unpacking_time") ? metric : unpacking;
        }
        assertTrue(unpacking.value.longValue() > 0);
        assertTrue(initialization.value.longValue() > unpacking.value.longValue());
        assertTrue(seen.contains("unpack"));
    }

    @Test
    void whatCannotBeUnpackedIsRefused() throws Exception {
        List<Message> messages = talk(packed(new byte[] {1}, new byte[1]), false);
        assertEquals("model_corrupt", ((Failure) last(messages)).code);
        assertFalse(seen.contains("load"));
    }

    @Test
    void aFileThatIsNotTheOneSent() throws Exception {
        Files.write(file, new byte[] {1});
        assertEquals("model_corrupt", ((Failure) last(talk(job("latency", ""), false))).code);
        Files.delete(file);
        assertEquals("model_missing", ((Failure) last(talk(job("latency", ""), false))).code);
    }

    @Test
    void aDisturbedTrialIsNone() throws Exception {
        disturbance = "the screen is off";
        Failure before = (Failure) last(talk(job("latency", ""), false));
        assertEquals("the screen is off", before.message);
        assertEquals("disturbed", before.code);
        disturbance = "";
        model.atLoad = () -> disturbance = "somebody took the phone";
        Failure within = (Failure) last(talk(job("latency", ""), false));
        assertEquals("somebody took the phone", within.message);
        assertEquals("disturbed", within.code);
    }

    @Test
    void disturbedMemoryIsAWarning() throws Exception {
        model.atLoad = () -> disturbance = "somebody took the phone";
        Result result = (Result) last(talk(job("memory", ""), true));
        assertTrue(result.warnings.contains("somebody took the phone"));
    }

    @Test
    void memoryThatTheKernelDoesNotTellIsUnavailable() throws Exception {
        Result result = (Result) last(talk(job("memory", ""), true));
        for (Metric metric : result.metrics.subList(0, 7)) {
            assertEquals("unavailable", metric.validity, metric.name);
        }
        assertEquals(3, model.runs);
    }

    @Test
    void faultsOfOurOwnAreAnswered() throws Exception {
        model.atLoad =
                () -> {
                    throw new IllegalStateException("oh");
                };
        assertEquals("internal", ((Failure) last(talk(job("latency", ""), false))).code);
        model.atLoad =
                () -> {
                    throw new OutOfMemoryError();
                };
        assertEquals("out_of_memory", ((Failure) last(talk(job("latency", ""), false))).code);
    }

    @Test
    void aHostThatLeavesEndsTheTrial() {
        OutputStream broken =
                new OutputStream() {
                    private int lines;

                    @Override
                    public void write(int octet) throws IOException {
                        lines += octet == '\n' ? 1 : 0;
                        if (lines > 1) {
                            throw new IOException("broken pipe");
                        }
                    }
                };
        byte[] bytes = job("latency", "").getBytes(StandardCharsets.UTF_8);
        assertThrows(
                IOException.class,
                () -> conversation(model).serve(new ByteArrayInputStream(bytes), broken));
        assertFalse(seen.contains("result"));
    }
}
