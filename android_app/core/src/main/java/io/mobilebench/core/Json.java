package io.mobilebench.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259), strictly: no comments, no trailing commas, no duplicate names, no NaN.
 *
 * <p>Objects are {@link Map}s in the order of the text, arrays {@link List}s, whole numbers
 * {@link Long}s, other numbers {@link Double}s. The reader is for untrusted input.
 */
final class Json {
    /** More nesting than any message has; keeps the reader's stack small. */
    private static final int MAX_DEPTH = 32;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** The value that a text holds. */
    static Object parse(String text) throws ContractException {
        Json reader = new Json(text);
        Object value = reader.value(0);
        reader.skipSpace();
        if (reader.at < text.length()) {
            throw reader.bad("something follows the value");
        }
        return value;
    }

    /** A value as text without spaces. */
    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private Object value(int depth) throws ContractException {
        if (depth > MAX_DEPTH) {
            throw bad("nested too deeply");
        }
        skipSpace();
        if (at >= text.length()) {
            throw bad("the text ends too early");
        }
        char first = text.charAt(at);
        switch (first) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) throws ContractException {
        Map<String, Object> object = new LinkedHashMap<>();
        at++;
        if (taken('}')) {
            return object;
        }
        do {
            skipSpace();
            if (at >= text.length() || text.charAt(at) != '"') {
                throw bad("a name is expected");
            }
            String name = string();
            if (!taken(':')) {
                throw bad("':' is expected");
            }
            if (object.containsKey(name)) {
                throw bad("a name occurs twice");
            }
            object.put(name, value(depth + 1));
        } while (taken(','));
        if (!taken('}')) {
            throw bad("'}' is expected");
        }
        return object;
    }

    private List<Object> array(int depth) throws ContractException {
        List<Object> array = new ArrayList<>();
        at++;
        if (taken(']')) {
            return array;
        }
        do {
            array.add(value(depth + 1));
        } while (taken(','));
        if (!taken(']')) {
            throw bad("']' is expected");
        }
        return array;
    }

    private String string() throws ContractException {
        StringBuilder out = new StringBuilder();
        at++;
        while (at < text.length()) {
            char next = text.charAt(at++);
            if (next == '"') {
                return out.toString();
            }
            if (next < 0x20) {
                throw bad("a control character stands in a string");
            }
            out.append(next == '\\' ? escaped() : next);
        }
        throw bad("a string has no end");
    }

    private char escaped() throws ContractException {
        if (at >= text.length()) {
            throw bad("a string has no end");
        }
        char kind = text.charAt(at++);
        switch (kind) {
            case '"':
            case '\\':
            case '/':
                return kind;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int code = 0;
                for (int digit = 0; digit < 4; digit++) {
                    int value = at < text.length() ? hexadecimal(text.charAt(at++)) : -1;
                    if (value < 0) {
                        throw bad("\\u needs four hexadecimal digits");
                    }
                    code = code * 16 + value;
                }
                return (char) code;
            default:
                throw bad("an unknown escape");
        }
    }

    private static int hexadecimal(char digit) {
        return digit < 128 ? Character.digit(digit, 16) : -1;
    }

    private Number number() throws ContractException {
        int start = at;
        boolean whole = true;
        if (at < text.length() && text.charAt(at) == '-') {
            at++;
        }
        int first = at;
        digits();
        if (at - first > 1 && text.charAt(first) == '0') {
            throw bad("a number starts with a zero");
        }
        if (at < text.length() && text.charAt(at) == '.') {
            whole = false;
            at++;
            digits();
        }
        if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
            whole = false;
            at++;
            if (at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-')) {
                at++;
            }
            digits();
        }
        String number = text.substring(start, at);
        if (whole) {
            try {
                return Long.valueOf(number);
            } catch (NumberFormatException error) {
                throw bad("a whole number does not fit into 64 bits");
            }
        }
        double value = Double.parseDouble(number);
        if (Double.isInfinite(value)) {
            throw bad("a number is too large");
        }
        return value;
    }

    private void digits() throws ContractException {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == start) {
            throw bad("a value is expected");
        }
    }

    private Object word(String word, Object value) throws ContractException {
        if (!text.startsWith(word, at)) {
            throw bad("a value is expected");
        }
        at += word.length();
        return value;
    }

    private boolean taken(char wanted) {
        skipSpace();
        if (at < text.length() && text.charAt(at) == wanted) {
            at++;
            return true;
        }
        return false;
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private ContractException bad(String why) {
        String shown = text.length() <= 80 ? text : text.substring(0, 80) + "…";
        return new ContractException("not a JSON message (" + why + "): '" + shown + "'");
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof String) {
            writeString((String) value, out);
        } else if (value instanceof Map) {
            String between = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(between);
                writeString((String) entry.getKey(), out);
                out.append(':');
                write(entry.getValue(), out);
                between = ",";
            }
            out.append(((Map<?, ?>) value).isEmpty() ? "{}" : "}");
        } else if (value instanceof Iterable) {
            out.append('[');
            String between = "";
            for (Object item : (Iterable<?>) value) {
                out.append(between);
                write(item, out);
                between = ",";
            }
            out.append(']');
        } else if (value instanceof long[]) {
            out.append('[');
            String between = "";
            for (long item : (long[]) value) {
                out.append(between).append(item);
                between = ",";
            }
            out.append(']');
        } else if (value instanceof int[]) {
            write(wide((int[]) value), out);
        } else if (value instanceof double[]) {
            out.append('[');
            String between = "";
            for (double item : (double[]) value) {
                out.append(between);
                write(item, out);
                between = ",";
            }
            out.append(']');
        } else if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            if (Double.isNaN(number) || Double.isInfinite(number)) {
                throw new IllegalArgumentException("JSON has no " + number);
            }
            out.append(number);
        } else if (value == null || value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else {
            throw new IllegalArgumentException("JSON has no " + value.getClass().getName());
        }
    }

    private static long[] wide(int[] narrow) {
        long[] wide = new long[narrow.length];
        for (int index = 0; index < wide.length; index++) {
            wide[index] = narrow[index];
        }
        return wide;
    }

    private static void writeString(String value, StringBuilder out) {
        out.append('"');
        for (int index = 0; index < value.length(); index++) {
            char next = value.charAt(index);
            if (next == '"' || next == '\\') {
                out.append('\\').append(next);
            } else if (next < 0x20 || Character.isSurrogate(next)) {
                // Escaped surrogates keep even a lone one readable for every reader.
                out.append(String.format("\\u%04x", (int) next));
            } else {
                out.append(next);
            }
        }
        out.append('"');
    }
}
