package io.mobilebench.core;

/** Learns which phase a trial is in and how much of it is done (0 to 1, where it is known). */
public interface Progress {
    void phase(String name, double done);
}
