package io.mobilebench.tflite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TableRowsTest {
    @TempDir Path folder;

    private static File model(String name) {
        return Paths.get(System.getProperty("models"), name).toFile();
    }

    @Test
    void rowsOfATableAreFollowedThroughWhatIsMadeOfThem() throws IOException {
        // The table has seven rows, and a negative number counts from its end: three operators.
        assertEquals("GATHER", Operators.open(model("look_up.tflite")).names().get(3));
        assertArrayEquals(new int[] {7}, TableRows.of(model("look_up.tflite"), 1));
    }

    @Test
    void aModelWithoutATable() {
        assertArrayEquals(new int[] {0}, TableRows.of(model("small.tflite"), 1));
        assertArrayEquals(new int[] {0}, TableRows.of(model("small_int8_input.tflite"), 1));
    }

    @Test
    void aTornFileTellsNothingAndBreaksNothing() throws IOException {
        byte[] whole = Files.readAllBytes(model("look_up.tflite").toPath());
        Random random = new Random(0);
        int known = 0;
        for (int attempt = 0; attempt < 400; attempt++) {
            byte[] torn = Arrays.copyOf(whole, whole.length - (attempt % 2) * random.nextInt(1000));
            torn[random.nextInt(torn.length)] ^= (byte) (1 + random.nextInt(255));
            int[] rows = TableRows.of(Files.write(folder.resolve("x"), torn).toFile(), 1);
            assertTrue(rows[0] >= 0);
            known += rows[0] == 7 ? 1 : 0;
        }
        assertTrue(known > 20 && known < 400, "known " + known);
        assertArrayEquals(new int[2], TableRows.of(folder.resolve("gone").toFile(), 2));
    }
}
