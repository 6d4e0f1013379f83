package io.mobilebench.core;

import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A device of which nothing is known but the CPU time, which stands still. */
final class QuietState implements DeviceState {
    private final long cpuNs;

    QuietState(long cpuNs) {
        this.cpuNs = cpuNs;
    }

    @Override
    public List<Metric> read() {
        return Collections.emptyList();
    }

    @Override
    public List<Metric> trace() {
        return Collections.emptyList();
    }

    @Override
    public Map<String, Object> conditions() {
        return Collections.emptyMap();
    }

    @Override
    public long threadCpuNs() {
        return cpuNs;
    }

    @Override
    public String disturbance() {
        return "";
    }
}
