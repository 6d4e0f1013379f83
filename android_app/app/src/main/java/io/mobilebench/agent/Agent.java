package io.mobilebench.agent;

import android.content.Context;
import android.os.Build;
import android.os.SystemClock;
import io.mobilebench.core.BatteryMeter;
import io.mobilebench.core.Conversation;
import io.mobilebench.core.Engine;
import io.mobilebench.core.PowerMeter;
import io.mobilebench.core.PowerMeters;
import io.mobilebench.core.TwoEngines;
import io.mobilebench.core.Version;
import io.mobilebench.tflite.TfLiteEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/** The core with everything that Android gives it. */
final class Agent {
    private Agent() {}

    private static PowerMeters meters(Context context) {
        List<PowerMeter> meters = new ArrayList<>();
        if (Build.VERSION.SDK_INT >= 35) {
            meters.add(new RailMeter(context));
        }
        // The rails' numbers have times of this clock, which goes on while the phone sleeps.
        LongSupplier clock = SystemClock::elapsedRealtimeNanos;
        meters.add(new BatteryMeter(new AndroidGauge(context), clock, "BatteryManager"));
        return new PowerMeters(clock, meters);
    }

    /** Is built in with a runtime that has LiteRT's CompiledModel; null: this one has not. */
    private static Engine compiledModel() {
        try {
            return (Engine)
                    Class.forName("io.mobilebench.litert.CompiledModelEngine")
                            .getDeclaredConstructor()
                            .newInstance();
        } catch (ReflectiveOperationException | LinkageError absent) {
            return null;
        }
    }

    static Conversation conversation(
            Context context, Foreground foreground, Conversation.Listener listener) {
        Engine engine = null;
        String missing = "";
        try {
            // Android empties it when the app is updated, as a delegate's programs may not fit then.
            engine =
                    new TfLiteEngine(
                            context.getString(R.string.runtime_name),
                            context.getCodeCacheDir(),
                            new RuntimeLog());
            Engine accelerated = compiledModel();
            if (accelerated != null) {
                engine = new TwoEngines(engine, accelerated, "gpu", "npu");
            }
        } catch (LinkageError | RuntimeException error) {
            missing = "the runtime cannot be loaded on this device: " + error.getMessage();
        }
        PowerMeters power = meters(context);
        Map<String, Object> facts = AndroidDevice.facts(context);
        facts.put("power", String.join(", ", power.names()));
        return new Conversation(
                Version.AGENT,
                facts,
                engine,
                missing,
                new AndroidMemory(),
                new AndroidState(context, foreground),
                power,
                OutputsFolder.emptied(context),
                listener);
    }
}
