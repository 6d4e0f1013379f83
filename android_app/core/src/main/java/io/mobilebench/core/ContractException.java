package io.mobilebench.core;

/** A line that is not a message of this protocol. */
public final class ContractException extends Exception {
    private static final long serialVersionUID = 1;

    public ContractException(String message) {
        super(message);
    }
}
