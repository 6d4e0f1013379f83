package io.mobilebench.core;

import java.util.List;
import java.util.Map;

/** The memory of this process, as the system reports it. */
public interface Memory {
    /** Sets the peak back to the present size, where that is allowed; says whether it was. */
    boolean resetPeak();

    /**
     * Bytes under the kernel's names: {@code Pss} and {@code SwapPss} of smaps_rollup,
     * {@code VmRSS}, {@code RssAnon}, {@code RssFile} and {@code VmHWM} of status. What this
     * kernel does not report is left out.
     */
    Map<String, Long> read();

    /** What the platform adds to the kernel's numbers, less the same at {@code before}. */
    List<Metric> growth(Object before);

    /** What {@link #growth} needs to know of the empty runtime; may be null. */
    Object mark();
}
