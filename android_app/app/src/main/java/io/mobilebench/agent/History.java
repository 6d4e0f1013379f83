package io.mobilebench.agent;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The latest results as lines for the screen, newest first. The computer keeps the real ones. */
final class History {
    private static final int KEPT = 12;

    private final File file;

    History(File folder) {
        file = new File(folder, "latest.txt");
    }

    synchronized List<String> lines() {
        List<String> lines = new ArrayList<>();
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(file), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine();
                    line != null && lines.size() < KEPT;
                    line = reader.readLine()) {
                lines.add(line);
            }
        } catch (IOException none) {
            // Nothing has run yet.
        }
        return lines;
    }

    /** Puts a line before the others. A full disk costs the line and nothing else. */
    synchronized void add(String line) {
        List<String> lines = lines();
        lines.add(0, line.replace('\n', ' '));
        File fresh = new File(file.getPath() + ".new");
        try (Writer writer =
                new OutputStreamWriter(new FileOutputStream(fresh), StandardCharsets.UTF_8)) {
            for (String kept : lines.subList(0, Math.min(KEPT, lines.size()))) {
                writer.write(kept + "\n");
            }
        } catch (IOException full) {
            return;
        }
        fresh.renameTo(file);
    }
}
