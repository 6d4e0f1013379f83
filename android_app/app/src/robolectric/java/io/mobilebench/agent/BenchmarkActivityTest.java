package io.mobilebench.agent;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.Intent;
import android.os.Looper;
import android.os.Process;
import android.view.View;
import android.view.ViewGroup;
import android.view.WindowManager;
import android.widget.ProgressBar;
import android.widget.TextView;
import com.github.luben.zstd.Zstd;
import io.mobilebench.core.Contract;
import io.mobilebench.core.Event;
import io.mobilebench.core.Failure;
import io.mobilebench.core.Hello;
import io.mobilebench.core.Message;
import io.mobilebench.core.Metric;
import io.mobilebench.core.Result;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.concurrent.TimeUnit;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowProcess;

/** The activity in Android's own framework, with the shipped resources and real inference. */
@RunWith(RobolectricTestRunner.class)
@Config(
        shadows = {
            FakeSockets.ShadowLocalServerSocket.class,
            FakeSockets.ShadowLocalSocket.class
        })
public class BenchmarkActivityTest {
    private static final String NAME = "mobilebench-0123456789abcdef";
    private static final int AN_APP = 10123;
    private static final Path MODEL = Paths.get(System.getProperty("model"));

    /** What the runtime's library needs of Android's; see {@code desktop/…/bionic.c}. */
    @BeforeClass
    public static void loadWhatTheRuntimeNeeds() {
        for (String library : new String[] {"c", "m", "dl", "log"}) {
            System.loadLibrary(library);
        }
    }

    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    @Before
    public void clearSockets() {
        FakeSockets.clear();
    }

    private ActivityController<BenchmarkActivity> start(String socket) {
        Intent intent = new Intent();
        if (socket != null) {
            intent.putExtra("socket", socket);
        }
        return Robolectric.buildActivity(BenchmarkActivity.class, intent)
                .setup()
                .windowFocusChanged(true);
    }

    private static int id(BenchmarkActivity activity, String name) {
        return activity.getResources().getIdentifier(name, "id", activity.getPackageName());
    }

    private static String text(BenchmarkActivity activity, String name) {
        return text(activity.getWindow().getDecorView(), name);
    }

    private static String text(View root, String name) {
        int id = root.getResources().getIdentifier(name, "id", root.getContext().getPackageName());
        TextView view = root.findViewById(id);
        return view.getVisibility() == View.VISIBLE ? view.getText().toString() : null;
    }

    /** A line of the latest results, the newest first. */
    private static View row(BenchmarkActivity activity, int index) {
        return ((ViewGroup) activity.findViewById(id(activity, "results"))).getChildAt(index);
    }

    private static boolean isLit(BenchmarkActivity activity) {
        return (activity.getWindow().getAttributes().flags
                        & WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
                != 0;
    }

    private static String sha256(byte[] content) throws Exception {
        StringBuilder hex = new StringBuilder();
        for (byte octet : MessageDigest.getInstance("SHA-256").digest(content)) {
            hex.append(String.format("%02x", octet));
        }
        return hex.toString();
    }

    private static String job(String kind, double seconds) throws Exception {
        return job(kind, seconds, MODEL, "");
    }

    private static String job(String kind, double seconds, Path model, String more)
            throws Exception {
        return "{\"type\":\"job\",\"protocol\":2,\"trial\":\"r.d.00001\",\"kind\":\"" + kind
                + "\",\"model\":\"" + model + "\",\"model_sha256\":\""
                + sha256(Files.readAllBytes(model))
                + "\",\"warmup_seconds\":0,\"runs\":5,\"seconds\":" + seconds + more + "}\n";
    }

    /** A job whose model is packed with zstd, by the library that the app unpacks it with. */
    private String packedJob() throws Exception {
        byte[] plain = Files.readAllBytes(MODEL);
        Path packed = folder.newFile("model.tflite.zst").toPath();
        Files.write(packed, Zstd.compress(plain));
        return job(
                "latency",
                0,
                packed,
                ",\"packing\":\"zstd\",\"unpacked_sha256\":\"" + sha256(plain)
                        + "\",\"unpacked_bytes\":" + plain.length);
    }

    /** The next message, while the main thread goes on. */
    private static Message next(BufferedReader reader) throws Exception {
        shadowOf(Looper.getMainLooper()).idle();
        String line = reader.readLine();
        return line == null ? null : Contract.decode(line);
    }

    private static BufferedReader reader(FakeSockets.Peer peer) throws Exception {
        return new BufferedReader(
                new InputStreamReader(peer.ours.getInputStream(), StandardCharsets.UTF_8));
    }

    private static void send(FakeSockets.Peer peer, String line) throws Exception {
        peer.ours.getOutputStream().write(line.getBytes(StandardCharsets.UTF_8));
    }

    /** Lets the main thread do what is posted until the activity ends. */
    private static void awaitEnd(BenchmarkActivity activity) throws Exception {
        for (int tries = 0; tries < 2400 && !activity.isFinishing(); tries++) {
            shadowOf(Looper.getMainLooper()).idle();
            Thread.sleep(25);
        }
        assertTrue(activity.isFinishing());
    }

    @Test
    public void withoutASocketItShowsThatItIsReady() throws Exception {
        for (String name : new String[] {null, "", "mobilebench-", "other-0123456789", "../x"}) {
            BenchmarkActivity activity = start(name).get();
            assertEquals("Ready", text(activity, "model"));
            assertEquals("None yet", text(activity, "none_yet"));
            assertNull(text(activity, "trial"));
            assertFalse(isLit(activity));
        }
    }

    @Test
    public void theScreenIsLitOnlyWhenAJobFollowsWithinSeconds() throws Exception {
        BenchmarkActivity activity = start(NAME).get();
        assertTrue(isLit(activity));
        shadowOf(Looper.getMainLooper()).idleFor(11, TimeUnit.SECONDS);
        assertFalse(isLit(activity));
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            next(reader);
            send(peer, job("latency", 0.5));
            while (!isLit(activity)) {
                assertTrue(next(reader) instanceof Event);
            }
            shadowOf(Looper.getMainLooper()).idleFor(11, TimeUnit.SECONDS);
            assertTrue(isLit(activity));
            while (next(reader) != null) {
                // The trial goes on.
            }
        }
        awaitEnd(activity);
        assertFalse(isLit(activity));
    }

