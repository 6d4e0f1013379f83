package io.mobilebench.litert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.ai.edge.litert.Accelerator;
import com.google.ai.edge.litert.CompiledModel;
import io.mobilebench.core.AgentException;
import io.mobilebench.core.Contract;
import io.mobilebench.core.Job;
import io.mobilebench.core.LoadedModel;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.Collections;
import org.junit.jupiter.api.Test;

/** Against stubs of LiteRT's signatures: nothing here has run in LiteRT. */
final class CompiledModelEngineTest {
    private static LoadedModel load(String model, String accelerator, String more)
            throws Exception {
        File file = new File(System.getProperty("models"), model + ".tflite");
        Job job =
                (Job)
                        Contract.decode(
                                "{\"type\":\"job\",\"protocol\":2,\"trial\":\"t\","
                                        + "\"kind\":\"latency\",\"model_sha256\":\"abc\",\"model\":\""
                                        + file + "\",\"accelerator\":\"" + accelerator + "\"" + more
                                        + "}");
        return new CompiledModelEngine().load(job);
    }

    private static String refused(String model, String accelerator, String more) {
        AgentException error =
                assertThrows(AgentException.class, () -> load(model, accelerator, more));
        return error.code + ": " + error.getMessage();
    }

    @Test
    void aModelRunsOnTheGpuAlone() throws Exception {
        try (LoadedModel model = load("small", "gpu", ",\"precision\":\"float32\"")) {
            assertEquals(
                    Collections.singletonList(Accelerator.GPU), CompiledModel.asked.accelerators);
            assertEquals(
                    CompiledModel.GpuOptions.Precision.FP32, CompiledModel.asked.gpu.precision);
            ByteBuffer input = model.input(0);
            for (int index = 0; index < model.inputs().get(0).elements(); index++) {
                input.putFloat(4 * index, index);
            }
            assertTrue(model.invoke() >= 0);
            ByteBuffer output = model.output(0);
            assertEquals(model.outputs().get(0).byteCount(), output.remaining());
            assertEquals(3f, output.getFloat(12));
            assertTrue(model.delegation().reported.isEmpty());
        }
    }

    @Test
    void integersGoInAndOutAsTheyAre() throws Exception {
        try (LoadedModel model = load("small_int8", "gpu", "")) {
            model.input(0).put(2, (byte) -7);
            model.invoke();
            assertEquals(-7, model.output(0).get(2));
            assertTrue(model.inputs().get(0).scale > 0);
        }
    }

    @Test
    void whatIsNotThereIsSaidInASentence() {
        assertTrue(refused("small", "npu", "").contains("npu cannot run this model"));
        assertTrue(refused("small", "nnapi", "").startsWith("accelerator_unavailable"));
        assertTrue(refused("small", "gpu", ",\"serialization\":true").contains("serializes nothing"));
        assertTrue(refused("small", "npu", ",\"precision\":\"float16\"").contains("gpu alone"));
        assertTrue(refused("varying", "gpu", "").contains("one input and one output"));
    }
}
