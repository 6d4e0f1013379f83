package io.mobilebench.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HistoryTest {
    @TempDir File folder;

    @Test
    void theNewestIsFirstAndSurvivesTheProcess() {
        new History(folder).add("one");
        new History(folder).add("two\nlines");
        assertEquals(Arrays.asList("two lines", "one"), new History(folder).lines());
    }

    @Test
    void onlyTheLatestAreKept() {
        History history = new History(folder);
        for (int number = 0; number < 30; number++) {
            history.add("result " + number);
        }
        assertEquals(12, history.lines().size());
        assertEquals("result 29", history.lines().get(0));
    }

    @Test
    void aFolderThatIsGoneCostsTheLineOnly() {
        History history = new History(new File(folder, "gone"));
        history.add("one");
        assertTrue(history.lines().isEmpty());
    }
}
