package io.mobilebench.core;

import java.io.Closeable;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Tensors by name in one file, read and written row by row: the safetensors format.
 *
 * <p>Eight bytes with the length of the header (little-endian), the header (JSON: for each tensor
 * its {@code dtype}, {@code shape} and {@code data_offsets}), and the raw little-endian numbers of
 * all tensors without a gap. A file that is opened is not trusted: what its header says is checked
 * against the file's length before anything is read. No more than a row is ever held in memory.
 */
final class TensorFile implements Closeable {
    private static final int MAX_HEADER = 1 << 20;

    /** What a file may say of itself beside its tensors. */
    private static final String METADATA = "__metadata__";

    private static final Map<String, ElementType> TYPES = new LinkedHashMap<>();

    static {
        TYPES.put("BOOL", ElementType.BOOL);
        TYPES.put("U8", ElementType.UINT8);
        TYPES.put("I8", ElementType.INT8);
        TYPES.put("I16", ElementType.INT16);
        TYPES.put("U16", ElementType.UINT16);
        TYPES.put("I32", ElementType.INT32);
        TYPES.put("U32", ElementType.UINT32);
        TYPES.put("I64", ElementType.INT64);
        TYPES.put("U64", ElementType.UINT64);
        TYPES.put("F16", ElementType.FLOAT16);
        TYPES.put("F32", ElementType.FLOAT32);
        TYPES.put("F64", ElementType.FLOAT64);
    }

    /** One tensor; a row is what belongs to one index of its first dimension. */
    static final class Tensor {
        final String name;
        final ElementType type;
        final int[] shape;
        final long bytes;
        /** Where it starts, from the end of the header. */
        private long start;

        /** @throws ArithmeticException it has more bytes than any file */
        Tensor(String name, ElementType type, int[] shape) {
            this.name = name;
            this.type = type;
            this.shape = shape.clone();
            long size = type.bytes;
            for (int length : shape) {
                size = Math.multiplyExact(size, length);
            }
            this.bytes = size;
        }

        /** How many rows it has; a single number has none. */
        int rows() {
            return shape.length == 0 ? 0 : shape[0];
        }

        int[] rowShape() {
            return Arrays.copyOfRange(shape, 1, shape.length);
        }

        /** The bytes of a row of a tensor that has any. */
        long rowBytes() {
            return bytes / shape[0];
        }
    }

    private final RandomAccessFile file;
    private final FileChannel channel;
    private final Map<String, Tensor> tensors;
    private final long data;

    private TensorFile(RandomAccessFile file, Map<String, Tensor> tensors, long data) {
        this.file = file;
        this.channel = file.getChannel();
        this.tensors = tensors;
        this.data = data;
    }

    /** @throws IOException the file cannot be read, or is none of this format: a sentence why */
    static TensorFile open(File path) throws IOException {
        RandomAccessFile file = new RandomAccessFile(path, "r");
        try {
            ByteBuffer start = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            fill(start, file.getChannel(), 0);
            long length = start.getLong(0);
            if (length < 2 || length > MAX_HEADER || length > file.length() - 8) {
                throw new IOException(
                        "its header would have " + Long.toUnsignedString(length) + " bytes");
            }
            ByteBuffer header = ByteBuffer.allocate((int) length);
            fill(header, file.getChannel(), 8);
            header.flip();
            String text = StandardCharsets.UTF_8.newDecoder().decode(header).toString();
            long data = 8 + length;
            TensorFile opened = new TensorFile(file, read(text, file.length() - data), data);
            file = null;
            return opened;
        } catch (ContractException | ArithmeticException error) {
            throw new IOException("its header cannot be used: " + error.getMessage());
        } finally {
            if (file != null) {
                file.close();
            }
        }
    }

    /** Makes a file with room for these tensors, in place of one that is there. */
    static TensorFile create(File path, List<Tensor> tensors) throws IOException {
        List<Tensor> ordered = new ArrayList<>(tensors);
        // The largest numbers first, so that each tensor is aligned to its own.
        Collections.sort(ordered, (one, other) -> other.type.bytes - one.type.bytes);
        long at = 0;
        for (Tensor tensor : ordered) {
            tensor.start = at;
            at = Math.addExact(at, tensor.bytes);
        }
        Map<String, Tensor> byName = new LinkedHashMap<>();
        for (Tensor tensor : ordered) {
            byName.put(tensor.name, tensor);
        }
        byte[] header = header(ordered);
        ByteBuffer start = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
        start.putLong(header.length).put(header).flip();
        RandomAccessFile file = new RandomAccessFile(path, "rw");
        try {
            file.setLength(0);
            file.setLength(Math.addExact(start.limit(), at));
            TensorFile made = new TensorFile(file, byName, start.limit());
            drain(start, made.channel, 0);
            file = null;
            return made;
        } finally {
            if (file != null) {
                file.close();
            }
        }
    }

