package io.mobilebench.tflite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.mobilebench.core.AgentException;
import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;

class OpenShapesTest {
    @Test
    void anOpenBatchIsRunAsOne() throws Exception {
        OpenShapes.refuse(
                Arrays.asList("image", "length"),
                Arrays.asList(new int[] {-1, 8, 8, 1}, new int[] {-1}));
        OpenShapes.refuse(
                Arrays.asList("fixed", "scalar"), Arrays.asList(new int[] {1, 4}, new int[0]));
    }

    @Test
    void anyOtherOpenDimensionIsRefused() {
        int[][] open = {{1, -1, -1, 3}, {-1, -1, 8, 1}, {-1}, {1, -1}};
        String[] shown = {"[1, ?, ?, 3]", "[?, ?, 8, 1]", "[?]", "[1, ?]"};
        for (int index = 0; index < open.length; index++) {
            int[] shape = open[index];
            AgentException refused =
                    assertThrows(
                            AgentException.class,
                            () ->
                                    OpenShapes.refuse(
                                            Collections.singletonList("x"),
                                            Collections.singletonList(shape)));
            assertEquals("open_shape", refused.code);
            assertEquals(
                    "the input 'x' has an open shape " + shown[index]
                            + "; convert it with a fixed shape",
                    refused.getMessage());
        }
    }
}
