package io.mobilebench.core;

/** A runtime that can run models. */
public interface Engine {
    /** The runtime's name, as {@code hello} says it. */
    String name();

    /** The runtime's version, as {@code hello} says it. */
    String version();

    /**
     * Loads a job's model under its accelerator, threads and XNNPACK setting, ready to run.
     *
     * @throws AgentException {@code accelerator_unavailable}, {@code model_corrupt} or
     *     {@code model_unsupported}
     */
    LoadedModel load(Job job) throws AgentException;
}
