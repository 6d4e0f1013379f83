package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The fields of one JSON object, read strictly: a surplus or missing field, or a value of the
 * wrong kind, is refused. A field without a default is required.
 */
final class Fields {
    private final String what;
    private final Map<String, Object> document;

    /**
     * @param what how sentences call the object, e.g. {@code "job"}
     * @param known every name that the object may have
     */
    Fields(String what, Map<String, Object> document, String... known) throws ContractException {
        this.what = what;
        this.document = document;
        TreeSet<String> surplus = new TreeSet<>(document.keySet());
        surplus.removeAll(Arrays.asList(known));
        if (!surplus.isEmpty()) {
            throw new ContractException(
                    what + ": unknown field " + Json.shortened(String.join(", ", surplus)));
        }
    }

    ContractException bad(String why) {
        return new ContractException(what + ": " + why);
    }

    String text(String name) throws ContractException {
        return required(name, String.class);
    }

    String text(String name, String ifMissing) throws ContractException {
        return document.containsKey(name) ? text(name) : ifMissing;
    }

    long whole(String name) throws ContractException {
        return required(name, Long.class);
    }

    long whole(String name, long ifMissing) throws ContractException {
        return document.containsKey(name) ? whole(name) : ifMissing;
    }

    boolean truth(String name, boolean ifMissing) throws ContractException {
        return document.containsKey(name) ? required(name, Boolean.class) : ifMissing;
    }

    double number(String name, double ifMissing) throws ContractException {
        return document.containsKey(name)
                ? required(name, Number.class).doubleValue()
                : ifMissing;
    }

    /** A number as it was written, whole or not; null if it is missing or null. */
    Number numberOrNull(String name) throws ContractException {
        return document.get(name) == null ? null : required(name, Number.class);
    }

    /** An object; empty if it is missing. */
    Map<String, Object> object(String name) throws ContractException {
        if (!document.containsKey(name)) {
            return new LinkedHashMap<>();
        }
        return asObject(required(name, Map.class));
    }

    /** A list of objects; empty if it is missing. */
    List<Map<String, Object>> objects(String name) throws ContractException {
        List<Map<String, Object>> objects = new ArrayList<>();
        for (Object item : list(name)) {
            if (!(item instanceof Map)) {
                throw bad(name + " must be a list of objects");
            }
            objects.add(asObject(item));
        }
        return objects;
    }

    /** A list of whole numbers; empty if it is missing. */
    long[] wholes(String name) throws ContractException {
        List<?> items = list(name);
        long[] wholes = new long[items.size()];
        for (int index = 0; index < wholes.length; index++) {
            if (!(items.get(index) instanceof Long)) {
                throw bad(name + " has an item of the wrong type");
            }
            wholes[index] = (Long) items.get(index);
        }
        return wholes;
    }

    /** A list of numbers, whole or not; empty if it is missing. */
    double[] numbers(String name) throws ContractException {
        List<?> items = list(name);
        double[] numbers = new double[items.size()];
        for (int index = 0; index < numbers.length; index++) {
            if (!(items.get(index) instanceof Number)) {
                throw bad(name + " has an item of the wrong type");
            }
            numbers[index] = ((Number) items.get(index)).doubleValue();
        }
        return numbers;
    }

    /** A list of texts; empty if it is missing. */
    List<String> texts(String name) throws ContractException {
        List<String> texts = new ArrayList<>();
        for (Object item : list(name)) {
            if (!(item instanceof String)) {
                throw bad(name + " has an item of the wrong type");
            }
            texts.add((String) item);
        }
        return texts;
    }

    private List<?> list(String name) throws ContractException {
        return document.containsKey(name) ? required(name, List.class) : new ArrayList<>();
    }

    private <T> T required(String name, Class<T> kind) throws ContractException {
        if (!document.containsKey(name)) {
            throw bad("the field " + name + " is missing");
        }
        Object value = document.get(name);
        if (!kind.isInstance(value)) {
            throw bad(name + " has the wrong type");
        }
        return kind.cast(value);
    }

    @SuppressWarnings("unchecked") // Json.parse makes no other maps
    static Map<String, Object> asObject(Object map) {
        return (Map<String, Object>) map;
    }
}
