package io.mobilebench.agent;

import android.content.Context;
import io.mobilebench.core.Conversation;
import io.mobilebench.core.Engine;
import io.mobilebench.core.Version;
import io.mobilebench.tflite.TfLiteEngine;

/** The core with everything that Android gives it. */
final class Agent {
    private Agent() {}

    static Conversation conversation(
            Context context, Foreground foreground, Conversation.Listener listener) {
        Engine engine = null;
        String missing = "";
        try {
            engine = new TfLiteEngine(context.getString(R.string.runtime_name), new RuntimeLog());
        } catch (LinkageError | RuntimeException error) {
            missing = "the runtime cannot be loaded on this device: " + error.getMessage();
        }
        return new Conversation(
                Version.AGENT,
                AndroidDevice.facts(context),
                engine,
                missing,
                new AndroidMemory(),
                new AndroidState(context, foreground),
                listener);
    }
}