    Set<String> names() {
        return tensors.keySet();
    }

    /** The tensor of that name; null: there is none. */
    Tensor tensor(String name) {
        return tensors.get(name);
    }

    /** Fills a buffer of a row's size with a row. */
    void readRow(Tensor tensor, long row, ByteBuffer values) throws IOException {
        values.clear();
        fill(values, channel, at(tensor, row));
        values.flip();
    }

    /** Puts what is left in a buffer, which must be a row's size, in a row's place. */
    void writeRow(Tensor tensor, long row, ByteBuffer values) throws IOException {
        if (values.remaining() != tensor.rowBytes()) {
            throw new IllegalArgumentException(
                    values.remaining() + " bytes for a row of " + tensor.rowBytes());
        }
        drain(values, channel, at(tensor, row));
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    private long at(Tensor tensor, long row) {
        return data + tensor.start + row * tensor.rowBytes();
    }

    private static Map<String, Tensor> read(String text, long room)
            throws ContractException, IOException {
        Object header = Json.parse(text);
        if (!(header instanceof Map)) {
            throw new ContractException("not a JSON object");
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (Map.Entry<String, Object> entry : Fields.asObject(header).entrySet()) {
            if (!entry.getKey().equals(METADATA)) {
                tensors.put(entry.getKey(), tensor(entry.getKey(), entry.getValue()));
            }
        }
        List<Tensor> ordered = new ArrayList<>(tensors.values());
        Collections.sort(
                ordered,
                (one, other) ->
                        one.start != other.start
                                ? Long.compare(one.start, other.start)
                                : Long.compare(one.bytes, other.bytes));
        long end = 0;
        for (Tensor tensor : ordered) {
            if (tensor.start != end) {
                throw new ContractException("tensors overlap, or leave a gap between them");
            }
            end = Math.addExact(end, tensor.bytes);
        }
        if (end != room) {
            throw new IOException(
                    "its header describes " + end + " bytes of numbers, and there are " + room);
        }
        return tensors;
    }

    private static Tensor tensor(String name, Object description) throws ContractException {
        String what = "tensor '" + (name.length() <= 40 ? name : name.substring(0, 40)) + "'";
        if (!(description instanceof Map)) {
            throw new ContractException(what + " has no description");
        }
        Fields fields =
                new Fields(what, Fields.asObject(description), "dtype", "shape", "data_offsets");
        ElementType type = TYPES.get(fields.text("dtype"));
        if (type == null) {
            throw fields.bad("numbers of the unknown type " + Json.write(fields.text("dtype")));
        }
        long[] lengths = fields.wholes("shape");
        int[] shape = new int[lengths.length];
        for (int place = 0; place < shape.length; place++) {
            if (lengths[place] < 0 || lengths[place] > Integer.MAX_VALUE) {
                throw fields.bad("no tensor has a length of " + lengths[place]);
            }
            shape[place] = (int) lengths[place];
        }
        Tensor tensor = new Tensor(name, type, shape);
        long[] offsets = fields.wholes("data_offsets");
        if (offsets.length != 2
                || offsets[0] < 0
                || Math.subtractExact(offsets[1], offsets[0]) != tensor.bytes) {
            throw fields.bad("its place in the file is not that of its shape");
        }
        tensor.start = offsets[0];
        return tensor;
    }

    private static byte[] header(List<Tensor> tensors) {
        Map<String, Object> header = new LinkedHashMap<>();
        for (Tensor tensor : tensors) {
            Map<String, Object> description = new LinkedHashMap<>();
            description.put("dtype", nameOf(tensor.type));
            description.put("shape", tensor.shape);
            description.put("data_offsets", new long[] {tensor.start, tensor.start + tensor.bytes});
            header.put(tensor.name, description);
        }
        StringBuilder text = new StringBuilder(Json.write(header));
        while (text.length() % 8 != 0) {
            text.append(' ');
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static String nameOf(ElementType type) {
        for (Map.Entry<String, ElementType> known : TYPES.entrySet()) {
            if (known.getValue() == type) {
                return known.getKey();
            }
        }
        throw new IllegalArgumentException("no " + type + " can be written");
    }

    private static void fill(ByteBuffer values, FileChannel from, long at) throws IOException {
        while (values.hasRemaining()) {
            int count = from.read(values, at);
            if (count < 0) {
                throw new EOFException("it ends too early");
            }
            at += count;
        }
    }

    private static void drain(ByteBuffer values, FileChannel to, long at) throws IOException {
        while (values.hasRemaining()) {
            at += to.write(values, at);
        }
    }
}
