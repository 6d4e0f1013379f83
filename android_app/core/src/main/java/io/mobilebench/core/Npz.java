package io.mobilebench.core;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * A dataset: NumPy's {@code .npz} with {@code x} and {@code y}, an untrusted file.
 *
 * <p>Little-endian numbers in C order, formats 1 to 3 of NumPy's NEP 1; no pickles. The samples
 * are read one by one, so that a dataset may be larger than the heap.
 */
final class Npz implements AutoCloseable {
    private static final int MAX_SAMPLES = 50_000_000;
    private static final int MAX_HEADER = 1 << 16;

    private static final Pattern HEADER =
            Pattern.compile(
                    "\\{'descr': '([^']*)', 'fortran_order': (True|False), "
                            + "'shape': \\(([0-9, ]*)\\),? *\\} *\n");

    private static final Map<String, ElementType> TYPES = new HashMap<>();

    static {
        TYPES.put("<f2", ElementType.FLOAT16);
        TYPES.put("<f4", ElementType.FLOAT32);
        TYPES.put("<f8", ElementType.FLOAT64);
        TYPES.put("|i1", ElementType.INT8);
        TYPES.put("|u1", ElementType.UINT8);
        TYPES.put("<i2", ElementType.INT16);
        TYPES.put("<u2", ElementType.UINT16);
        TYPES.put("<i4", ElementType.INT32);
        TYPES.put("<u4", ElementType.UINT32);
        TYPES.put("<i8", ElementType.INT64);
        TYPES.put("|b1", ElementType.BOOL);
    }

    private final ZipFile archive;
    private final Array samples;
    /** The class index of each sample. */
    final int[] labels;
    /** The shape of one sample. */
    final int[] shape;

    private Npz(ZipFile archive, Array samples, int[] labels) {
        this.archive = archive;
        this.samples = samples;
        this.labels = labels;
        this.shape = Arrays.copyOfRange(samples.shape, 1, samples.shape.length);
    }

    static Npz open(String path) throws AgentException {
        ZipFile archive = null;
        try {
            archive = new ZipFile(new File(path));
            Array x = Array.open(archive, "x");
            Array y = Array.open(archive, "y");
            if (x.shape.length == 0
                    || x.shape[0] == 0
                    || y.shape.length != 1
                    || y.shape[0] != x.shape[0]
                    || y.type.isFloat()
                    || y.type == ElementType.BOOL) {
                throw new AgentException(
                        "dataset_bad",
                        "the dataset has x of shape " + text(x.shape) + " and y of shape "
                                + text(y.shape)
                                + "; y must hold one class index for each sample of x");
            }
            int[] labels = new int[y.shape[0]];
            for (int index = 0; index < labels.length; index++) {
                long label = y.next(1).whole(0);
                // What does not fit into an int is no class of any model; the caller says so.
                labels[index] = (int) Math.max(-1, Math.min(Integer.MAX_VALUE, label));
            }
            Npz opened = new Npz(archive, x, labels);
            archive = null;
            return opened;
        } catch (IOException | ArithmeticException | IllegalArgumentException error) {
            throw bad(error);
        } finally {
            close(archive);
        }
    }

    ElementType type() {
        return samples.type;
    }

    /** The numbers of the next sample. */
    Elements next() throws AgentException {
        try {
            int count = 1;
            for (int size : shape) {
                count = Math.multiplyExact(count, size);
            }
            return samples.next(count);
        } catch (IOException | ArithmeticException | IllegalArgumentException error) {
            throw bad(error);
        }
    }

    @Override
    public void close() {
        close(archive);
    }

    /** A shape as Python writes it. */
    static String text(int[] shape) {
        StringBuilder out = new StringBuilder("(");
        for (int index = 0; index < shape.length; index++) {
            out.append(index == 0 ? "" : ", ").append(shape[index]);
        }
        return out.append(shape.length == 1 ? ",)" : ")").toString();
    }

    private static AgentException bad(Exception error) {
        return new AgentException(
                "dataset_bad", "the dataset is no .npz with x and y: " + error.getMessage());
    }

    private static void close(ZipFile archive) {
        try {
            if (archive != null) {
                archive.close();
            }
        } catch (IOException ignored) {
            // Nothing was written: there is nothing to lose.
        }
    }

    /** One {@code .npy} in the archive: its header read, its numbers to come. */
    private static final class Array {
        final ElementType type;
        final int[] shape;
        private final DataInputStream data;
        private byte[] block = new byte[0];

        private Array(ElementType type, int[] shape, DataInputStream data) {
            this.type = type;
            this.shape = shape;
            this.data = data;
        }

        static Array open(ZipFile archive, String name) throws IOException {
            ZipEntry entry = archive.getEntry(name + ".npy");
            if (entry == null) {
                throw new IOException("there is no " + name);
            }
            InputStream stream = archive.getInputStream(entry);
            DataInputStream data = new DataInputStream(new BufferedInputStream(stream));
            byte[] magic = new byte[8];
            data.readFully(magic);
            if (!new String(magic, 0, 6, StandardCharsets.ISO_8859_1).equals("\u0093NUMPY")) {
                throw new IOException(name + " is no NumPy array");
            }
            int length = Short.reverseBytes(data.readShort()) & 0xFFFF;
            if (magic[6] != 1) {
                length |= (Short.reverseBytes(data.readShort()) & 0xFFFF) << 16;
            }
            if (length < 0 || length > MAX_HEADER) {
                throw new IOException("the header of " + name + " is too long");
            }
            byte[] header = new byte[length];
            data.readFully(header);
            Matcher match = HEADER.matcher(new String(header, StandardCharsets.UTF_8));
            if (!match.matches() || match.group(2).equals("True")) {
                throw new IOException(name + " is no plain array in C order");
            }
            ElementType type = TYPES.get(match.group(1));
            if (type == null) {
                throw new IOException(name + " holds numbers of the unknown type "
                        + match.group(1));
            }
            return new Array(type, sizes(match.group(3), name), data);
        }

        private static int[] sizes(String text, String name) throws IOException {
            String[] parts = text.trim().isEmpty() ? new String[0] : text.trim().split(", *");
            int[] sizes = new int[parts.length];
            for (int index = 0; index < sizes.length; index++) {
                try {
                    sizes[index] = Integer.parseInt(parts[index].trim());
                } catch (NumberFormatException error) {
                    throw new IOException("the shape of " + name + " cannot be read");
                }
            }
            if (sizes.length > 0 && sizes[0] > MAX_SAMPLES) {
                throw new IOException(name + " has more than " + MAX_SAMPLES + " samples");
            }
            return sizes;
        }

        Elements next(int count) throws IOException {
            int bytes = Math.multiplyExact(count, type.bytes);
            if (block.length != bytes) {
                block = new byte[bytes];
            }
            try {
                data.readFully(block);
            } catch (EOFException error) {
                throw new IOException("an array is shorter than its shape");
            }
            return new Elements(type, ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN));
        }
    }
}
