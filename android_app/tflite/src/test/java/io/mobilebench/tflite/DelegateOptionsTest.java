package io.mobilebench.tflite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.Contract;
import io.mobilebench.core.Job;
import java.io.File;
import org.junit.jupiter.api.Test;
import org.tensorflow.lite.gpu.GpuDelegateFactory;
import org.tensorflow.lite.nnapi.NnApiDelegate;

final class DelegateOptionsTest {
    private static final File KEPT = new File("/kept");

    private static Job job(String accelerator, String more) throws Exception {
        return (Job)
                Contract.decode(
                        "{\"type\":\"job\",\"protocol\":2,\"trial\":\"t\",\"kind\":\"latency\","
                                + "\"model\":\"m\",\"model_sha256\":\"abc\",\"accelerator\":\""
                                + accelerator + "\"" + more + "}");
    }

    @Test
    void theGpuIsGivenWhatAJobAsksFor() throws Exception {
        Job job =
                job("gpu", ",\"precision\":\"float32\",\"preference\":\"sustained\","
                        + "\"serialization\":true");
        GpuDelegateFactory.Options options =
                (GpuDelegateFactory.Options) DelegateOptions.gpu(job, KEPT);
        assertFalse(options.isPrecisionLossAllowed());
        assertEquals(
                GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED,
                options.getInferencePreference());
        assertEquals("/kept", options.getSerializationDir());
        assertEquals("abc", options.getModelToken());
    }

    @Test
    void whatAJobLeavesOpenIsTheGpusOwnChoice() throws Exception {
        GpuDelegateFactory.Options own = new GpuDelegateFactory.Options();
        GpuDelegateFactory.Options options =
                (GpuDelegateFactory.Options) DelegateOptions.gpu(job("gpu", ""), KEPT);
        assertEquals(own.isPrecisionLossAllowed(), options.isPrecisionLossAllowed());
        assertEquals(own.getInferencePreference(), options.getInferencePreference());
        assertNull(options.getSerializationDir());
    }

    @Test
    void nnapiIsGivenWhatAJobAsksFor() throws Exception {
        Job job =
                job("nnapi", ",\"precision\":\"float16\",\"preference\":\"fast\","
                        + "\"serialization\":true");
        NnApiDelegate.Options options = DelegateOptions.nnapi(job, KEPT);
        assertTrue(options.getAllowFp16());
        assertEquals(
                NnApiDelegate.Options.EXECUTION_PREFERENCE_FAST_SINGLE_ANSWER,
                options.getExecutionPreference());
        assertEquals("/kept", options.getCacheDir());
        assertEquals("abc", options.getModelToken());
    }

    @Test
    void whatAJobLeavesOpenIsNnapisOwnChoice() throws Exception {
        NnApiDelegate.Options options = DelegateOptions.nnapi(job("nnapi", ""), KEPT);
        assertFalse(options.getAllowFp16());
        assertNull(options.getCacheDir());
    }

    @Test
    void nothingIsKeptWithoutAFolder() throws Exception {
        Job job = job("gpu", ",\"serialization\":true");
        AgentException refused =
                assertThrows(AgentException.class, () -> Accelerators.delegate(job, null));
        assertTrue(refused.getMessage().contains("leave serialization out"));
    }

    @Test
    void anNpuIsAnotherEngines() throws Exception {
        Job job = job("npu", "");
        AgentException refused =
                assertThrows(AgentException.class, () -> Accelerators.delegate(job, KEPT));
        assertTrue(refused.getMessage().contains("CompiledModel"));
    }
}
