package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The golden messages that every implementation of the protocol reads. */
class GoldenTest {
    private static List<String> lines(String name) throws IOException {
        return Files.readAllLines(
                Paths.get(System.getProperty("golden"), name), StandardCharsets.UTF_8);
    }

    @TestFactory
    List<DynamicTest> validMessagesAreReadAndWrittenUnchanged() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (String line : lines("valid.jsonl")) {
            tests.add(
                    DynamicTest.dynamicTest(
                            line.substring(0, 60),
                            () -> {
                                String written = Contract.encode(Contract.decode(line));
                                assertEquals(comparable(line), comparable(written));
                                assertEquals('\n', written.charAt(written.length() - 1));
                            }));
        }
        return tests;
    }

    @TestFactory
    List<DynamicTest> anythingElseIsRefused() throws Exception {
        List<DynamicTest> tests = new ArrayList<>();
        for (String line : lines("invalid.jsonl")) {
            Map<String, Object> refused = Fields.asObject(Json.parse(line));
            tests.add(
                    DynamicTest.dynamicTest(
                            (String) refused.get("why"),
                            () ->
                                    assertThrows(
                                            ContractException.class,
                                            () -> Contract.decode((String) refused.get("line")))));
        }
        return tests;
    }

    /** The value of a JSON text, in which 1 and 1.0 are one number. */
    private static Object comparable(String text) throws ContractException {
        return withDoubles(Json.parse(text.trim()));
    }

    private static Object withDoubles(Object value) {
        if (value instanceof Number) {
            return ((Number) value).doubleValue();
        }
        if (value instanceof List) {
            List<Object> items = new ArrayList<>();
            for (Object item : (List<?>) value) {
                items.add(withDoubles(item));
            }
            return items;
        }
        if (value instanceof Map) {
            Map<Object, Object> fields = new LinkedHashMap<>();
            for (Map.Entry<?, ?> field : ((Map<?, ?>) value).entrySet()) {
                fields.put(field.getKey(), withDoubles(field.getValue()));
            }
            return fields;
        }
        return value;
    }
}
