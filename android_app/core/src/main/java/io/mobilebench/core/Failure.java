package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/** Why a trial has no result: the protocol's {@code error}. */
public final class Failure extends Message {
    /** One of {@link Contract#ERROR_CODES}. */
    public final String code;
    public final String message;
    /** The trial's name, or empty where none was understood. */
    public final String trial;

    public Failure(String code, String message, String trial) {
        this.code = code;
        this.message = message;
        this.trial = trial;
    }

    static Failure read(Map<String, Object> document) throws ContractException {
        Fields fields = new Fields("error", document, "code", "message", "trial");
        String code = fields.text("code");
        if (!Contract.ERROR_CODES.contains(code)) {
            throw fields.bad("unknown code '" + code + "'");
        }
        return new Failure(code, fields.text("message"), fields.text("trial", ""));
    }

    @Override
    public String type() {
        return "error";
    }

    @Override
    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("code", code);
        fields.put("message", message);
        fields.put("trial", trial);
        return fields;
    }
}
