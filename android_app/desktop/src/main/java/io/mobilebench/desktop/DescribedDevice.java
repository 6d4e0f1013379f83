package io.mobilebench.desktop;

import io.mobilebench.core.Contract;
import io.mobilebench.core.ContractException;
import io.mobilebench.core.DeviceState;
import io.mobilebench.core.Failure;
import io.mobilebench.core.Hello;
import io.mobilebench.core.Metric;
import io.mobilebench.core.Result;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * A device that a test describes in a file of three lines at most, each a message of the device
 * protocol: a {@code hello} whose {@code device} are the facts, a {@code result} whose
 * {@code metrics} and {@code conditions} are the state, and an {@code error} whose {@code message} is what disturbs it.
 *
 * <p>The file is read anew each time, so that a test can change the state within a trial.
 */
final class DescribedDevice implements DeviceState {
    private final File file;

    /** @param file the description, or null for a device of which nothing is said */
    DescribedDevice(File file) {
        this.file = file;
    }

    Map<String, Object> facts() {
        Hello hello = find(Hello.class);
        return hello == null ? Collections.<String, Object>emptyMap() : hello.device;
    }

    @Override
    public List<Metric> read() {
        Result state = find(Result.class);
        return state == null ? Collections.<Metric>emptyList() : state.metrics;
    }

    @Override
    public List<Metric> trace() {
        return read();
    }

    @Override
    public Map<String, Object> conditions() {
        Result state = find(Result.class);
        return state == null ? Collections.<String, Object>emptyMap() : state.conditions;
    }

    @Override
    public long threadCpuNs() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }

    @Override
    public String disturbance() {
        Failure failure = find(Failure.class);
        return failure == null ? "" : failure.message;
    }

    private <T> T find(Class<T> kind) {
        if (file == null) {
            return null;
        }
        try {
            for (String line : Files.readAllLines(file.toPath(), StandardCharsets.UTF_8)) {
                Object message = Contract.decode(line);
                if (kind.isInstance(message)) {
                    return kind.cast(message);
                }
            }
            return null;
        } catch (IOException | ContractException error) {
            throw new IllegalStateException(file + " describes no device: " + error.getMessage());
        }
    }
}
