package io.mobilebench.tflite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.mobilebench.core.AgentException;
import io.mobilebench.core.Delegation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DelegationsTest {
    private static final List<String> MODEL = Arrays.asList("CONV_2D", "CONV_2D", "SOFTMAX");

    /** The words of TensorFlow Lite 2.16.1's own format string, with numbers put in. */
    private static final String LOG =
            "Replacing 2 out of 3 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 2"
                    + " partitions for the whole graph.\n";

    @Test
    void withoutDelegateEverythingIsLeft() throws AgentException {
        Delegation delegation = Delegations.describe("cpu", false, MODEL, 3, "");
        assertEquals(0, delegation.reported.get("delegated"));
        assertEquals("{CONV_2D=2, SOFTMAX=1}", delegation.reported.get("left").toString());
    }

    @Test
    void oneStepMeansThatEverythingWasTaken() throws AgentException {
        Delegation delegation = Delegations.describe("gpu", true, MODEL, 1, "");
        assertEquals(3, delegation.reported.get("delegated"));
        assertEquals(1, delegation.reported.get("partitions"));
    }

    @Test
    void theLogTellsTheRest() throws AgentException {
        Delegation delegation = Delegations.describe("gpu", true, MODEL, 2, LOG);
        assertEquals(2, delegation.reported.get("delegated"));
        assertEquals(1, delegation.reported.get("partitions"));
        assertEquals("{(not named by this runtime)=1}", delegation.reported.get("left").toString());
    }

    @Test
    void aLineOfAnotherDelegateIsNotOurs() throws AgentException {
        Delegation delegation = Delegations.describe("cpu", true, MODEL, 2, LOG);
        assertTrue(delegation.reported.isEmpty());
        assertTrue(delegation.warnings.get(0).contains("at least 2 of the model's 3 nodes"));
    }

    @Test
    void anAcceleratorThatTookNothingIsNoResult() {
        AgentException error =
                assertThrows(
                        AgentException.class,
                        () -> Delegations.describe("nnapi", true, MODEL, 3, ""));
        assertEquals("accelerator_unavailable", error.code);
    }

    @Test
    void anAcceleratorThatTookSingleNodesIsOne() throws AgentException {
        String log = LOG.replace("Replacing 2", "Replacing 1");
        assertEquals(1, Delegations.describe("gpu", true, MODEL, 3, log).reported.get("partitions"));
    }

    @Test
    void whatIsNotKnownIsNotInvented() throws AgentException {
        int unknown = ExecutionPlan.UNKNOWN;
        assertTrue(Delegations.describe("gpu", true, MODEL, unknown, LOG).reported.isEmpty());
        assertTrue(Delegations.describe("cpu", true, null, 1, "").reported.isEmpty());
        List<String> one = Collections.singletonList("CONV_2D");
        assertTrue(Delegations.describe("cpu", true, one, 1, "").reported.isEmpty());
    }

    @Test
    void noFileBreaksTheReader(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("model.tflite");
        Path real =
                Paths.get(System.getProperty("golden"))
                        .resolveSibling("fixtures/models/small.tflite");
        byte[] valid = Files.readAllBytes(real);
        Random random = new Random(7);
        for (int round = 0; round < 300; round++) {
            byte[] broken = Arrays.copyOf(valid, 1 + random.nextInt(valid.length));
            for (int change = 0; change < 40; change++) {
                broken[random.nextInt(Math.min(broken.length, 200))] = (byte) random.nextInt(256);
            }
            Files.write(file, broken);
            Operators.read(file.toFile());
        }
        Files.write(file, new byte[0]);
        assertNull(Operators.read(file.toFile()));
        assertEquals(
                Arrays.asList(
                        "CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"),
                Operators.read(real.toFile()));
    }
}
