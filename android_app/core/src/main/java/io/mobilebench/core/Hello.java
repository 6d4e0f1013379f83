package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/** The agent's greeting: what it is, what runs models here, and what the device says of itself. */
public final class Hello extends Message {
    public final long protocol;
    public final String agent;
    /** The runtime's name, or empty where there is none. */
    public final String runtime;
    public final String runtimeVersion;
    public final Map<String, Object> device;

    public Hello(
            long protocol,
            String agent,
            String runtime,
            String runtimeVersion,
            Map<String, Object> device) {
        this.protocol = protocol;
        this.agent = agent;
        this.runtime = runtime;
        this.runtimeVersion = runtimeVersion;
        this.device = device;
    }

    static Hello read(Map<String, Object> document) throws ContractException {
        Fields fields =
                new Fields(
                        "hello", document, "protocol", "agent", "runtime", "runtime_version",
                        "device");
        return new Hello(
                fields.whole("protocol"),
                fields.text("agent"),
                fields.text("runtime"),
                fields.text("runtime_version"),
                fields.object("device"));
    }

    @Override
    public String type() {
        return "hello";
    }

    @Override
    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("protocol", protocol);
        fields.put("agent", agent);
        fields.put("runtime", runtime);
        fields.put("runtime_version", runtimeVersion);
        fields.put("device", device);
        return fields;
    }
}
