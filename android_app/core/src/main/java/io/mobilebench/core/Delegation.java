package io.mobilebench.core;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which nodes of a model a delegate took, as far as the runtime tells, and what it does not. */
public final class Delegation {
    /** {@code nodes}, {@code delegated}, {@code partitions}, {@code left}; or empty. */
    public final Map<String, Object> told;
    /** What is not known, or not as asked for, in sentences. */
    public final List<String> warnings;

    private Delegation(Map<String, Object> told, List<String> warnings) {
        this.told = told;
        this.warnings = warnings;
    }

    /** Everything is known. */
    public static Delegation of(
            int nodes, int delegated, int partitions, Map<String, Object> left) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("nodes", nodes);
        told.put("delegated", delegated);
        told.put("partitions", partitions);
        told.put("left", left);
        return new Delegation(told, Collections.<String>emptyList());
    }

    /** Too little is known for the protocol's fields; the sentence says what there is. */
    public static Delegation unknown(String sentence) {
        return new Delegation(
                Collections.<String, Object>emptyMap(), Collections.singletonList(sentence));
    }
}
