package io.mobilebench.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Whatever bytes come in, a reader takes a whole message or refuses the line, and does no other. */
class MessageFuzzTest {
    private static final int ROUNDS = 20_000;

    /** What stands between values, and what stands for extremes. */
    private static final String[] WORDS = {
        "{", "}", "[", "]", ":", ",", "\"", "\\", "null", "true", "-1", "0", "1e308", "1e-400",
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "0.5", "\"\"", "[]",
        "{}", "\\ud800", "\\u0000", "\u00e9", "\ufeff", "\n", "\"type\":\"job\"", "\"kind\":\"energy\""
    };

    private final Random random = new Random(13);

    @Test
    void aLineIsAMessageOrRefused() throws Exception {
        List<byte[]> lines = new ArrayList<>();
        for (String line :
                Files.readAllLines(Paths.get(System.getProperty("golden"), "valid.jsonl"))) {
            lines.add(line.getBytes(StandardCharsets.UTF_8));
        }
        int read = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] line = any(lines);
            for (int change = random.nextInt(4); change >= 0; change--) {
                line = changed(line, any(lines));
            }
            Message message;
            try {
                message = Contract.decode(line);
            } catch (ContractException refused) {
                // One line, and short: it goes to a log and back to the host.
                assertTrue(refused.getMessage().length() < 3000, refused.getMessage());
                continue;
            }
            read++;
            String written = Contract.encode(message);
            assertEquals(written, Contract.encode(Contract.decode(written)));
        }
        // Both happened, so that both were tried.
        assertTrue(read > ROUNDS / 100 && read < ROUNDS / 2, "read " + read);
    }

    private byte[] any(List<byte[]> lines) {
        return lines.get(random.nextInt(lines.size()));
    }

    /** With one stretch taken out, and a byte, a word or a stretch of another line in its place. */
    private byte[] changed(byte[] line, byte[] other) {
        int begin = random.nextInt(line.length + 1);
        int end = Math.min(line.length, begin + (random.nextBoolean() ? 1 : random.nextInt(20)));
        ByteArrayOutputStream changed = new ByteArrayOutputStream();
        changed.write(line, 0, begin);
        switch (random.nextInt(4)) {
            case 0:
                changed.write(random.nextInt(256));
                break;
            case 1:
                byte[] word =
                        WORDS[random.nextInt(WORDS.length)].getBytes(StandardCharsets.UTF_8);
                changed.write(word, 0, word.length);
                break;
            case 2:
                int from = random.nextInt(other.length);
                changed.write(other, from, random.nextInt(other.length - from));
                break;
            default:
                // Nothing in its place.
        }
        changed.write(line, end, line.length - end);
        return changed.toByteArray();
    }
}
