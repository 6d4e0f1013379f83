package io.mobilebench.core;

import java.util.Map;

/** One message of the device protocol; see {@code docs/protocol.md}. */
public abstract class Message {
    /** What stands in the message's {@code type}. */
    public abstract String type();

    /** The message's other fields, ready for {@link Json#write}. */
    abstract Map<String, Object> fields();
}
