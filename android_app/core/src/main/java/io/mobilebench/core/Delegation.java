package io.mobilebench.core;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which nodes of a model a delegate took, as far as the runtime reports, and what it does not. */
public final class Delegation {
    /** {@code nodes}, {@code delegated}, {@code partitions}, {@code left}; or empty. */
    public final Map<String, Object> reported;
    /** What is not known, or not as asked for, in sentences. */
    public final List<String> warnings;

    private Delegation(Map<String, Object> reported, List<String> warnings) {
        this.reported = reported;
        this.warnings = warnings;
    }

    /** Everything is known. */
    public static Delegation of(
            int nodes, int delegated, int partitions, Map<String, Object> left) {
        Map<String, Object> reported = new LinkedHashMap<>();
        reported.put("nodes", nodes);
        reported.put("delegated", delegated);
        reported.put("partitions", partitions);
        reported.put("left", left);
        return new Delegation(reported, Collections.<String>emptyList());
    }

    /** Too little is known for the protocol's fields; the sentence says what there is. */
    public static Delegation unknown(String sentence) {
        return new Delegation(
                Collections.<String, Object>emptyMap(), Collections.singletonList(sentence));
    }
}
