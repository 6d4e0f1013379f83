package io.mobilebench.core;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259), strictly: no comments, no trailing commas, no duplicate names, no NaN, no half
 * characters.
 *
 * <p>Objects are {@link Map}s in the order of the text, arrays {@link List}s, whole numbers
 * {@link Long}s, other numbers {@link Double}s. The reader is for untrusted input.
 */
final class Json {
    /** More nesting than any message has; keeps the reader's stack small. */
    private static final int MOST_NESTING = 32;

    private static final int LONGEST_TEXT = 100_000;
    private static final int LONGEST_SHOWN = 80;

    private Json() {}

    /** The value that a text holds. */
    static Object parse(String text) throws ContractException {
        JsonReader reader = new JsonReader(new StringReader(text));
        reader.setStrictness(Strictness.STRICT);
        reader.setNestingLimit(MOST_NESTING);
        try {
            if (text.startsWith("\ufeff")) {
                // The reader passes it over.
                throw new Refused("it starts with a byte order mark");
            }
            Object value = value(reader);
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new Refused("something follows the value");
            }
            return value;
        } catch (Refused refused) {
            throw bad(text, refused.getMessage());
        } catch (IOException | IllegalStateException malformed) {
            throw bad(text, "malformed at " + shortened(reader.getPath()));
        }
    }

    /** What the library would take, and this protocol does not. */
    private static final class Refused extends IOException {
        private static final long serialVersionUID = 1;

        Refused(String why) {
            super(why);
        }
    }

    private static Object value(JsonReader reader) throws IOException {
        switch (reader.peek()) {
            case BEGIN_OBJECT:
                return object(reader);
            case BEGIN_ARRAY:
                return array(reader);
            case STRING:
                return checked(reader.nextString());
            case NUMBER:
                return number(reader.nextString());
            case BOOLEAN:
                return reader.nextBoolean();
            default:
                reader.nextNull();
                return null;
        }
    }

    private static Map<String, Object> object(JsonReader reader) throws IOException {
        Map<String, Object> object = new LinkedHashMap<>();
        reader.beginObject();
        while (reader.hasNext()) {
            String name = checked(reader.nextName());
            if (object.containsKey(name)) {
                throw new Refused("a name occurs twice");
            }
            object.put(name, value(reader));
        }
        reader.endObject();
        return object;
    }

    private static List<Object> array(JsonReader reader) throws IOException {
        List<Object> array = new ArrayList<>();
        reader.beginArray();
        while (reader.hasNext()) {
            array.add(value(reader));
        }
        reader.endArray();
        return array;
    }

    private static Number number(String written) throws Refused {
        try {
            if (written.matches("-?[0-9]+")) {
                return Long.valueOf(written);
            }
        } catch (NumberFormatException large) {
            throw new Refused("a whole number does not fit into 64 bits");
        }
        double value = Double.parseDouble(written);
        if (Double.isInfinite(value)) {
            throw new Refused("a number is too large");
        }
        return value;
    }

    private static String checked(String text) throws Refused {
        if (text.length() > LONGEST_TEXT) {
            throw new Refused("a text is longer than " + LONGEST_TEXT + " characters");
        }
        for (int index = 0; index < text.length(); index++) {
            // Of a whole character both halves are read at once.
            int character = text.codePointAt(index);
            if (character >= Character.MIN_SURROGATE && character <= Character.MAX_SURROGATE) {
                throw new Refused("a text has half a character");
            }
            index += Character.charCount(character) - 1;
        }
        return text;
    }

    private static ContractException bad(String text, String why) {
        return new ContractException(
                "not a JSON message (" + why + "): '" + shortened(text) + "'");
    }

    /** A foreign text as sentences quote it. */
    static String shortened(String text) {
        return text.length() <= LONGEST_SHOWN ? text : text.substring(0, LONGEST_SHOWN) + "…";
    }

    /** A value as text without spaces. */
    static String write(Object value) {
        StringWriter text = new StringWriter();
        JsonWriter writer = new JsonWriter(text);
        writer.setStrictness(Strictness.STRICT);
        try {
            write(value, writer);
            return text.toString();
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    private static void write(Object value, JsonWriter out) throws IOException {
        if (value instanceof String) {
            out.value((String) value);
        } else if (value instanceof Map) {
            out.beginObject();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.name((String) entry.getKey());
                write(entry.getValue(), out);
            }
            out.endObject();
        } else if (value instanceof Iterable) {
            out.beginArray();
            for (Object item : (Iterable<?>) value) {
                write(item, out);
            }
            out.endArray();
        } else if (value instanceof long[]) {
            out.beginArray();
            for (long item : (long[]) value) {
                out.value(item);
            }
            out.endArray();
        } else if (value instanceof int[]) {
            out.beginArray();
            for (int item : (int[]) value) {
                out.value(item);
            }
            out.endArray();
        } else if (value instanceof double[]) {
            out.beginArray();
            for (double item : (double[]) value) {
                out.value(item);
            }
            out.endArray();
        } else if (value instanceof Double || value instanceof Float) {
            out.value(((Number) value).doubleValue());
        } else if (value instanceof Long || value instanceof Integer) {
            out.value(((Number) value).longValue());
        } else if (value instanceof Boolean) {
            out.value((Boolean) value);
        } else if (value == null) {
            out.nullValue();
        } else {
            throw new IllegalArgumentException("JSON has no " + value.getClass().getName());
        }
    }
}
