package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class EnergyTrialTest {
    private final FakeModel model = new FakeModel(1000);
    private final Gauge gauge = new Gauge();

    /** A battery that says what a test wants. */
    private static final class Gauge implements BatteryGauge {
        Long current = -250_000L;
        Long energy;
        Long plugged = 0L;

        @Override
        public Long current() {
            return current;
        }

        @Override
        public Long charge() {
            return 3_000_000L;
        }

        @Override
        public Long energy() {
            return energy;
        }

        @Override
        public Long voltage() {
            return 4000L;
        }

        @Override
        public Long plugged() {
            return plugged;
        }
    }

    private Result measure(long seed, PowerMeter... meters) throws Exception {
        String line =
                "{\"type\":\"job\",\"protocol\":1,\"trial\":\"t\",\"kind\":\"energy\",\"model\":\"m\","
                        + "\"model_sha256\":\"0\",\"warmup_seconds\":0,\"window_seconds\":0.004,"
                        + "\"seed\":" + seed + "}";
        PowerMeters power = new PowerMeters(System::nanoTime, Arrays.asList(meters));
        Job job = (Job) Contract.decode(line);
        return EnergyTrial.measure(model, power, job, (name, done) -> {});
    }

    private BatteryMeter battery() {
        return new BatteryMeter(gauge, System::nanoTime, "test");
    }

    @Test
    void windowsComeInPairsWhoseOrderIsDrawn() throws Exception {
        StringBuilder order = new StringBuilder();
        Result result = measure(1, battery());
        assertEquals(20, result.windows.size());
        long last = 0;
        for (int index = 0; index < 20; index += 2) {
            Window first = result.windows.get(index);
            Window second = result.windows.get(index + 1);
            assertTrue(first.load != second.load);
            assertTrue(first.startNs >= last && first.endNs <= second.startNs);
            assertTrue((first.load ? first : second).inferences > 0);
            last = second.endNs;
            order.append(first.load);
        }
        assertTrue(order.toString().contains("true") && order.toString().contains("false"));
        assertTrue(model.closed);
    }

    @Test
    void countersAreReadAtBothEndsAndMomentsWithin() throws Exception {
        Result result = measure(1, battery());
        List<String> quantities = new ArrayList<>();
        for (PowerSeries series : result.power) {
            quantities.add(series.counter.quantity);
            boolean moment = series.counter.isMomentary();
            assertTrue(moment ? series.values.length > 40 : series.values.length == 40);
            assertFalse(series.counter.downstream);
        }
        assertEquals(Arrays.asList("current", "voltage", "charge", "plugged"), quantities);
        assertTrue(result.warnings.toString().contains("ENERGY_COUNTER: this device does not report it"));
    }

    @Test
    void aPluggedPhoneRunsNoWindow() throws Exception {
        gauge.plugged = 2L;
        Result result = measure(1, battery());
        assertTrue(result.windows.isEmpty());
        assertEquals(0, model.runs);
        assertTrue(result.metrics.get(0).reason.contains("--unplugged"));
    }

    @Test
    void aRailBehindTheBatteryDoesNotMindThePlug() throws Exception {
        gauge.plugged = 2L;
        Result result = measure(1, battery(), new Rail());
        assertEquals(20, result.windows.size());
    }

    @Test
    void aPhoneWithoutCountersSaysSo() throws Exception {
        Result result = measure(1);
        assertTrue(result.metrics.get(0).reason.startsWith("this device has no power counter"));
    }

    @Test
    void aCounterThatFailsOnceIsOut() throws Exception {
        BatteryMeter battery = battery();
        gauge.current = null;
        Result result = measure(1, battery, new Rail());
        assertEquals(1, result.power.size());
        assertTrue(result.warnings.get(1).contains("it does not report it any more"));
    }

    /** A counter that goes up by one each time. */
    private static final class Rail implements PowerMeter {
        private final PowerCounter counter =
                new PowerCounter("rail", "energy", "uWs", "test", 1, null, true);
        private long energy;

        @Override
        public List<PowerCounter> counters() {
            return Collections.singletonList(counter);
        }

        @Override
        public List<String> missing() {
            return Collections.emptyList();
        }

        @Override
        public void read(boolean momentsOnly, Readings readings) {
            if (!momentsOnly) {
                readings.put(counter, System.nanoTime(), ++energy);
            }
        }
    }
}
