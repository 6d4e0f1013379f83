package io.mobilebench.core;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** The CPU that a thread ran on last: field 39 of its {@code stat} (proc(5)). */
final class LastCpu {
    private static final String NAME = "last_cpu";
    /** The third field follows the program's name, which may have blanks and brackets itself. */
    private static final int FIELD = 39 - 3;

    private LastCpu() {}

    static Metric read(File stat) {
        String line;
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(stat), StandardCharsets.UTF_8))) {
            line = String.valueOf(reader.readLine());
        } catch (IOException denied) {
            return Metric.unavailable(NAME, "1", stat.getPath(), "the file cannot be read");
        }
        String[] fields = line.substring(line.lastIndexOf(')') + 1).trim().split(" ");
        try {
            long cpu = Integer.parseInt(fields[FIELD]);
            if (cpu >= 0) {
                return Metric.of(NAME, "1", stat.getPath(), cpu, 1, 1);
            }
        } catch (ArrayIndexOutOfBoundsException | NumberFormatException unknown) {
            // Said below.
        }
        return Metric.unavailable(NAME, "1", stat.getPath(), "it has no field 39");
    }
}
