package io.mobilebench.desktop;

/** What the runtime has logged in this process; see {@code bionic.c}. */
final class RuntimeLog {
    private RuntimeLog() {}

    static native String read();
}
