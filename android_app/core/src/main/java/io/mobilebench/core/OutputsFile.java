package io.mobilebench.core;

/** What a model answered, in a file on the device for the host to fetch: a {@link TensorFile}. */
public final class OutputsFile {
    static final OutputsFile NONE = new OutputsFile("", "", 0);

    public final String path;
    public final String sha256;
    public final long bytes;

    OutputsFile(String path, String sha256, long bytes) {
        this.path = path;
        this.sha256 = sha256;
        this.bytes = bytes;
    }

    /** Whether a trial of this kind has such a file: one of outputs a whole one, any other none. */
    boolean isOf(String kind) {
        return kind.equals("outputs")
                ? !path.isEmpty() && !sha256.isEmpty() && bytes > 0
                : path.isEmpty() && sha256.isEmpty() && bytes == 0;
    }
}
