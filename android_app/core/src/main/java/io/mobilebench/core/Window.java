package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/** A stretch of an energy trial: idle with the model loaded, or inference upon inference. */
public final class Window {
    public final boolean load;
    public final long startNs;
    public final long endNs;
    public final long inferences;

    public Window(boolean load, long startNs, long endNs, long inferences) {
        this.load = load;
        this.startNs = startNs;
        this.endNs = endNs;
        this.inferences = inferences;
    }

    static Window read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields("window", document, "load", "start_ns", "end_ns", "inferences");
        if (!document.containsKey("load")) {
            throw fields.bad("the field load is missing");
        }
        Window window =
                new Window(
                        fields.truth("load", false),
                        fields.whole("start_ns"),
                        fields.whole("end_ns"),
                        fields.whole("inferences", 0));
        if (window.endNs <= window.startNs) {
            throw fields.bad("it must end after it starts");
        }
        if (window.inferences < 0 || window.inferences > 0 != window.load) {
            throw fields.bad("inferences exactly when there is load");
        }
        return window;
    }

    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("load", load);
        fields.put("start_ns", startNs);
        fields.put("end_ns", endNs);
        fields.put("inferences", inferences);
        return fields;
    }
}
