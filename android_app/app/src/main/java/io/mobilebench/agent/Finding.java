package io.mobilebench.agent;

/** What came of one trial, for the screen: whose, how it was found, and what; a line in a file. */
final class Finding {
    /** Model and recipe. */
    final String what;

    /** The kind of trial, and of how many samples. */
    final String how;

    /** The number with its unit, or a word. */
    final String value;

    final boolean failed;

    Finding(String what, String how, String value, boolean failed) {
        this.what = plain(what);
        this.how = plain(how);
        this.value = plain(value);
        this.failed = failed;
    }

    /** One line, which {@link #read} takes apart again. */
    String line() {
        return what + "\t" + how + "\t" + value + "\t" + (failed ? "failed" : "");
    }

    /** A line of this version, or of an older one, which was a sentence. */
    static Finding read(String line) {
        String[] parts = line.split("\t", -1);
        return parts.length == 4
                ? new Finding(parts[0], parts[1], parts[2], parts[3].equals("failed"))
                : new Finding(line, "", "", false);
    }

    /** Without what would break a line, or write over what stands beside it. */
    static String plain(String text) {
        return text.replaceAll("[\\p{Cc}\\p{Cf}\u2028\u2029]+", " ").trim();
    }
}
