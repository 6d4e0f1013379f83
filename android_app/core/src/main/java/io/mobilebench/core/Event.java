package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/** Progress of a trial: the phase it is in, and how much of it is done (0 to 1). */
public final class Event extends Message {
    public final String trial;
    public final String phase;
    public final double done;

    public Event(String trial, String phase, double done) {
        this.trial = trial;
        this.phase = phase;
        this.done = done;
    }

    static Event read(Map<String, Object> document) throws ContractException {
        Fields fields = new Fields("event", document, "trial", "phase", "done");
        return new Event(fields.text("trial"), fields.text("phase"), fields.number("done", 0));
    }

    @Override
    public String type() {
        return "event";
    }

    @Override
    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("trial", trial);
        fields.put("phase", phase);
        fields.put("done", done);
        return fields;
    }
}
