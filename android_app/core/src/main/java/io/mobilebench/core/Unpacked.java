package io.mobilebench.core;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.zip.GZIPInputStream;

/**
 * The model of a packed file, as long as it is open.
 *
 * <p>It is unpacked block by block into the temporary folder (an app's cache), so that no memory is
 * left behind. Java and Android bring gzip along; xz and zstd would need a library in every app.
 */
final class Unpacked implements AutoCloseable {
    private static final int BLOCK = 1 << 16;

    /** The job with the plain model. */
    final Job job;

    /** How long unpacking and checking took. */
    final long nanoseconds;

    private final File file;

    private Unpacked(Job job, long nanoseconds, File file) {
        this.job = job;
        this.nanoseconds = nanoseconds;
        this.file = file;
    }

    /**
     * @throws AgentException {@code unpacking_unavailable}, or {@code model_corrupt}: what comes out
     *     is not the model that was packed
     */
    static Unpacked from(Job packed) throws AgentException {
        if (!packed.packing.equals("gzip")) {
            throw new AgentException(
                    "unpacking_unavailable",
                    "this agent unpacks gzip, and the model is packed with " + packed.packing);
        }
        File file = null;
        boolean whole = false;
        try {
            file = File.createTempFile("mobilebench-", ".tflite");
            long start = System.nanoTime();
            unpack(packed.model, file);
            Files.verify(
                    file.getPath(), packed.unpackedSha256, "model_corrupt", "model_corrupt");
            long took = System.nanoTime() - start;
            whole = true;
            return new Unpacked(packed.withUnpacked(file.getPath()), took, file);
        } catch (IOException error) {
            throw new AgentException(
                    "model_corrupt", "cannot unpack the model with gzip: " + error.getMessage());
        } finally {
            if (!whole && file != null) {
                file.delete();
            }
        }
    }

    private static void unpack(String path, File target) throws IOException {
        try (InputStream packed = new GZIPInputStream(new FileInputStream(path), BLOCK);
                OutputStream plain = new FileOutputStream(target)) {
            byte[] block = new byte[BLOCK];
            for (int count = packed.read(block); count >= 0; count = packed.read(block)) {
                plain.write(block, 0, count);
            }
        }
    }

    @Override
    public void close() {
        file.delete();
    }
}
