package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/** Packed files as they should be, and as nobody should send them. */
class UnpackedTest {
    /** Half of it can be packed. */
    private static final byte[] CONTENT = new byte[200_000];

    static {
        byte[] noise = new byte[100_000];
        new Random(0).nextBytes(noise);
        System.arraycopy(noise, 0, CONTENT, 50_000, noise.length);
    }

    @TempDir Path folder;

    /** The library for zstd is Android's: it needs some of Android's C library. */
    @BeforeAll
    static void loadWhatTheLibraryNeeds() {
        for (String library : new String[] {"c", "m", "dl"}) {
            System.loadLibrary(library);
        }
    }

    static byte[] pack(byte[] content, String packing) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = packer(packing, bytes)) {
            out.write(content);
        }
        return bytes.toByteArray();
    }

    private static OutputStream packer(String packing, OutputStream bytes) throws IOException {
        switch (packing) {
            case "zstd":
                return new ZstdOutputStream(bytes);
            case "xz":
                return new XZOutputStream(bytes, new LZMA2Options(3));
            default:
                return new GZIPOutputStream(bytes);
        }
    }

    static String sha256(byte[] content) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update(content);
        return io.mobilebench.core.Files.hexadecimal(digest);
    }

    private Job job(byte[] packed, String packing, String sha256, long bytes) throws Exception {
        Path file = folder.resolve("model.packed");
        Files.write(file, packed);
        return (Job)
                Contract.decode(
                        "{\"type\":\"job\",\"protocol\":1,\"trial\":\"t\",\"kind\":\"latency\","
                                + "\"model\":\"" + file + "\",\"model_sha256\":\"x\",\"packing\":\""
                                + packing + "\",\"unpacked_sha256\":\"" + sha256
                                + "\",\"unpacked_bytes\":" + bytes + "}");
    }

    private Job job(byte[] packed, String packing) throws Exception {
        return job(packed, packing, sha256(CONTENT), CONTENT.length);
    }

    private static AgentException refused(Job job) {
        AgentException error = assertThrows(AgentException.class, () -> Unpacked.from(job));
        assertEquals("model_corrupt", error.code, error.getMessage());
        return error;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "xz", "zstd"})
    void aWholeFileIsUnpackedForAsLongAsItIsOpen(String packing) throws Exception {
        File plain;
        try (Unpacked unpacked = Unpacked.from(job(pack(CONTENT, packing), packing))) {
            plain = new File(unpacked.job.model);
            assertArrayEquals(CONTENT, Files.readAllBytes(plain.toPath()));
            assertEquals(sha256(CONTENT), unpacked.job.modelSha256);
            assertEquals("", unpacked.job.packing);
            assertTrue(unpacked.nanoseconds > 0);
        }
        assertFalse(plain.exists());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "xz", "zstd"})
    void aTornFileIsRefusedWhereverItEnds(String packing) throws Exception {
        byte[] packed = pack(CONTENT, packing);
        for (int length : new int[] {0, 1, 5, 17, packed.length / 2, packed.length - 1}) {
            AgentException error = refused(job(Arrays.copyOf(packed, length), packing));
            assertTrue(error.getMessage().contains("model.packed"), error.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "xz", "zstd"})
    void aDamagedFileIsRefusedOrIsTheModel(String packing) throws Exception {
        byte[] packed = pack(CONTENT, packing);
        Random random = new Random(1);
        for (int attempt = 0; attempt < 60; attempt++) {
            byte[] damaged = packed.clone();
            damaged[attempt < 30 ? attempt : random.nextInt(packed.length)] ^=
                    (byte) (1 + random.nextInt(255));
            try (Unpacked unpacked = Unpacked.from(job(damaged, packing))) {
                // Not every bit matters, such as gzip's note of the system that packed.
                assertArrayEquals(
                        CONTENT, Files.readAllBytes(new File(unpacked.job.model).toPath()));
            } catch (AgentException error) {
                assertEquals("model_corrupt", error.code, error.getMessage());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "xz", "zstd"})
    void anotherModelIsRefused(String packing) throws Exception {
        byte[] packed = pack(CONTENT, packing);
        AgentException error = refused(job(packed, packing, sha256(packed), CONTENT.length));
        assertTrue(error.getMessage().contains("not the model that was packed"));
        // Shorter than the job says: the hash shows it.
        refused(job(pack(new byte[10], packing), packing));
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "xz", "zstd"})
    void whatUnpacksWithoutEndIsStopped(String packing) throws Exception {
        byte[] bomb = pack(new byte[50_000_000], packing);
        assertTrue(bomb.length < 100_000);
        AgentException error = refused(job(bomb, packing, sha256(CONTENT), 1000));
        assertTrue(
                error.getMessage().contains("unpacks to more than the 1000 bytes"),
                error.getMessage());
    }

    @Test
    void anXzFileThatWantsMemoryWithoutEnd() throws Exception {
        byte[] packed = pack(CONTENT, "xz");
        // The block header stands after the stream header's 12 bytes: its size, flags, filter 0x21,
        // one byte of properties, which is the dictionary (36: 1 GiB), and its CRC at the end.
        packed[16] = 36;
        int size = (packed[12] + 1) * 4;
        CRC32 crc = new CRC32();
        crc.update(packed, 12, size - 4);
        ByteBuffer.wrap(packed)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(12 + size - 4, (int) crc.getValue());
        AgentException error = refused(job(packed, "xz"));
        assertTrue(error.getMessage().contains("KiB"), error.getMessage());
    }

    @Test
    void aZstdFileThatWantsMemoryWithoutEnd() throws Exception {
        // A frame's magic number, no flag, and a window of 2^(10 + 21) bytes (RFC 8878).
        byte[] header = {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD, 0, (byte) (21 << 3), 1, 0, 0};
        AgentException error = refused(job(header, "zstd"));
        assertTrue(error.getMessage().contains("memory"), error.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "xz", "zstd"})
    void aFileThatIsGone(String packing) throws Exception {
        Job job = job(pack(CONTENT, packing), packing);
        Files.delete(folder.resolve("model.packed"));
        refused(job);
    }
}
