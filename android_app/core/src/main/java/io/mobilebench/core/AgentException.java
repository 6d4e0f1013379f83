package io.mobilebench.core;

/** Why a trial has no result: a code of {@link Contract#ERROR_CODES} and a sentence. */
public final class AgentException extends Exception {
    private static final long serialVersionUID = 1;

    /** One of {@link Contract#ERROR_CODES}. */
    public final String code;

    public AgentException(String code, String message) {
        super(message);
        this.code = code;
    }
}
