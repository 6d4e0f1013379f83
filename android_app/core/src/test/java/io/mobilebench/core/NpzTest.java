package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Arrays laid out by hand, as NumPy's format description (NEP 1) has them. */
class NpzTest {
    private static final byte[] TWO_FLOATS = {0, 0, (byte) 0x80, 0x3F, 0, 0, 0, (byte) 0xC0};
    private static final byte[] TWO_LABELS = {3, 1};

    @TempDir Path folder;

    private static byte[] array(int version, String header, byte[] data) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] text = (header + "\n").getBytes(StandardCharsets.UTF_8);
        out.write(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', (byte) version, 0});
        out.write(text.length & 0xFF);
        out.write(text.length >> 8);
        if (version > 1) {
            out.write(new byte[2]);
        }
        out.write(text);
        out.write(data);
        return out.toByteArray();
    }

    private static String header(String type, String shape) {
        return "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }   ";
    }

    private byte[] archive(byte[] x, byte[] y) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(out)) {
            zip.putNextEntry(new ZipEntry("x.npy"));
            zip.write(x);
            zip.putNextEntry(new ZipEntry("y.npy"));
            zip.write(y);
        }
        return out.toByteArray();
    }

    private String file(byte[] content) throws IOException {
        return Files.write(folder.resolve("data.npz"), content).toString();
    }

    private byte[] good(int version) throws IOException {
        return archive(
                array(version, header("<f4", "2, 1"), TWO_FLOATS),
                array(version, header("|u1", "2,"), TWO_LABELS));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void everyVersionOfTheFormat(int version) throws Exception {
        try (Npz dataset = Npz.open(file(good(version)))) {
            assertArrayEquals(new int[] {3, 1}, dataset.labels);
            assertArrayEquals(new int[] {1}, dataset.shape);
            assertEquals(1.0, dataset.next().real(0));
            assertEquals(-2.0, dataset.next().real(0));
            AgentException end = assertThrows(AgentException.class, dataset::next);
            assertTrue(end.getMessage().contains("shorter than its shape"));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'descr': '|O', 'fortran_order': False, 'shape': (2, 1), }",
                "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 1), }",
                "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 1), }",
                "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 1), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2,, 1), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 1), }",
                "__import__('os').system('true')",
                "",
            })
    void headersThatAreRefused(String header) throws Exception {
        byte[] y = array(1, header("|u1", "2,"), TWO_LABELS);
        String path = file(archive(array(1, header, TWO_FLOATS), y));
        assertEquals(
                "dataset_bad", assertThrows(AgentException.class, () -> Npz.open(path)).code);
    }

    @Test
    void aSampleLargerThanAnyMemoryIsRefusedWhenItIsRead() throws Exception {
        byte[] x = array(1, header("<f8", "2, 2147483647, 2147483647"), TWO_FLOATS);
        byte[] y = array(1, header("|u1", "2,"), TWO_LABELS);
        try (Npz dataset = Npz.open(file(archive(x, y)))) {
            assertEquals("dataset_bad", assertThrows(AgentException.class, dataset::next).code);
        }
    }

    @Test
    void noFileBreaksTheReader() throws Exception {
        byte[] valid = good(1);
        Random random = new Random(7);
        for (int round = 0; round < 3000; round++) {
            byte[] broken = Arrays.copyOf(valid, valid.length - random.nextInt(2) * 9);
            for (int change = random.nextInt(5); change >= 0; change--) {
                broken[random.nextInt(broken.length)] = (byte) random.nextInt(256);
            }
            try (Npz dataset = Npz.open(file(broken))) {
                dataset.next();
            } catch (AgentException refused) {
                assertEquals("dataset_bad", refused.code);
            }
        }
    }
}
