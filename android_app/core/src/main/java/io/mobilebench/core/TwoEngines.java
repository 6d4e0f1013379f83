package io.mobilebench.core;

import java.util.Arrays;
import java.util.List;

/** One engine for the CPU and whatever it has, and another for accelerators of its own. */
public final class TwoEngines implements Engine {
    private final Engine first;
    private final Engine second;
    private final List<String> accelerators;

    /** @param accelerators what the second one runs, in the first one's place */
    public TwoEngines(Engine first, Engine second, String... accelerators) {
        this.first = first;
        this.second = second;
        this.accelerators = Arrays.asList(accelerators);
    }

    @Override
    public String name() {
        return first.name();
    }

    @Override
    public String version() {
        return first.version();
    }

    @Override
    public LoadedModel load(Job job) throws AgentException {
        return (accelerators.contains(job.accelerator) ? second : first).load(job);
    }
}
