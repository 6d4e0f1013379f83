package io.mobilebench.core;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The CPUs that this process may run on.
 *
 * <p>Java has no call for it. The system's own {@code taskset} does it, as a process may set the
 * affinity of another of its own user; what the kernel then says counts, and nothing else.
 */
final class Affinity {
    private static final String ALLOWED = "Cpus_allowed_list:";

    private Affinity() {}

    /**
     * Keeps every thread of this process, and those to come, to some CPUs.
     *
     * @throws AgentException {@code cpus_unavailable}: the system does not let it
     */
    static void keepTo(long[] cpus) throws AgentException {
        BigInteger mask = BigInteger.ZERO;
        List<Long> wanted = new ArrayList<>();
        for (long cpu : cpus) {
            if (cpu > 4095) {
                throw new AgentException("cpus_unavailable", "there is no CPU " + cpu);
            }
            mask = mask.setBit((int) cpu);
            wanted.add(cpu);
        }
        String said = taskset(mask.toString(16));
        // Toybox and util-linux differ in what they print; the kernel is asked instead.
        List<Long> found = read(new File("/proc/thread-self/status"));
        wanted.sort(null);
        if (!wanted.equals(found)) {
            String reason = said.isEmpty() ? "" : ": " + said;
            throw new AgentException(
                    "cpus_unavailable",
                    "the process cannot be kept to the CPUs " + wanted + ", it has " + found
                            + reason);
        }
    }

    /** The CPUs that the calling thread may run on, by the kernel's words; null if unknown. */
    static List<Long> read(File status) {
        try (BufferedReader reader = reader(new FileInputStream(status))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (line.startsWith(ALLOWED)) {
                    return list(line.substring(ALLOWED.length()).trim());
                }
            }
        } catch (IOException | NumberFormatException unknown) {
            return null;
        }
        return null;
    }

    /** {@code 0-3,6} as numbers (cpuset(7), list format). */
    private static List<Long> list(String text) {
        List<Long> cpus = new ArrayList<>();
        for (String range : text.split(",")) {
            String[] ends = range.split("-", 2);
            long last = Integer.parseInt(ends[ends.length - 1]);
            for (long cpu = Integer.parseInt(ends[0]); cpu <= last && cpus.size() < 4096; cpu++) {
                cpus.add(cpu);
            }
        }
        return cpus;
    }

    /** What taskset had to say where it failed, or nothing. */
    private static String taskset(String mask) {
        try {
            String pid = new File("/proc/self").getCanonicalFile().getName();
            Process process =
                    new ProcessBuilder(Arrays.asList("taskset", "-ap", mask, pid))
                            .redirectErrorStream(true)
                            .start();
            process.getOutputStream().close();
            String last = "";
            try (BufferedReader reader = reader(process.getInputStream())) {
                for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                    last = line;
                }
            }
            return process.waitFor() == 0 ? "" : last;
        } catch (IOException error) {
            return String.valueOf(error.getMessage());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return "interrupted";
        }
    }

    private static BufferedReader reader(InputStream stream) {
        return new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8));
    }
}
