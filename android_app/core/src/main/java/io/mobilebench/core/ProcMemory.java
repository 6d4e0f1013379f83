package io.mobilebench.core;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The memory of a Linux process, from {@code /proc/PID} (proc(5)). */
public class ProcMemory implements Memory {
    private static final Pattern FIELD = Pattern.compile("(\\w+):\\s+(\\d+) kB");

    private final File process;

    /** @param process {@code /proc/self}, or a folder with such files */
    public ProcMemory(File process) {
        this.process = process;
    }

    /** Writes 5 to clear_refs: proc(5). */
    @Override
    public boolean resetPeak() {
        try (FileOutputStream file = new FileOutputStream(new File(process, "clear_refs"))) {
            file.write('5');
            return true;
        } catch (IOException denied) {
            return false;
        }
    }

    @Override
    public Map<String, Long> read() {
        Map<String, Long> fields = new HashMap<>();
        read("status", fields);
        if (read("smaps_rollup", fields)) {
            return fields;
        }
        // Kernels before 4.14 have no rollup: the same fields, one set a mapping, are added up.
        Map<String, Long> summed = new HashMap<>();
        read("smaps", summed);
        summed.keySet().retainAll(Arrays.asList("Pss", "SwapPss"));
        fields.putAll(summed);
        return fields;
    }

    @Override
    public Object mark() {
        return null;
    }

    @Override
    public List<Metric> growth(Object before) {
        return Collections.emptyList();
    }

    private boolean read(String name, Map<String, Long> fields) {
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(new File(process, name)),
                                StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                Matcher match = FIELD.matcher(line);
                if (match.matches()) {
                    long bytes = Long.parseLong(match.group(2)) * 1024;
                    Long earlier = fields.get(match.group(1));
                    fields.put(match.group(1), earlier == null ? bytes : earlier + bytes);
                }
            }
            return true;
        } catch (IOException absent) {
            return false;
        }
    }
}
