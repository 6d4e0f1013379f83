package io.mobilebench.agent;

import android.os.Debug;
import io.mobilebench.core.Metric;
import io.mobilebench.core.ProcMemory;
import java.io.File;
import java.util.Arrays;
import java.util.List;

/**
 * The kernel's numbers, and beside them what {@link Debug.MemoryInfo} counts on top: graphics
 * memory, which a GPU delegate uses and no smaps shows.
 */
final class AndroidMemory extends ProcMemory {
    private static final int KILOBYTE = 1024;

    AndroidMemory() {
        super(new File("/proc/self"));
    }

    @Override
    public Object mark() {
        Debug.MemoryInfo info = new Debug.MemoryInfo();
        Debug.getMemoryInfo(info);
        return info;
    }

    @Override
    public List<Metric> growth(Object before) {
        Debug.MemoryInfo earlier = (Debug.MemoryInfo) before;
        Debug.MemoryInfo now = (Debug.MemoryInfo) mark();
        return Arrays.asList(
                metric("memory_total_pss", "total PSS", earlier.getTotalPss(), now.getTotalPss()),
                stat("memory_graphics", "summary.graphics", earlier, now));
    }

    private static Metric stat(
            String name, String stat, Debug.MemoryInfo earlier, Debug.MemoryInfo now) {
        try {
            return metric(
                    name,
                    stat,
                    Integer.parseInt(earlier.getMemoryStat(stat)),
                    Integer.parseInt(now.getMemoryStat(stat)));
        } catch (NumberFormatException error) {
            return Metric.unavailable(
                    name, "B", "Debug.MemoryInfo " + stat, "this system does not report it");
        }
    }

    private static Metric metric(String name, String stat, int earlier, int now) {
        long grown = Math.max(0L, (long) now - earlier) * KILOBYTE;
        return Metric.of(
                name, "B", "Debug.MemoryInfo " + stat + ", less the empty runtime", grown,
                KILOBYTE, 1);
    }
}
