package io.mobilebench.agent;

import android.os.Process;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;

/**
 * What the runtime has logged in this process: an app may read its own lines without permission.
 * There the delegates tell how many nodes they took.
 */
final class RuntimeLog implements Supplier<String> {
    private static final int MAX_BYTES = 1 << 20;

    @Override
    public String get() {
        try {
            java.lang.Process logcat =
                    new ProcessBuilder(
                                    "logcat", "-d", "-v", "raw", "--pid=" + Process.myPid(),
                                    "-s", "tflite:V")
                            .redirectErrorStream(true)
                            .start();
            logcat.getOutputStream().close();
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            try (InputStream output = logcat.getInputStream()) {
                byte[] block = new byte[8192];
                for (int count = output.read(block);
                        count >= 0 && said.size() < MAX_BYTES;
                        count = output.read(block)) {
                    said.write(block, 0, count);
                }
            }
            logcat.destroy();
            return new String(said.toByteArray(), StandardCharsets.UTF_8);
        } catch (IOException denied) {
            return "";
        }
    }
}
