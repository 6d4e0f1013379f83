package io.mobilebench.desktop;

import io.mobilebench.core.BatteryMeter;
import io.mobilebench.core.Conversation;
import io.mobilebench.core.Engine;
import io.mobilebench.core.Job;
import io.mobilebench.core.Message;
import io.mobilebench.core.PowerMeter;
import io.mobilebench.core.PowerMeters;
import io.mobilebench.core.ProcMemory;
import io.mobilebench.core.Version;
import io.mobilebench.tflite.TfLiteEngine;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The app's core and engine on a desktop JVM, on standard input and output: test equipment, which
 * says {@code "virtual": true} of its device in every hello.
 *
 * <pre>java … io.mobilebench.desktop.Main [--device-json FILE] [--battery FOLDER]
 *     [--outputs FOLDER]</pre>
 *
 * <p>{@code java.library.path} holds the runtime's library for Android and what it needs of Android's
 * C library; see {@code bionic.c}. With {@code -Dmobilebench.emulated=true} it says that the processor
 * is emulated.
 */
public final class Main {
    /** What the runtime's library needs: loaded first, so that it finds these and no others. */
    private static final String[] LIBRARIES = {"c", "m", "dl", "log"};

    /** Kept, as the logging system would forget its level otherwise. */
    private static final Logger RUNTIME = Logger.getLogger("org.tensorflow.lite");

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        // Stdout belongs to the protocol; whatever else wants to print goes to stderr.
        FileOutputStream toHost = new FileOutputStream(FileDescriptor.out);
        System.setOut(System.err);
        RUNTIME.setLevel(Level.WARNING);

        DescribedDevice described = new DescribedDevice(null);
        List<PowerMeter> meters = Collections.emptyList();
        File outputs = new File(System.getProperty("java.io.tmpdir"));
        for (int index = 0; index + 1 < arguments.length; index += 2) {
            switch (arguments[index]) {
                case "--device-json":
                    described = new DescribedDevice(new File(arguments[index + 1]));
                    break;
                case "--battery":
                    meters =
                            Collections.singletonList(
                                    new BatteryMeter(
                                            new FolderGauge(new File(arguments[index + 1])),
                                            System::nanoTime,
                                            "simulated battery"));
                    break;
                case "--outputs":
                    outputs = new File(arguments[index + 1]);
                    break;
                default:
                    System.err.println("unknown option " + arguments[index]);
                    System.exit(2);
            }
        }

        Engine engine = null;
        String missing = "";
        try {
            for (String library : LIBRARIES) {
                System.loadLibrary(library);
            }
            engine = new TfLiteEngine("tensorflow-lite", null, RuntimeLog::read);
        } catch (LinkageError | RuntimeException error) {
            missing = "TensorFlow Lite cannot be loaded on this machine: " + error.getMessage();
        }
        Conversation conversation =
                new Conversation(
                        Version.AGENT,
                        facts(described),
                        engine,
                        missing,
                        new ProcMemory(new File("/proc/self")),
                        described,
                        new PowerMeters(System::nanoTime, meters),
                        outputs,
                        new Silent());
        boolean answered =
                conversation.serve(new FileInputStream(FileDescriptor.in), toHost);
        // Halted: nothing that the runtime does at exit can hold up or change the answer.
        Runtime.getRuntime().halt(answered ? 0 : 1);
    }

    private static Map<String, Object> facts(DescribedDevice described) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        facts.put("machine", System.getProperty("os.arch"));
        facts.put("java", System.getProperty("java.version"));
        facts.put("cores", Runtime.getRuntime().availableProcessors());
        facts.putAll(described.facts());
        facts.put("virtual", true);
        if (Boolean.getBoolean("mobilebench.emulated")) {
            facts.put("emulated", true);
        }
        return facts;
    }

    /** Nobody watches. */
    private static final class Silent implements Conversation.Listener {
        @Override
        public void job(Job job) {}

        @Override
        public void phase(String name, double done) {}

        @Override
        public void end(Message message) {}
    }
}
