package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.LongSupplier;

/** Everything on a device that can tell power or energy, and the clock of its readings. */
public final class PowerMeters {
    private final LongSupplier clock;
    private final List<PowerMeter> meters;

    /** @param clock nanoseconds that never go back; the one that the counters' own times are of */
    public PowerMeters(LongSupplier clock, List<PowerMeter> meters) {
        this.clock = clock;
        this.meters = meters;
    }

    long now() {
        return clock.getAsLong();
    }

    List<PowerCounter> counters() {
        List<PowerCounter> counters = new ArrayList<>();
        for (PowerMeter meter : meters) {
            counters.addAll(meter.counters());
        }
        return counters;
    }

    List<String> missing() {
        List<String> missing = new ArrayList<>();
        for (PowerMeter meter : meters) {
            missing.addAll(meter.missing());
        }
        return missing;
    }

    /** The names of what energy can be computed from, for people; a plug alone is no such thing. */
    public List<String> names() {
        TreeSet<String> names = new TreeSet<>();
        for (PowerCounter counter : counters()) {
            if (!counter.quantity.equals("plugged")) {
                names.add(counter.name);
            }
        }
        return new ArrayList<>(names);
    }

    /** Why no window needs to be run, because nothing here could tell; empty if something could. */
    String refusal() {
        String absent = missing().isEmpty() ? "" : ": " + String.join("; ", missing());
        if (names().isEmpty()) {
            return "this device has no power counter that can be read" + absent;
        }
        for (PowerCounter counter : counters()) {
            if (counter.downstream) {
                return "";
            }
        }
        Recorder recorder = new Recorder();
        recorder.read(false);
        for (PowerSeries series : recorder.series()) {
            if (series.counter.quantity.equals("plugged")
                    && series.values.length > 0
                    && series.values[0] != 0) {
                return String.join(", ", names())
                        + " cannot tell while the device is on external power ("
                        + series.counter.source + " " + series.values[0]
                        + "): pull the cable, and measure with --unplugged" + absent;
            }
        }
        return "";
    }

    /** Readings of all counters; one that fails once is out, and {@link #lost} says why. */
    final class Recorder implements PowerMeter.Readings {
        private final Map<PowerCounter, Numbers> times = new LinkedHashMap<>();
        private final Map<PowerCounter, Numbers> values = new LinkedHashMap<>();
        final Map<String, String> lost = new LinkedHashMap<>();

        Recorder() {
            for (PowerCounter counter : counters()) {
                times.put(counter, new Numbers());
                values.put(counter, new Numbers());
            }
        }

        synchronized void read(boolean momentsOnly) {
            for (PowerMeter meter : meters) {
                meter.read(momentsOnly, this);
            }
        }

        @Override
        public void put(PowerCounter counter, long timeNs, long value) {
            Numbers of = times.get(counter);
            // A cache that answers with an earlier time has nothing new to say.
            if (of.count == 0 || of.items[of.count - 1] <= timeNs) {
                of.add(timeNs);
                values.get(counter).add(value);
            }
        }

        @Override
        public void lost(PowerCounter counter, String why) {
            lost.put(counter.name, counter.name + ": " + counter.source + ": " + why);
        }

        synchronized List<PowerSeries> series() {
            List<PowerSeries> series = new ArrayList<>();
            for (PowerCounter counter : times.keySet()) {
                if (!lost.containsKey(counter.name)) {
                    series.add(
                            new PowerSeries(
                                    counter, times.get(counter).all(), values.get(counter).all()));
                }
            }
            return series;
        }
    }

    /** Whole numbers, with room for most trials, so that recording rarely makes garbage. */
    private static final class Numbers {
        private static final int ROOM = 1024;

        long[] items = new long[ROOM];
        int count;

        void add(long item) {
            if (count == items.length) {
                items = Arrays.copyOf(items, 2 * count);
            }
            items[count++] = item;
        }

        long[] all() {
            return Arrays.copyOf(items, count);
        }
    }
}
