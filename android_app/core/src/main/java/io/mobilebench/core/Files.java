package io.mobilebench.core;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Files that travel between host and device. */
final class Files {
    private static final int BLOCK = 1 << 20;

    private Files() {}

    /**
     * Checks that a file on the device is the one that the host sent.
     *
     * @throws AgentException with code {@code missing} or {@code corrupt}
     */
    static void verify(String path, String sha256, String missing, String corrupt)
            throws AgentException {
        String found;
        try {
            found = sha256(new File(path));
        } catch (IOException error) {
            throw new AgentException(
                    missing, "cannot read the file on the device: " + error.getMessage());
        }
        if (!found.equals(sha256)) {
            throw new AgentException(
                    corrupt, path + " on the device is not the file that was sent");
        }
    }

    /** The digest of a whole file, as contracts write it. */
    static String sha256(File path) throws IOException {
        MessageDigest digest = sha256();
        try (InputStream file = new FileInputStream(path)) {
            byte[] block = new byte[BLOCK];
            for (int count = file.read(block); count >= 0; count = file.read(block)) {
                digest.update(block, 0, count);
            }
        }
        return hexadecimal(digest);
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }

    /** The digest of what was put in, as contracts write it; the digest begins anew. */
    static String hexadecimal(MessageDigest digest) {
        StringBuilder text = new StringBuilder();
        for (byte octet : digest.digest()) {
            // By hand: a Formatter takes milliseconds, which would count as unpacking.
            text.append(Character.forDigit(octet >> 4 & 0xF, 16));
            text.append(Character.forDigit(octet & 0xF, 16));
        }
        return text.toString();
    }
}
