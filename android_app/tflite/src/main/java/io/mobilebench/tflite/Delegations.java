package io.mobilebench.tflite;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.Delegation;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a delegate took, from three things that the runtime reports: the model's operators, the
 * length of its execution plan, and its log.
 */
final class Delegations {
    /** As TensorFlow Lite 2.5 and later write it. */
    private static final Pattern REPLACED =
            Pattern.compile(
                    "Replacing (\\d{1,9}) out of (\\d{1,9}) node\\(s\\) with delegate "
                            + "\\(([^)]*)\\) node");

    private Delegations() {}

    /**
     * @param operators of the model's main subgraph, in order; null where they cannot be read
     * @param planLength nodes in the execution plan, or {@link ExecutionPlan#UNKNOWN}
     * @param log what the runtime logged while loading the model, or empty
     * @throws AgentException {@code accelerator_unavailable}: it took nothing
     */
    static Delegation describe(
            String accelerator, boolean xnnpack, List<String> operators, int planLength, String log)
            throws AgentException {
        if (operators == null) {
            return Delegation.unknown("the operators of the model cannot be listed");
        }
        int nodes = operators.size();
        boolean onCpu = accelerator.equals("cpu");
        if (onCpu && !xnnpack) {
            return Delegation.of(nodes, 0, 0, counted(operators));
        }
        Delegation delegation = taken(onCpu, operators, planLength, log);
        boolean nothing = Integer.valueOf(0).equals(delegation.reported.get("delegated"));
        // A delegate that took single nodes only leaves the plan as long as it was.
        boolean nothingWorthIt = delegation.reported.isEmpty() && planLength == nodes && nodes > 1;
        if (!onCpu && (nothing || nothingWorthIt)) {
            throw new AgentException(
                    "accelerator_unavailable",
                    accelerator + " took none of the model's " + nodes
                            + " nodes: all of them ran on the cpu");
        }
        return delegation;
    }

    private static Delegation taken(
            boolean onCpu, List<String> operators, int planLength, String log) {
        int nodes = operators.size();
        int logged = logged(onCpu, log);
        if (logged >= 0 && logged <= nodes && planLength != ExecutionPlan.UNKNOWN) {
            int partitions = Math.max(logged > 0 ? 1 : 0, planLength - (nodes - logged));
            return Delegation.of(nodes, logged, partitions, left(operators, logged));
        }
        if (planLength == ExecutionPlan.UNKNOWN) {
            return Delegation.unknown("this runtime does not report which nodes were delegated");
        }
        if (planLength == 1 && nodes > 1) {
            return Delegation.of(nodes, nodes, 1, Collections.<String, Object>emptyMap());
        }
        if (planLength == nodes) {
            return Delegation.unknown(
                    "the delegate took none of the model's " + nodes
                            + " nodes, or only single ones: this runtime does not report more");
        }
        return Delegation.unknown(
                "the delegate took at least " + (nodes - planLength + 1) + " of the model's "
                        + nodes + " nodes: this runtime does not report which");
    }

    /** Nodes that the log says were replaced by the delegate in question; -1 if it says nothing. */
    private static int logged(boolean onCpu, String log) {
        int replaced = -1;
        Matcher match = REPLACED.matcher(log);
        while (match.find()) {
            boolean isXnnpack = match.group(3).toLowerCase(Locale.ROOT).contains("xnnpack");
            if (isXnnpack == onCpu) {
                replaced = Math.max(replaced, 0) + Integer.parseInt(match.group(1));
            }
        }
        return replaced;
    }

    private static Map<String, Object> left(List<String> operators, int delegated) {
        if (delegated == 0) {
            return counted(operators);
        }
        Map<String, Object> left = new LinkedHashMap<>();
        if (delegated < operators.size()) {
            // The log counts them and does not name them.
            left.put("(not named by this runtime)", operators.size() - delegated);
        }
        return left;
    }

    private static Map<String, Object> counted(List<String> operators) {
        TreeMap<String, Object> counts = new TreeMap<>();
        for (String operator : operators) {
            Object count = counts.get(operator);
            counts.put(operator, count == null ? 1 : (Integer) count + 1);
        }
        return new LinkedHashMap<>(counts);
    }
}
