package io.mobilebench.core;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/** Lines of bytes from a stream that is not trusted to end them. */
final class Lines {
    /** A job has some hundred bytes. */
    private static final int MAX_BYTES = 1 << 20;

    private final InputStream stream;

    Lines(InputStream stream) {
        this.stream = new BufferedInputStream(stream);
    }

    /** The next line without its newline, or null at the end of the stream. */
    byte[] next() throws IOException, ContractException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int octet = stream.read(); octet != '\n'; octet = stream.read()) {
            if (octet < 0) {
                return line.size() == 0 ? null : line.toByteArray();
            }
            line.write(octet);
            if (line.size() > MAX_BYTES) {
                throw new ContractException("a line without an end");
            }
        }
        return line.toByteArray();
    }
}
