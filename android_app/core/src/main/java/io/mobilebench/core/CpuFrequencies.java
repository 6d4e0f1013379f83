package io.mobilebench.core;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The clock of each CPU cluster, from the kernel's cpufreq files (kHz).
 *
 * <p>A limit below the hardware's own is a cap: of heat, of power saving, or of somebody.
 */
public final class CpuFrequencies {
    private static final String[][] FILES = {
        {"scaling_cur_freq", "current"},
        {"scaling_max_freq", "limit"},
        {"cpuinfo_max_freq", "hardware_limit"},
    };

    private final File cpus;

    /** @param cpus {@code /sys/devices/system/cpu}, or a folder like it */
    public CpuFrequencies(File cpus) {
        this.cpus = cpus;
    }

    /** Three frequencies in Hz for each cluster, named by its first CPU. */
    public List<Metric> read() {
        return read(FILES.length);
    }

    /** The current frequency of each cluster alone. */
    public List<Metric> current() {
        return read(1);
    }

    /** The governor of each cluster that reports it, by the name of its first CPU. */
    public Map<String, Object> governors() {
        Map<String, Object> governors = new LinkedHashMap<>();
        for (int cpu : clusters()) {
            String governor = firstLine(new File(folder(cpu), "scaling_governor"));
            if (governor != null && !governor.isEmpty()) {
                governors.put("cpu" + cpu, governor);
            }
        }
        return governors;
    }

    /**
     * The CPUs of the highest capacity, as the kernel's scheduler counts it; else of the clock.
     *
     * @throws AgentException {@code cpus_unavailable}: the device reports neither of every CPU
     */
    public long[] biggest() throws AgentException {
        for (String name : new String[] {"cpu_capacity", "cpufreq/cpuinfo_max_freq"}) {
            long[] found = biggest(name);
            if (found.length > 0) {
                return found;
            }
        }
        throw new AgentException(
                "cpus_unavailable",
                "this device reports neither capacity nor highest clock of its CPUs: name them "
                        + "instead");
    }

    private long[] biggest(String name) {
        long largest = 0;
        List<Integer> found = new ArrayList<>();
        for (int cpu : numbers()) {
            String text = firstLine(new File(cpus, "cpu" + cpu + "/" + name));
            if (text == null || !text.matches("[0-9]{1,12}")) {
                return new long[0];
            }
            long size = Long.parseLong(text);
            if (size > largest) {
                found.clear();
                largest = size;
            }
            if (size == largest) {
                found.add(cpu);
            }
        }
        return found.stream().mapToLong(Integer::longValue).toArray();
    }

    private List<Metric> read(int files) {
        List<Metric> metrics = new ArrayList<>();
        for (int cpu : clusters()) {
            for (String[] file : Arrays.asList(FILES).subList(0, files)) {
                metrics.add(metric(cpu, new File(folder(cpu), file[0]), file[1]));
            }
        }
        if (metrics.isEmpty()) {
            metrics.add(
                    Metric.unavailable(
                            "cpu_frequency", "Hz", cpus.getPath(),
                            "the CPUs cannot be listed"));
        }
        return metrics;
    }

    private File folder(int cpu) {
        return new File(cpus, "cpu" + cpu + "/cpufreq");
    }

    /** The first CPU of each cluster: those of one share their clock and name each other. */
    private List<Integer> clusters() {
        List<Integer> clusters = new ArrayList<>();
        String earlier = "";
        for (int cpu : numbers()) {
            String related = firstLine(new File(folder(cpu), "related_cpus"));
            if (related == null || !related.equals(earlier)) {
                clusters.add(cpu);
            }
            earlier = related == null ? "" : related;
        }
        return clusters;
    }

    private List<Integer> numbers() {
        List<Integer> numbers = new ArrayList<>();
        String[] names = cpus.list();
        for (String name : names == null ? new String[0] : names) {
            if (name.matches("cpu[0-9]{1,4}")) {
                numbers.add(Integer.valueOf(name.substring(3)));
            }
        }
        if (names == null) {
            // The folder may not be listed but its files read: ask for the first CPU at least.
            for (int cpu = 0; new File(cpus, "cpu" + cpu).exists(); cpu++) {
                numbers.add(cpu);
            }
        }
        Collections.sort(numbers);
        return numbers;
    }

    private Metric metric(int cpu, File file, String what) {
        String name = "cpu" + cpu + "_frequency_" + what;
        String text = firstLine(file);
        if (text == null) {
            return Metric.unavailable(name, "Hz", file.getPath(), "the file cannot be read");
        }
        try {
            long hertz = Math.multiplyExact(Long.parseLong(text), 1000);
            return Metric.of(name, "Hz", file.getPath(), hertz, 1000, 1);
        } catch (ArithmeticException | NumberFormatException error) {
            return Metric.unavailable(name, "Hz", file.getPath(), "it says '" + text + "'");
        }
    }

    private static String firstLine(File file) {
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(file), StandardCharsets.UTF_8))) {
            String line = reader.readLine();
            return line == null ? null : line.trim();
        } catch (IOException denied) {
            return null;
        }
    }
}
