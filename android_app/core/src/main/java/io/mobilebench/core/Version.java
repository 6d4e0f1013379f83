package io.mobilebench.core;

/** This agent's version: the package's own, as {@code harness/mobilebench/__init__.py} says it. */
public final class Version {
    public static final String AGENT = "0.1.0";

    private Version() {}
}
