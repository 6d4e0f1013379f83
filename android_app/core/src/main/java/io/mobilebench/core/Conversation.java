package io.mobilebench.core;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One trial over one pair of streams: hello, job, events, result or error. */
public final class Conversation {
    /** Learns what happens, on the thread that serves. What it does must be over at once. */
    public interface Listener {
        void job(Job job);

        void phase(String name, double done);

        /** The {@link Result} or {@link Failure} that the host gets. */
        void end(Message message);
    }

    private final String agentVersion;
    private final Map<String, Object> device;
    private final Engine engine;
    private final String engineMissing;
    private final Memory memory;
    private final DeviceState state;
    private final PowerMeters power;
    private final File outputs;
    private final Listener listener;

    /**
     * @param device what the device says of itself, as {@link Json#write} can write it
     * @param engine what runs models; null where there is nothing, and {@code engineMissing} then
     *     says why in a sentence
     * @param outputs the folder for what models answer, which the host can read, too; null: there
     *     is none
     */
    public Conversation(
            String agentVersion,
            Map<String, Object> device,
            Engine engine,
            String engineMissing,
            Memory memory,
            DeviceState state,
            PowerMeters power,
            File outputs,
            Listener listener) {
        this.agentVersion = agentVersion;
        this.device = new LinkedHashMap<>(device);
        // A host sends what is to be shown to those alone that say so: others refuse the fields.
        this.device.put("shows_trial", true);
        this.device.put("accelerator_options", true);
        this.engine = engine;
        this.engineMissing = engineMissing;
        this.memory = memory;
        this.state = state;
        this.power = power;
        this.outputs = outputs;
        this.listener = listener;
    }

    /**
     * Serves one job.
     *
     * @return whether the host got a result
     * @throws IOException the host is gone
     */
    public boolean serve(InputStream fromHost, OutputStream toHost) throws IOException {
        try {
            say(
                    toHost,
                    new Hello(
                            Contract.PROTOCOL_VERSION,
                            agentVersion,
                            engine == null ? "" : engine.name(),
                            engine == null ? "" : engine.version(),
                            device));
            if (engine == null) {
                return end(toHost, new Failure("runtime_missing", engineMissing, ""));
            }
            Message answer = answer(fromHost, toHost);
            return answer != null && end(toHost, answer);
        } catch (UncheckedIOException gone) {
            throw gone.getCause();
        }
    }

    /** The trial's end, or null if the host left without a job. */
    private Message answer(InputStream fromHost, OutputStream toHost) throws IOException {
        Job job;
        try {
            byte[] line = new Lines(fromHost).next();
            if (line == null) {
                return null;
            }
            Message message = Contract.decode(line);
            if (!(message instanceof Job)) {
                throw new ContractException("expected a job, got " + message.type());
            }
            job = (Job) message;
            if (job.protocol != Contract.PROTOCOL_VERSION) {
                throw new ContractException(
                        "the host speaks protocol " + job.protocol + ", this agent "
                                + Contract.PROTOCOL_VERSION);
            }
        } catch (ContractException error) {
            return new Failure("bad_job", error.getMessage(), "");
        }
        listener.job(job);
        try {
            return run(job, toHost);
        } catch (AgentException error) {
            return new Failure(error.code, error.getMessage(), job.trial);
        } catch (OutOfMemoryError error) {
            return new Failure(
                    "out_of_memory", "the device has too little memory for this model", job.trial);
        } catch (UncheckedIOException gone) {
            throw gone;
        } catch (RuntimeException | LinkageError | AssertionError error) {
            // The last resort of a program that must answer.
            error.printStackTrace();
            return new Failure("internal", error.toString(), job.trial);
        }
    }

    private Result run(Job job, OutputStream toHost) throws AgentException {
        Progress progress =
                (name, done) -> {
                    listener.phase(name, done);
                    try {
                        say(toHost, new Event(job.trial, name, done));
                    } catch (IOException gone) {
                        throw new UncheckedIOException(gone);
                    }
                };
        Files.verify(job.model, job.modelSha256, "model_missing", "model_corrupt");
        String disturbed = state.disturbance();
        if (!disturbed.isEmpty()) {
            throw new AgentException("disturbed", disturbed);
        }
        if (job.cpus.length > 0) {
            Affinity.keepTo(job.cpus);
        } else if (!job.cluster.isEmpty()) {
            Affinity.keepTo(new CpuFrequencies(new File("/sys/devices/system/cpu")).biggest());
        }
        List<Metric> around = prefixed("before_", state.read());
        Result result;
        if (job.packing.isEmpty()) {
            result = measure(job, progress);
        } else {
            progress.phase("unpack", 0);
            try (Unpacked unpacked = Unpacked.from(job)) {
                result = measure(unpacked.job, progress).unpackedIn(unpacked.nanoseconds);
            }
        }
        // This thread ran the model; what follows may wake it on another CPU.
        Metric lastCpu = LastCpu.read(new File("/proc/thread-self/stat"));
        around.addAll(prefixed("after_", state.read()));
        around.add(lastCpu);
        disturbed = state.disturbance();
        if (!disturbed.isEmpty()
                && (job.kind.equals("latency") || job.kind.equals("energy"))) {
            // A time taken in the background is another quantity: those cores are slower. So is
            // the energy.
            throw new AgentException("disturbed", disturbed);
        }
        return result.with(
                around,
                conditions(),
                disturbed.isEmpty()
                        ? Collections.<String>emptyList()
                        : Collections.singletonList(disturbed));
    }

    private Result measure(Job job, Progress progress) throws AgentException {
        switch (job.kind) {
            case "latency":
                return Latency.measure(engine, state, job, progress);
            case "memory":
                return MemoryTrial.measure(engine, memory, job, progress);
            case "energy":
                return EnergyTrial.measure(engine, power, job, progress);
            default:
                return OutputsTrial.measure(engine, outputs, job, progress);
        }
    }

    private Map<String, Object> conditions() {
        Map<String, Object> conditions = new LinkedHashMap<>();
        List<Long> cpus = Affinity.read(new File("/proc/thread-self/status"));
        if (cpus != null) {
            conditions.put("cpus", cpus);
        }
        conditions.putAll(state.conditions());
        return conditions;
    }

    private static List<Metric> prefixed(String prefix, List<Metric> metrics) {
        List<Metric> prefixed = new ArrayList<>();
        for (Metric metric : metrics) {
            prefixed.add(metric.prefixed(prefix));
        }
        return prefixed;
    }

    private boolean end(OutputStream toHost, Message message) throws IOException {
        // The host first: it may end this process at any moment after it has its answer.
        say(toHost, message);
        listener.end(message);
        return message instanceof Result;
    }

    private static void say(OutputStream toHost, Message message) throws IOException {
        toHost.write(Contract.encode(message).getBytes(StandardCharsets.UTF_8));
        toHost.flush();
    }
}
