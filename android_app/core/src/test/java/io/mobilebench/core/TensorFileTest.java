package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files laid out by hand, as the safetensors format has them. */
class TensorFileTest {
    private static final String GOOD =
            "{\"__metadata__\":{\"labels\":\"text\"},"
                    + "\"0\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                    + "\"1\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[8,10]}}";
    private static final byte[] NUMBERS = {0, 0, (byte) 0x80, 0x3F, 0, 0, 0, (byte) 0xC0, 3, -1};

    @TempDir Path folder;

    private static byte[] bytes(String header, byte[] data) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(8 + text.length + data.length);
        out.order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).put(text).put(data);
        return out.array();
    }

    private File file(byte[] content) throws IOException {
        return Files.write(folder.resolve("x.safetensors"), content).toFile();
    }

    private static ByteBuffer room(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Test
    void rowsAreReadInAnyOrder() throws Exception {
        try (TensorFile file = TensorFile.open(file(bytes(GOOD + "   ", NUMBERS)))) {
            assertEquals(2, file.names().size());
            assertNull(file.tensor("__metadata__"));
            TensorFile.Tensor floats = file.tensor("0");
            assertEquals(ElementType.FLOAT32, floats.type);
            assertEquals(2, floats.rows());
            assertArrayEquals(new int[] {1}, floats.rowShape());
            ByteBuffer row = room(4);
            file.readRow(floats, 1, row);
            assertEquals(-2, row.getFloat(0));
            file.readRow(floats, 0, row);
            assertEquals(1, row.getFloat(0));
            TensorFile.Tensor whole = file.tensor("1");
            assertEquals(0, whole.rowShape().length);
            file.readRow(whole, 1, row = room(1));
            assertEquals(255, new Elements(whole.type, row).whole(0));
        }
    }

    @Test
    void whatIsWrittenIsReadAgainAndAligned() throws Exception {
        File path = file(new byte[1000]);
        TensorFile.Tensor bytes =
                new TensorFile.Tensor("0", ElementType.INT8, new int[] {3, 1, 5});
        TensorFile.Tensor longs = new TensorFile.Tensor("1", ElementType.INT64, new int[] {3});
        try (TensorFile made = TensorFile.create(path, Arrays.asList(bytes, longs))) {
            for (int row = 2; row >= 0; row--) {
                made.writeRow(bytes, row, ByteBuffer.wrap(new byte[] {1, 2, 3, 4, (byte) row}));
                ByteBuffer value = room(8).putLong(0, -row);
                made.writeRow(longs, row, value);
            }
        }
        byte[] raw = Files.readAllBytes(path.toPath());
        int header = raw[0] + 8;
        assertEquals(0, header % 8);
        assertEquals(header + 3 * (8 + 5), raw.length);
        try (TensorFile read = TensorFile.open(path)) {
            ByteBuffer value = room(8);
            read.readRow(read.tensor("1"), 2, value);
            assertEquals(-2, value.getLong(0));
            assertArrayEquals(new int[] {1, 5}, read.tensor("0").rowShape());
            read.readRow(read.tensor("0"), 1, value = room(5));
            assertEquals(1, value.get(4));
        }
    }

    @Test
    void aRowOfAnotherSizeIsNoRow() throws Exception {
        TensorFile.Tensor one = new TensorFile.Tensor("0", ElementType.FLOAT32, new int[] {2, 3});
        try (TensorFile made = TensorFile.create(file(new byte[0]), Arrays.asList(one))) {
            assertThrows(
                    IllegalArgumentException.class, () -> made.writeRow(one, 0, room(16)));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "BOOL, BOOL", "U8, UINT8", "I8, INT8", "I16, INT16", "U16, UINT16", "I32, INT32",
        "U32, UINT32", "I64, INT64", "U64, UINT64", "F16, FLOAT16", "F32, FLOAT32", "F64, FLOAT64"
    })
    void everyTypeOfNumber(String name, ElementType type) throws Exception {
        String header =
                "{\"0\":{\"dtype\":\"" + name + "\",\"shape\":[1],\"data_offsets\":[0,"
                        + type.bytes + "]}}";
        try (TensorFile file = TensorFile.open(file(bytes(header, new byte[type.bytes])))) {
            assertEquals(type, file.tensor("0").type);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{\"0\":3}",
                "{\"0\":{\"dtype\":\"F32\",\"shape\":[2,1]}}",
                "{\"0\":{\"dtype\":\"BF16\",\"shape\":[5],\"data_offsets\":[0,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0,10],\"more\":1}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[11],\"data_offsets\":[0,11]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[1,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[-10,0]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[-10],\"data_offsets\":[10,0]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[-2,-5],\"data_offsets\":[0,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[1e1],\"data_offsets\":[0,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,0],"
                        + "\"data_offsets\":[0,0]}}",
                "{\"0\":{\"dtype\":\"F64\",\"shape\":[2147483647,2147483647,2147483647],"
                        + "\"data_offsets\":[0,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[0],"
                        + "\"data_offsets\":[-9223372036854775808,9223372036854775807]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0,10]},"
                        + "\"1\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                        + "\"1\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[6,10]}}",
                "{\"0\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0,10]},"
                        + "\"0\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0,10]}}",
            })
    void headersThatAreRefused(String header) throws Exception {
        File path = file(bytes(header, NUMBERS));
        assertThrows(IOException.class, () -> TensorFile.open(path));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1 << 20 | 1, 1000, 0, 1})
    void aHeaderOfAnImpossibleLength(long length) throws Exception {
        File path = file(room(1 << 10).putLong(length).array());
        IOException refused = assertThrows(IOException.class, () -> TensorFile.open(path));
        assertTrue(refused.getMessage().contains("header"), refused.getMessage());
    }

    @Test
    void aFileThatIsCutOrLongerIsRefused() throws Exception {
        byte[] whole = bytes(GOOD, NUMBERS);
        for (int length = 0; length <= whole.length + 1; length++) {
            if (length != whole.length) {
                File path = file(Arrays.copyOf(whole, length));
                assertThrows(IOException.class, () -> TensorFile.open(path), "" + length);
            }
        }
    }

    @Test
    void noFileBreaksTheReader() throws Exception {
        byte[] valid = bytes(GOOD, NUMBERS);
        Random random = new Random(7);
        for (int round = 0; round < 1000; round++) {
            byte[] broken = Arrays.copyOf(valid, valid.length - random.nextInt(2) * 9);
            for (int change = random.nextInt(5); change >= 0; change--) {
                broken[random.nextInt(broken.length)] = (byte) random.nextInt(256);
            }
            try (TensorFile file = TensorFile.open(file(broken))) {
                for (String name : file.names()) {
                    TensorFile.Tensor tensor = file.tensor(name);
                    if (tensor.bytes > 0) {
                        file.readRow(tensor, 0, room((int) tensor.rowBytes()));
                    }
                }
            } catch (IOException refused) {
                assertTrue(!String.valueOf(refused.getMessage()).isEmpty());
            }
        }
    }
}