    @Test
    public void namesAndPlaceOfTheTrialAreShown() throws Exception {
        BenchmarkActivity activity = start(NAME).get();
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            Hello hello = (Hello) next(reader);
            assertEquals(true, hello.device.get("shows_trial"));
            String shown =
                    ",\"shown_model\":\"mobile\\nnet\",\"shown_recipe\":\"int8\",\"shown_trial\":3,"
                            + "\"shown_trials\":40";
            send(peer, job("latency", 0, MODEL, shown));
            while (next(reader) != null) {
                // The trial goes on.
            }
        }
        awaitEnd(activity);
        assertEquals("Trial 3 of 40 · Latency", text(activity, "trial"));
        assertEquals("mobile net", text(activity, "model"));
        assertEquals("int8", text(activity, "recipe"));
        ProgressBar progress = activity.findViewById(id(activity, "progress"));
        assertEquals(progress.getMax() * 3 / 40, progress.getProgress());
        assertEquals("mobile net · int8", text(row(activity, 0), "result_what"));
    }

    @Test
    public void aWholeTrial() throws Exception {
        ActivityController<BenchmarkActivity> controller = start(NAME);
        BenchmarkActivity activity = controller.get();
        assertEquals("Waiting for the computer", text(activity, "model"));
        assertEquals(NAME, FakeSockets.listening());
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            Hello hello = (Hello) next(reader);
            assertEquals("tensorflow-lite", hello.runtime);
            assertTrue(hello.device.get("system").toString().startsWith("Android "));
            send(peer, job("latency", 0.05));
            Message message = next(reader);
            assertEquals("load", ((Event) message).phase);
            while (message instanceof Event) {
                message = next(reader);
            }
            Result result = (Result) message;
            assertTrue(result.samplesNs.length >= 5);
            assertTrue(result.warnings.isEmpty());
            assertNull(next(reader));
            assertEquals("Latency", text(activity, "trial"));
            assertTrue(text(activity, "model").matches("Model [0-9a-f]{8}"));
            assertEquals("CPU with XNNPACK, 1 thread", text(activity, "how"));
        }
        awaitEnd(activity);
        assertTrue(text(activity, "value").endsWith(" ms"));
        assertTrue(text(activity, "phase").startsWith("Latency · median of "));
        ProgressBar progress = activity.findViewById(id(activity, "progress"));
        assertEquals(progress.getMax(), progress.getProgress());
        assertEquals(text(activity, "phase"), text(row(activity, 0), "result_how"));
        assertEquals(text(activity, "value"), text(row(activity, 0), "result_value"));
        // One process a trial: its own ends with it.
        assertFalse(ShadowProcess.wasKilled(Process.myPid()));
        controller.pause().stop().destroy();
        assertTrue(ShadowProcess.wasKilled(Process.myPid()));
        // The next process shows what was.
        assertTrue(text(row(start(null).get(), 0), "result_value").endsWith(" ms"));
    }

    @Test
    public void aPackedModelIsUnpacked() throws Exception {
        BenchmarkActivity activity = start(NAME).get();
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            next(reader);
            send(peer, packedJob());
            Message message = next(reader);
            assertEquals("unpack", ((Event) message).phase);
            while (message instanceof Event) {
                message = next(reader);
            }
            long unpacking = 0;
            // Out of the dex, lists have no types.
            for (Object each : ((Result) message).metrics) {
                Metric metric = (Metric) each;
                if (metric.name.equals("unpacking_time")) {
                    unpacking = metric.value.longValue();
                }
            }
            assertTrue(unpacking > 0);
        }
        awaitEnd(activity);
    }

    @Test
    public void onlyTheShellAndRootAreAnswered() throws Exception {
        BenchmarkActivity activity = start(NAME).get();
        for (int uid : new int[] {AN_APP, Process.myUid(), Process.SYSTEM_UID}) {
            try (FakeSockets.Peer stranger = FakeSockets.connect(uid)) {
                assertNull(next(reader(stranger)));
            }
        }
        try (FakeSockets.Peer root = FakeSockets.connect(0)) {
            assertTrue(next(reader(root)) instanceof Hello);
        }
        awaitEnd(activity);
    }

    @Test
    public void leavingTheFrontDisturbsTheTrial() throws Exception {
        ActivityController<BenchmarkActivity> controller = start(NAME);
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            next(reader);
            send(peer, job("latency", 0.5));
            assertTrue(next(reader) instanceof Event);
            controller.pause();
            Message message = next(reader);
            while (message instanceof Event) {
                message = next(reader);
            }
            assertEquals("disturbed", ((Failure) message).code);
        }
        awaitEnd(controller.get());
        assertTrue(text(controller.get(), "phase").contains("the app left the front"));
        assertEquals("failed", text(controller.get(), "value"));
    }

    /** As where Android shows a notice, which pauses nothing. */
    @Test
    public void aWindowOverTheAppDisturbsTheTrial() throws Exception {
        ActivityController<BenchmarkActivity> controller = start(NAME);
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            next(reader);
            send(peer, job("latency", 0.5));
            assertTrue(next(reader) instanceof Event);
            controller.windowFocusChanged(false);
            Message message = next(reader);
            while (message instanceof Event) {
                message = next(reader);
            }
            assertEquals("disturbed", ((Failure) message).code);
        }
        awaitEnd(controller.get());
        assertTrue(text(controller.get(), "phase").contains("another window lay over the app"));
    }

    @Test
    public void nobodyConnects() {
        BenchmarkActivity activity = start(NAME).get();
        shadowOf(Looper.getMainLooper()).idleFor(59, TimeUnit.SECONDS);
        assertFalse(activity.isFinishing());
        shadowOf(Looper.getMainLooper()).idleFor(2, TimeUnit.SECONDS);
        assertTrue(activity.isFinishing());
        shadowOf(Looper.getMainLooper()).idleFor(1, TimeUnit.SECONDS);
        assertTrue(ShadowProcess.wasKilled(Process.myPid()));
    }

    @Test
    public void memoryIsRead() throws Exception {
        BenchmarkActivity activity = start(NAME).get();
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            next(reader);
            send(peer, job("memory", 0));
            Message message = next(reader);
            while (message instanceof Event) {
                message = next(reader);
            }
            assertNotEquals(0, ((Result) message).metrics.size());
        }
        awaitEnd(activity);
        assertEquals("Memory · PSS beyond the empty runtime", text(activity, "phase"));
    }

    /** Three samples of 8 × 8 bytes, which a model of 8 × 8 floats takes as they are. */
    private Path samples() throws Exception {
        String header =
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[3,8,8,1],\"data_offsets\":[0,192]}}";
        ByteBuffer content = ByteBuffer.allocate(8 + header.length() + 192);
        content.order(ByteOrder.LITTLE_ENDIAN).putLong(header.length());
        content.put(header.getBytes(StandardCharsets.UTF_8));
        return Files.write(folder.newFile("samples.safetensors").toPath(), content.array());
    }

    @Test
    public void answersAreWrittenWhereTheComputerReadsThem() throws Exception {
        BenchmarkActivity activity = start(NAME).get();
        File place = new File(activity.getExternalFilesDir(null), "outputs");
        place.mkdirs();
        File older = new File(place, "outputs-1.safetensors");
        Files.write(older.toPath(), new byte[9]);
        Path samples = samples();
        try (FakeSockets.Peer peer = FakeSockets.connect(Process.SHELL_UID)) {
            BufferedReader reader = reader(peer);
            next(reader);
            assertFalse("what an earlier trial left is removed", older.exists());
            send(
                    peer,
                    job(
                            "outputs",
                            0,
                            MODEL,
                            ",\"inputs\":\"" + samples + "\",\"inputs_sha256\":\""
                                    + sha256(Files.readAllBytes(samples)) + "\""));
            Message message = next(reader);
            while (message instanceof Event) {
                message = next(reader);
            }
            Result result = (Result) message;
            Path answers = Paths.get(result.outputs.path);
            assertEquals(place, answers.getParent().toFile());
            assertEquals(result.outputs.bytes, Files.size(answers));
            assertEquals(result.outputs.sha256, sha256(Files.readAllBytes(answers)));
        }
        awaitEnd(activity);
        assertEquals("3 samples", text(activity, "value"));
    }
}
