package io.mobilebench.agent;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.os.BatteryManager;
import android.os.PowerManager;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ScrollView;
import android.widget.TextView;
import io.mobilebench.core.Contract;
import io.mobilebench.core.Failure;
import io.mobilebench.core.Job;
import io.mobilebench.core.Message;
import java.io.File;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.GraphicsMode;

/** The screen as Android itself draws it, with its own fonts, into a picture file a state. */
@RunWith(RobolectricTestRunner.class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class ScreenPictureTest {
    private static final File FOLDER = new File(System.getProperty("pictures"));
    private static final String DAY = "w384dp-h832dp-notnight-xhdpi";

    private static final List<String> RESULTS =
            List.of(
                    new Finding("mobilenet_v2 · int8", "Latency · median of 50", "3.04 ms", false)
                            .line(),
                    new Finding("mobilenet_v2 · float32", "Latency · median of 50", "6.18 ms", false)
                            .line(),
                    new Finding("mobilenet_v2 · int8", "Memory · PSS beyond the empty runtime",
                                    "5.9 MB", false)
                            .line(),
                    new Finding("mobilenet_v2 · float32",
                                    "Latency · the app left the front during the trial: leave the "
                                            + "phone alone", "failed", true)
                            .line());

    private BenchmarkActivity activity;
    private Screen screen;

    private void open(String qualifiers, float fontScale, int thermalStatus) {
        RuntimeEnvironment.setQualifiers(qualifiers);
        RuntimeEnvironment.setFontScale(fontScale);
        Shadows.shadowOf(
                        RuntimeEnvironment.getApplication().getSystemService(PowerManager.class))
                .setCurrentThermalStatus(thermalStatus);
        RuntimeEnvironment.getApplication()
                .sendStickyBroadcast(
                        new Intent(Intent.ACTION_BATTERY_CHANGED)
                                .putExtra(BatteryManager.EXTRA_TEMPERATURE, 312));
        activity = Robolectric.buildActivity(BenchmarkActivity.class, new Intent()).setup().get();
        screen = new Screen(activity);
        screen.showResults(RESULTS);
    }

    private static Job job(String model, String recipe) throws Exception {
        return (Job)
                Contract.decode(
                        "{\"type\":\"job\",\"protocol\":2,\"trial\":\"r.d.00003\",\"kind\":\"latency\","
                                + "\"model\":\"m\",\"model_sha256\":\"0f3a\",\"threads\":4,"
                                + "\"shown_model\":\"" + model + "\",\"shown_recipe\":\"" + recipe
                                + "\",\"shown_trial\":12,\"shown_trials\":40}");
    }

    private static Message result() throws Exception {
        return Contract.decode(
                "{\"type\":\"result\",\"trial\":\"r.d.00003\",\"kind\":\"latency\","
                        + "\"samples_ns\":[3042000,3051000,2998000]}");
    }

    /** Draws what is on the screen, sees that all of it can be read, and keeps the picture. */
    private Bitmap draw(String name) throws Exception {
        Shadows.shadowOf(activity.getMainLooper()).idle();
        View root = activity.getWindow().getDecorView();
        assertTrue(root.getWidth() > 0 && root.getHeight() > root.getWidth());
        for (TextView text : texts(root)) {
            int room = text.getWidth() - text.getTotalPaddingLeft() - text.getTotalPaddingRight();
            for (int line = 0; line < text.getLineCount(); line++) {
                assertEquals(text.getText().toString(), 0, text.getLayout().getEllipsisCount(line));
                assertTrue(text.getText().toString(), text.getLayout().getLineMax(line) <= room);
            }
            int height = text.getHeight() - text.getTotalPaddingTop() - text.getTotalPaddingBottom();
            assertTrue(text.getText().toString(), text.getLayout().getHeight() <= height);
        }
        Bitmap bitmap =
                Bitmap.createBitmap(root.getWidth(), root.getHeight(), Bitmap.Config.ARGB_8888);
        root.draw(new Canvas(bitmap));
        try (OutputStream file = new FileOutputStream(new File(FOLDER, name + ".png"))) {
            assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, file));
        }
        return bitmap;
    }

    private int ground() {
        int id =
                activity.getResources()
                        .getIdentifier("ground", "color", activity.getPackageName());
        return activity.getColor(id);
    }

    /** What is visible and says something. */
    private static List<TextView> texts(View view) {
        List<TextView> found = new ArrayList<>();
        if (view.getVisibility() != View.VISIBLE) {
            return Collections.emptyList();
        }
        if (view instanceof TextView && ((TextView) view).length() > 0) {
            found.add((TextView) view);
        }
        for (int index = 0;
                view instanceof ViewGroup && index < ((ViewGroup) view).getChildCount();
                index++) {
            found.addAll(texts(((ViewGroup) view).getChildAt(index)));
        }
        return found;
    }

    @Test
    public void aTrialByDay() throws Exception {
        open(DAY, 1, 0);
        screen.showJob(job("mobilenet_v2", "int8"));
        Bitmap picture = draw("measuring");
        assertEquals(ground(), picture.getPixel(4, picture.getHeight() / 2));
    }

    @Test
    public void aResultByNight() throws Exception {
        open("w384dp-h832dp-night-xhdpi", 1, 1);
        screen.showJob(job("mobilenet_v2", "int8"));
        screen.showEnd(Summary.of(activity, job("mobilenet_v2", "int8"), result()));
        Bitmap picture = draw("result");
        assertEquals(ground(), picture.getPixel(4, picture.getHeight() / 2));
        assertEquals(0xFF101413, ground());
    }

    @Test
    public void nothingRanYet() throws Exception {
        open(DAY, 1, 0);
        screen.showResults(Collections.emptyList());
        screen.showIdle();
        draw("ready");
    }

    @Test
    public void longNamesInLargeTypeOnASmallPhone() throws Exception {
        open("w320dp-h640dp-notnight-hdpi", 2, 4);
        Job job = job("efficientnet_lite0_of_the_new_team", "prune 0.5, distil, int8");
        screen.showJob(job);
        screen.showEnd(
                Summary.of(
                        activity,
                        job,
                        new Failure(
                                "model_unsupported",
                                "the runtime has no kernel for FULLY_CONNECTED version 14",
                                "r.d.00003")));
        draw("failed");
        // What does not fit can be scrolled to.
        View content = activity.findViewById(android.R.id.content);
        ScrollView scroll = (ScrollView) ((ViewGroup) content).getChildAt(0);
        assertTrue(scroll.canScrollVertically(1));
    }
}
