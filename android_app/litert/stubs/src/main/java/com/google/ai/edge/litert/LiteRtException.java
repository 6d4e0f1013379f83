package com.google.ai.edge.litert;

/** Stub: the signature alone is LiteRT's. */
public class LiteRtException extends Exception {
    private static final long serialVersionUID = 1L;

    public LiteRtException(int code, String message) {
        super(message);
    }
}
