package io.mobilebench.core;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The device protocol: one JSON object a line, read by {@link #decode}, which trusts nothing.
 *
 * <p>The same messages as {@code device_agent/mobilebench_agent/contract.py}; both read the golden messages in
 * {@code tests/contract/}.
 */
public final class Contract {
    public static final int PROTOCOL_VERSION = 2;

    /** What a trial measures. Each runs in a process of its own, so that none disturbs another. */
    public static final List<String> KINDS =
            Collections.unmodifiableList(Arrays.asList("latency", "memory", "outputs", "energy"));

    /** How a model may be packed. */
    public static final List<String> PACKINGS =
            Collections.unmodifiableList(Arrays.asList("gzip", "xz", "zstd"));

    /** What an accelerator may compute float32 in. */
    public static final List<String> PRECISIONS =
            Collections.unmodifiableList(Arrays.asList("float32", "float16"));

    /** What a delegate may prepare for. */
    public static final List<String> PREFERENCES =
            Collections.unmodifiableList(Arrays.asList("fast", "sustained"));

    /** Why an agent could not deliver a result; {@code docs/protocol.md} explains each. */
    public static final List<String> ERROR_CODES =
            Collections.unmodifiableList(
                    Arrays.asList(
                            "bad_job",
                            "runtime_missing",
                            "model_missing",
                            "model_corrupt",
                            "model_unsupported",
                            "open_shape",
                            "accelerator_unavailable",
                            "cpus_unavailable",
                            "unpacking_unavailable",
                            "output_nan",
                            "inputs_bad",
                            "outputs_unsupported",
                            "storage_full",
                            "out_of_memory",
                            "disturbed",
                            "internal"));

    /** The fewest pairs of an idle and a load window that an energy trial has. */
    public static final int FEWEST_WINDOWS = 10;

    /** The most characters of a name that a job has shown. */
    static final int MOST_SHOWN = 200;

    private Contract() {}

    /** The message as one line, with its newline. */
    public static String encode(Message message) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("type", message.type());
        document.putAll(message.fields());
        return Json.write(document) + "\n";
    }

    /** The message that a line holds. */
    public static Message decode(byte[] line) throws ContractException {
        try {
            return decode(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString());
        } catch (CharacterCodingException error) {
            throw new ContractException("not a JSON message (no UTF-8)");
        }
    }

    /** The message that a line holds. */
    public static Message decode(String line) throws ContractException {
        Object value = Json.parse(line);
        if (!(value instanceof Map)) {
            throw new ContractException("not a JSON object");
        }
        Map<String, Object> document = Fields.asObject(value);
        Object type = document.remove("type");
        switch (type instanceof String ? (String) type : "") {
            case "hello":
                return Hello.read(document);
            case "job":
                return Job.read(document);
            case "event":
                return Event.read(document);
            case "result":
                return Result.read(document);
            case "error":
                return Failure.read(document);
            default:
                throw new ContractException(
                        "unknown message type "
                                + Json.write(type)
                                + ", known are hello, job, event, result, error");
        }
    }
}
