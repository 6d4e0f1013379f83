package io.mobilebench.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** A battery's gauge as a power meter. What its numbers mean is for the host to find out. */
public final class BatteryMeter implements PowerMeter {
    private static final String NAME = "battery";

    private final LongSupplier clock;
    private final Map<PowerCounter, Supplier<Long>> counters = new LinkedHashMap<>();
    private final List<String> missing = new ArrayList<>();

    /**
     * @param clock of {@link PowerMeters}
     * @param where what the gauge's numbers are asked of, such as {@code BatteryManager}
     */
    public BatteryMeter(BatteryGauge gauge, LongSupplier clock, String where) {
        this.clock = clock;
        add("energy_left", "nWh", where + " ENERGY_COUNTER", gauge::energy);
        add("current", "µA", where + " CURRENT_NOW", gauge::current);
        add("voltage", "mV", where + " voltage", gauge::voltage);
        add("charge", "µAh", where + " CHARGE_COUNTER", gauge::charge);
        add("plugged", "1", where + " plugged", gauge::plugged);
    }

    private void add(String quantity, String unit, String source, Supplier<Long> number) {
        PowerCounter counter =
                new PowerCounter(NAME, quantity, unit, source, 1, null, false);
        if (number.get() == null) {
            missing.add(source + ": this device does not report it");
        } else {
            counters.put(counter, number);
        }
    }

    @Override
    public List<PowerCounter> counters() {
        return new ArrayList<>(counters.keySet());
    }

    @Override
    public List<String> missing() {
        return Collections.unmodifiableList(missing);
    }

    @Override
    public void read(boolean momentsOnly, Readings readings) {
        for (Map.Entry<PowerCounter, Supplier<Long>> entry : counters.entrySet()) {
            if (momentsOnly && !entry.getKey().isMomentary()) {
                continue;
            }
            long before = clock.getAsLong();
            Long value = entry.getValue().get();
            if (value == null) {
                readings.lost(entry.getKey(), "it does not report it any more");
            } else {
                readings.put(entry.getKey(), before + (clock.getAsLong() - before) / 2, value);
            }
        }
    }
}
