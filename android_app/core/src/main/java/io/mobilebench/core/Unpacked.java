package io.mobilebench.core;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import com.github.luben.zstd.util.Native;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * The model of a packed file, as long as it is open.
 *
 * <p>It is unpacked block by block into the temporary folder (an app's cache), so that little
 * memory is left behind, and its hash is taken on the way. The file is not trusted: no byte more
 * is written than the job says, and no decompressor gets memory without end.
 */
final class Unpacked implements AutoCloseable {
    private static final int BLOCK = 1 << 16;

    /**
     * What {@code xz -9} needs, in KiB: 64 MiB of dictionary and some. zstd has a limit of its own,
     * 128 MiB of window; gzip needs 32 KiB.
     */
    private static final int XZ_MEMORY = 66 << 10;

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
     * @throws AgentException {@code unpacking_unavailable}: it cannot be unpacked here; or {@code
     *     model_corrupt}: what comes out is not the model that was packed
     */
    static Unpacked from(Job packed) throws AgentException {
        prepare(packed.packing);
        File file = null;
        boolean whole = false;
        try {
            file = File.createTempFile("mobilebench-", ".tflite");
            long start = System.nanoTime();
            try (OutputStream plain = new FileOutputStream(file)) {
                unpack(packed, plain);
            }
            long took = System.nanoTime() - start;
            whole = true;
            return new Unpacked(packed.withUnpacked(file.getPath()), took, file);
        } catch (IOException error) {
            throw new AgentException(
                    "unpacking_unavailable",
                    "cannot write the " + packed.unpackedBytes + " bytes of the unpacked model: "
                            + error.getMessage());
        } finally {
            if (!whole && file != null) {
                file.delete();
            }
        }
    }

    /** Loads what unpacks, which is not timed: an app has it loaded once, and not for each model. */
    private static void prepare(String packing) throws AgentException {
        if (!packing.equals("zstd")) {
            return;
        }
        try {
            Native.load();
        } catch (LinkageError error) {
            throw new AgentException(
                    "unpacking_unavailable",
                    "the library that unpacks zstd cannot be loaded: "
                            + String.valueOf(error.getMessage()).trim().replaceAll("\\s+", " "));
        }
    }

    /** Throws IOException for what cannot be written, and for nothing else. */
    private static void unpack(Job job, OutputStream plain) throws IOException, AgentException {
        MessageDigest digest = Files.sha256();
        byte[] block = new byte[BLOCK];
        long left = job.unpackedBytes;
        try (InputStream packed = open(job)) {
            for (int count = read(packed, block, job);
                    count >= 0;
                    count = read(packed, block, job)) {
                left -= count;
                if (left < 0) {
                    throw new AgentException(
                            "model_corrupt",
                            job.model + " unpacks to more than the " + job.unpackedBytes
                                    + " bytes of the model that was packed");
                }
                digest.update(block, 0, count);
                plain.write(block, 0, count);
            }
        }
        if (!Files.hexadecimal(digest).equals(job.unpackedSha256)) {
            throw new AgentException(
                    "model_corrupt",
                    "what " + job.model + " unpacks to is not the model that was packed");
        }
    }

    private static InputStream open(Job job) throws AgentException {
        InputStream file = null;
        try {
            file = new FileInputStream(job.model);
            switch (job.packing) {
                case "zstd":
                    return new ZstdInputStreamNoFinalizer(file);
                case "xz":
                    return new XZInputStream(file, XZ_MEMORY);
                default:
                    return new GZIPInputStream(file, BLOCK);
            }
        } catch (IOException | RuntimeException error) {
            closeQuietly(file);
            throw corrupt(job, error);
        }
    }

    private static int read(InputStream packed, byte[] block, Job job) throws AgentException {
        try {
            return packed.read(block);
        } catch (IOException | RuntimeException error) {
            throw corrupt(job, error);
        }
    }

    private static void closeQuietly(InputStream file) {
        try {
            if (file != null) {
                file.close();
            }
        } catch (IOException ignored) {
            // It was only read.
        }
    }

    private static AgentException corrupt(Job job, Exception error) {
        String why = error.getMessage() == null ? error.toString() : error.getMessage();
        return new AgentException(
                "model_corrupt", "cannot unpack " + job.model + " with " + job.packing + ": " + why);
    }

    @Override
    public void close() {
        file.delete();
    }
}
