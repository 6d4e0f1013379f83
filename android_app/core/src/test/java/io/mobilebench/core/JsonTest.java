package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "", " ", "{", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{a:1}", "{\"a\":1,\"a\":2}", "[1,]",
                "[1 2]", "01", "-", "+1", ".5", "1.", "1e", "1e999", "9223372036854775808", "NaN",
                "Infinity", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u００００\"", "\"\t\"", "1 2",
                "'a'", "// 1", "\u00a01", "\ufeff1", ")]}'\n1", "TRUE", "Null", "\"\\'\"", "\"\\\n\"",
                "\"\\ud800\"", "\"\\udc00x\"", "{\"\\ud800\":1}", "\"\\udc00\\ud800\"", "[1;2]", "{\"a\"=1}",
                "{\"a\"=>1}", "[,]", "[1,,2]", "# 1", "/* */1", "1e-", "0x1", "1f", "--1", "\"a", "[\"a", "]",
                "}", ":", ",", "{\"a\"}", "{\"a\":}", "{1:1}", "{null:1}", "-01", "00", "1.e1"
            })
    void whatIsNoJsonIsRefused(String text) {
        assertThrows(ContractException.class, () -> Json.parse(text));
    }

    @Test
    void deepNestingIsRefusedBeforeTheStackEnds() {
        String deep = String.join("", Collections.nCopies(1_000_000, "["));
        assertThrows(ContractException.class, () -> Json.parse(deep));
    }

    @Test
    void valuesKeepTheirKinds() throws ContractException {
        assertEquals(
                Arrays.asList(1L, -1.5, true, null, "a\n\"é\u2028", 0.0, 1e-7, Long.MIN_VALUE),
                Json.parse(
                        " [1, -15e-1, true, null, \"a\\n\\\"\\u00e9\\u2028\", 0.0, 1E-7,"
                                + "-9223372036854775808] "));
    }

    @Test
    void anyTextSurvivesTheWire() throws ContractException {
        Random random = new Random(7);
        for (int round = 0; round < 500; round++) {
            StringBuilder text = new StringBuilder();
            for (int length = random.nextInt(20); length > 0; length--) {
                int character = random.nextInt(0x110000);
                boolean half = 0xD800 <= character && character < 0xE000;
                text.appendCodePoint(half ? 'x' : character);
            }
            assertEquals(text.toString(), Json.parse(Json.write(text.toString())));
        }
    }

    @Test
    void noBytesBreakTheReader() {
        Random random = new Random(7);
        byte[] valid = "{\"type\":\"event\",\"trial\":\"t\",\"phase\":\"load\",\"done\":0.5}".getBytes();
        for (int round = 0; round < 20_000; round++) {
            byte[] line = valid.clone();
            for (int change = random.nextInt(4); change >= 0; change--) {
                line[random.nextInt(line.length)] = (byte) random.nextInt(256);
            }
            try {
                Contract.decode(line);
            } catch (ContractException refused) {
                continue;
            }
        }
    }

    @Test
    void notANumberIsNeverWritten() {
        assertThrows(IllegalArgumentException.class, () -> Json.write(Double.NaN));
        assertEquals("unavailable", Metric.of("m", "1", "s", Float.NaN, null, 1).validity);
    }
}
