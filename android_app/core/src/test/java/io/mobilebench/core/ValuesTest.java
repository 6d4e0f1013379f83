package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ValuesTest {
    private static ByteBuffer room(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Test
    void theGeneratorIsSplitMix64() {
        // The first values for the state 1234567, as published with the algorithm.
        Noise noise = new Noise(1234567);
        assertEquals(6457827717110365317L, noise.next());
        assertEquals(3203168211198807973L, noise.next());
        assertEquals("9817491932198370423", Long.toUnsignedString(noise.next()));
    }

    @Test
    void noiseOfOneSeedIsTheSameAndInItsRange() {
        FakeModel one = new FakeModel(1);
        FakeModel other = new FakeModel(1);
        Noise.fill(one, 5);
        Noise.fill(other, 5);
        assertEquals(one.input(0), other.input(0));
        for (int at = 0; at < 8; at += 4) {
            float value = one.input(0).getFloat(at);
            assertTrue(value >= 0 && value < 1);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "INT32, 0, 0, 99", "INT64, 7, 0, 6", "INT64, 30000, 0, 99", "INT8, 0, -128, 127",
        "INT8, 3, 0, 2", "UINT16, 500, 0, 499"
    })
    void wholeNumbersStayWithinTheTableThatTheyLookUp(
            ElementType type, int rows, long lowest, long highest) {
        TensorInfo input = new TensorInfo("in", type, new int[] {5000}, 0, 0);
        ByteBuffer values = ByteBuffer.allocate(40_000).order(ByteOrder.nativeOrder());
        new Noise(2).fill(input, values, rows);
        Elements drawn = new Elements(type, values);
        long least = Long.MAX_VALUE;
        long most = Long.MIN_VALUE;
        for (int index = 0; index < input.elements(); index++) {
            least = Math.min(least, drawn.whole(index));
            most = Math.max(most, drawn.whole(index));
        }
        assertEquals(lowest, least);
        assertEquals(highest, most);
    }

    /** Expected values from NumPy: {@code np.clip(np.rint(np.float32(x) / s) + z, low, high)}. */
    @ParameterizedTest
    @CsvSource({
        "INT8, 0.5, 0.003858190029859543, -128, 2",
        "INT8, 0.0, 0.003858190029859543, -128, -128",
        "INT8, 9.0, 0.003858190029859543, -128, 127",
        "INT8, -9.0, 0.003858190029859543, -128, -128",
        "INT8, 0.25, 0.1, 0, 2",
        "INT8, 0.35, 0.1, 0, 4",
        "UINT8, 1.0, 0.00390625, 0, 255",
        "INT16, -1.0, 0.0000305, 0, -32768",
    })
    void realValuesAreQuantized(
            ElementType type, float value, float scale, int zeroPoint, long expected)
            throws Exception {
        TensorInfo input = new TensorInfo("in", type, new int[] {1}, scale, zeroPoint);
        ByteBuffer target = room(8);
        Samples.put(room(4).putFloat(0, value), ElementType.FLOAT32, input, target);
        assertEquals(expected, new Elements(type, target).whole(0));
    }

    @ParameterizedTest
    @CsvSource({
        "UINT8, UINT8, 200, 0.00390625, 0", "UINT8, UINT8, 200, 0.0078125, 127",
        "INT64, UINT8, 200, 0.00390625, 0", "INT8, INT8, -7, 0.5, 3", "INT16, INT16, -300, 0.1, 0",
        "INT64, INT32, 70000, 0.0, 0", "INT32, INT8, -128, 0.5, -128", "BOOL, UINT8, 1, 0.5, 3"
    })
    void wholeNumbersGoIntoAnIntegerInputAsTheyAre(
            ElementType from, ElementType to, long value, float scale, int zeroPoint)
            throws Exception {
        TensorInfo input = new TensorInfo("in", to, new int[] {1}, scale, zeroPoint);
        ByteBuffer sample = room(from.bytes);
        new Elements(from, sample).putWhole(0, value);
        ByteBuffer target = room(8);
        assertEquals(0, Samples.put(sample, from, input, target));
        assertEquals(value, new Elements(to, target).whole(0));
    }

    @ParameterizedTest
    @CsvSource({
        "INT64, UINT8, 256, 0.5, whole numbers beyond 0 to 255",
        "INT64, UINT8, -1, 0, whole numbers beyond 0 to 255",
        "UINT8, INT8, 128, 0.5, give real numbers to have them quantized",
        "INT64, INT16, 40000, 0, whole numbers beyond -32768 to 32767",
        "FLOAT64, INT64, 9223372036854775808, 0, whole numbers beyond -9223372036854775808",
        "FLOAT32, INT32, NaN, 0, the samples have fractions",
        "FLOAT32, INT8, NaN, 0.5, have a NaN",
        "FLOAT32, INT32, 0.5, 0, the samples have fractions",
    })
    void whatAnIntegerInputCannotHoldIsRefused(
            ElementType from, ElementType to, double value, float scale, String words) {
        TensorInfo input = new TensorInfo("in", to, new int[] {1}, scale, 0);
        ByteBuffer sample = room(8);
        new Elements(from, sample).putReal(0, value);
        AgentException refused =
                assertThrows(
                        AgentException.class, () -> Samples.put(sample, from, input, room(8)));
        assertEquals("inputs_bad", refused.code);
        assertTrue(refused.getMessage().contains(words), refused.getMessage());
    }

    @Test
    void clippedValuesAreWarnedOfAboveOnePercent() throws Exception {
        TensorInfo input = new TensorInfo("x", ElementType.INT8, new int[] {2}, 0.5f, 0);
        ByteBuffer values = room(8).putFloat(0, 100).putFloat(4, 1);
        assertEquals(1, Samples.put(values, ElementType.FLOAT32, input, room(8)));
        assertTrue(Samples.warnings(1, 100, input).isEmpty());
        assertEquals(
                Collections.singletonList(
                        "at least 12 % of the values of the samples are beyond the range of the"
                                + " model's input 'x' and were clipped: are they scaled as it"
                                + " expects?"),
                Samples.warnings(25, 200, input));
    }

    @Test
    void bytesBecomeFloatsAsTheyAre() throws Exception {
        TensorInfo input = new TensorInfo("in", ElementType.FLOAT32, new int[] {1}, 0, 0);
        ByteBuffer target = room(4);
        Samples.put(room(1).put(0, (byte) 200), ElementType.UINT8, input, target);
        assertEquals(200f, target.getFloat(0));
    }

    /** Bit patterns of IEEE 754 binary16. */
    @ParameterizedTest
    @CsvSource({
        "0x3C00, 1.0", "0xC000, -2.0", "0x7BFF, 65504", "0x0001, 5.9604645E-8", "0x8000, -0.0",
        "0x7C00, Infinity", "0x3555, 0.33325195", "0x03FF, 6.097555E-5"
    })
    void halfPrecision(String bits, float expected) {
        ByteBuffer half = room(2).putShort(0, (short) (int) Integer.decode(bits));
        assertEquals(expected, (float) new Elements(ElementType.FLOAT16, half).real(0));
    }

    @ParameterizedTest
    @CsvSource({"FLOAT32, 0, 0", "FLOAT32, 0.25, 1", "INT64, 256, 1", "BOOL, 7, 1"})
    void whatIsNotZeroIsTrue(ElementType from, double value, long expected) throws Exception {
        TensorInfo input = new TensorInfo("in", ElementType.BOOL, new int[] {1}, 0, 0);
        ByteBuffer sample = room(8);
        new Elements(from, sample).putReal(0, value);
        if (from == ElementType.BOOL) {
            sample.put(0, (byte) value);
        }
        ByteBuffer target = room(1).put(0, (byte) 9);
        Samples.put(sample, from, input, target);
        assertEquals(expected, target.get(0));
    }

    @Test
    void whatOnlyUnsignedNumbersHoldFitsIntoNoLong() throws Exception {
        TensorInfo longs = new TensorInfo("in", ElementType.INT64, new int[] {1}, 0, 0);
        ByteBuffer largest = room(8).putLong(0, -1);
        AgentException refused =
                assertThrows(
                        AgentException.class,
                        () -> Samples.put(largest, ElementType.UINT64, longs, room(8)));
        assertEquals("inputs_bad", refused.code);
        TensorInfo floats = new TensorInfo("in", ElementType.FLOAT32, new int[] {1}, 0, 0);
        ByteBuffer target = room(4);
        Samples.put(largest, ElementType.UINT64, floats, target);
        assertEquals(0x1p64f, target.getFloat(0));
    }
}
