package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is read from the kernel's files, from folders laid out like its own. */
class SystemFilesTest {
    @TempDir Path folder;

    private void write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    private void cpu(int number, String related, int current, int limit, int hardware)
            throws IOException {
        String cpufreq = "cpu" + number + "/cpufreq/";
        write(cpufreq + "related_cpus", related + "\n");
        write(cpufreq + "scaling_cur_freq", current + "\n");
        write(cpufreq + "scaling_max_freq", limit + "\n");
        write(cpufreq + "cpuinfo_max_freq", hardware + "\n");
    }

    @Test
    void theLastCpuIsField39WhateverTheProgramIsCalled() throws IOException {
        StringBuilder stat = new StringBuilder("4711 (a (b) c) R");
        for (int field = 4; field <= 52; field++) {
            stat.append(' ').append(field == 39 ? 5 : 1000 + field);
        }
        write("stat", stat + "\n");
        assertEquals(5L, LastCpu.read(folder.resolve("stat").toFile()).value);
        write("short", "4711 (x) R 1 2\n");
        assertNull(LastCpu.read(folder.resolve("short").toFile()).value);
        assertNull(LastCpu.read(folder.resolve("gone").toFile()).value);
    }

    @Test
    void theBiggestCpusAreThoseOfTheHighestCapacity() throws Exception {
        for (int number = 0; number < 4; number++) {
            cpu(number, "" + number, 300_000, 1_800_000, number == 0 ? 3_000_000 : 1_800_000);
        }
        CpuFrequencies cpus = new CpuFrequencies(folder.toFile());
        assertArrayEquals(new long[] {0}, cpus.biggest());
        for (int number = 0; number < 4; number++) {
            write("cpu" + number + "/cpu_capacity", (number < 2 ? 325 : 1024) + "\n");
        }
        assertArrayEquals(new long[] {2, 3}, cpus.biggest());
        AgentException none =
                assertThrows(
                        AgentException.class,
                        () -> new CpuFrequencies(folder.resolve("none").toFile()).biggest());
        assertEquals("cpus_unavailable", none.code);
    }

    @Test
    void frequenciesAreReadOnceForEachCluster() throws IOException {
        cpu(0, "0 1", 300_000, 1_800_000, 1_800_000);
        cpu(1, "0 1", 300_000, 1_800_000, 1_800_000);
        cpu(2, "2", 500_000, 1_200_000, 2_800_000);
        write("cpufreq/ignored", "");
        List<Metric> metrics = new CpuFrequencies(folder.toFile()).read();
        assertEquals(6, metrics.size());
        assertEquals("cpu0_frequency_current", metrics.get(0).name);
        assertEquals(300_000_000L, metrics.get(0).value);
        assertEquals("cpu2_frequency_limit", metrics.get(4).name);
        assertEquals(1_200_000_000L, metrics.get(4).value);
        assertEquals("Hz", metrics.get(4).unit);
    }

    @Test
    void whatCannotBeReadIsUnavailableAndNotZero() throws IOException {
        write("cpu0/cpufreq/scaling_cur_freq", "<unknown>\n");
        List<Metric> metrics = new CpuFrequencies(folder.toFile()).read();
        assertEquals(3, metrics.size());
        for (Metric metric : metrics) {
            assertEquals("unavailable", metric.validity);
            assertFalse(metric.reason.isEmpty());
        }
        List<Metric> none = new CpuFrequencies(folder.resolve("gone").toFile()).read();
        assertEquals("the CPUs cannot be listed", none.get(0).reason);
    }

    @Test
    void memoryComesFromTheRollupOrIsAddedUp() throws IOException {
        write("status", "Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  800 kB\nRssAnon:\t 5 kB\n");
        write("smaps", "Pss:   1 kB\nSwapPss: 1 kB\nPss:   2 kB\nVmRSS: 7 kB\n");
        ProcMemory memory = new ProcMemory(folder.toFile());
        Map<String, Long> old = memory.read();
        assertEquals(3 * 1024L, old.get("Pss"));
        assertEquals(800 * 1024L, old.get("VmRSS"));
        assertFalse(old.containsKey("RssFile"));
        write("smaps_rollup", "00-ff ---p 00000000 00:00 0 [rollup]\nRss: 9 kB\nPss:   4 kB\n");
        assertEquals(4 * 1024L, memory.read().get("Pss"));
    }

    @Test
    void thePeakIsResetWhereThatIsAllowed() throws IOException {
        assertTrue(new ProcMemory(folder.toFile()).resetPeak());
        assertEquals("5", new String(Files.readAllBytes(folder.resolve("clear_refs"))));
        assertFalse(new ProcMemory(folder.resolve("gone").toFile()).resetPeak());
    }
}
