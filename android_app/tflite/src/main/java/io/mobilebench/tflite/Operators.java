package io.mobilebench.tflite;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The operators and tensors of a model's main subgraph, read from the file itself: a FlatBuffer by
 * TensorFlow Lite's schema, version 3. The file is not trusted: every offset is checked by the
 * buffer that it is read from, and what cannot be read is a {@link RuntimeException}.
 */
final class Operators {
    /** Fields of the schema's tables, by their place. */
    private static final int MODEL_OPERATOR_CODES = 1;
    private static final int MODEL_SUBGRAPHS = 2;
    private static final int SUBGRAPH_TENSORS = 0;
    private static final int SUBGRAPH_INPUTS = 1;
    private static final int SUBGRAPH_OUTPUTS = 2;
    private static final int SUBGRAPH_OPERATORS = 3;
    private static final int TENSOR_SHAPE = 0;
    private static final int TENSOR_TYPE = 1;
    private static final int TENSOR_NAME = 3;
    private static final int TENSOR_QUANTIZATION = 4;
    private static final int QUANTIZATION_SCALE = 2;
    private static final int QUANTIZATION_ZERO_POINT = 3;
    private static final int OPERATOR_CODE_INDEX = 0;
    private static final int OPERATOR_INPUTS = 1;
    private static final int OPERATOR_OUTPUTS = 2;
    private static final int CODE_DEPRECATED_BUILTIN = 0;
    private static final int CODE_CUSTOM = 1;
    private static final int CODE_BUILTIN = 3;

    private static final int CUSTOM = 32;

    /** The schema's TensorType: INT32, UINT8, INT64, INT16, INT8, UINT64, UINT32, UINT16. */
    private static final List<Integer> WHOLE = Arrays.asList(2, 3, 4, 7, 9, 12, 15, 16);

    /** The schema's BuiltinOperator, from 0. */
    private static final String[] NAMES =
            ("ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE "
                            + "DEQUANTIZE EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP "
                            + "L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION "
                            + "LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX "
                            + "SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM "
                            + "EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND "
                            + "SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM "
                            + "STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE "
                            + "BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 "
                            + "GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE "
                            + "TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT "
                            + "REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK "
                            + "REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE "
                            + "RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V "
                            + "UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE "
                            + "MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE "
                            + "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY "
                            + "SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE "
                            + "BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND "
                            + "HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE "
                            + "READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE "
                            + "RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 "
                            + "UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 "
                            + "UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC "
                            + "STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM "
                            + "STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE "
                            + "STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE "
                            + "STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND "
                            + "STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG "
                            + "STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER "
                            + "STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT "
                            + "STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT "
                            + "STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD "
                            + "STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT "
                            + "STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE "
                            + "STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE "
                            + "STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE")
                    .split(" ");

    private final ByteBuffer file;
    private final int codes;
    private final int subgraph;
    private final int operators;

    private Operators(ByteBuffer file) {
        this.file = file;
        int model = follow(0);
        codes = follow(field(model, MODEL_OPERATOR_CODES));
        subgraph = element(follow(field(model, MODEL_SUBGRAPHS)), 0);
        operators = follow(field(subgraph, SUBGRAPH_OPERATORS));
    }

    /** One name a node, in order; null if the file cannot be read so. */
    static List<String> read(File model) {
        try {
            return open(model).names();
        } catch (IOException | RuntimeException unreadable) {
            return null;
        }
    }

    static Operators open(File model) throws IOException {
        try (FileInputStream stream = new FileInputStream(model);
                FileChannel channel = stream.getChannel()) {
            ByteBuffer file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            return new Operators(file.order(ByteOrder.LITTLE_ENDIAN));
        }
    }

    List<String> names() {
        List<String> names = new ArrayList<>();
        for (int node = 0; node < file.getInt(operators); node++) {
            int index = field(element(operators, node), OPERATOR_CODE_INDEX);
            names.add(name(element(codes, index == 0 ? 0 : file.getInt(index))));
        }
        return names;
    }

    /** The tensors that a node takes, by their numbers; -1 for one that is left out. */
    int[] taken(int node) {
        return numbers(field(element(operators, node), OPERATOR_INPUTS));
    }

    /** The tensors that a node gives. */
    int[] given(int node) {
        return numbers(field(element(operators, node), OPERATOR_OUTPUTS));
    }

    /** The tensors that are the model's inputs, in its order. */
    int[] inputs() {
        return numbers(field(subgraph, SUBGRAPH_INPUTS));
    }

    /** The tensors that are the model's outputs, in its order. */
    int[] outputs() {
        return numbers(field(subgraph, SUBGRAPH_OUTPUTS));
    }

    /** A tensor's type, by the schema's number. */
    int type(int tensor) {
        int type = field(tensor(tensor), TENSOR_TYPE);
        return type == 0 ? 0 : file.get(type);
    }

    String tensorName(int tensor) {
        int name = field(tensor(tensor), TENSOR_NAME);
        return name == 0 ? "" : text(follow(name));
    }

    /** The scale of a tensor that has one; 0: it has none, or one a channel. */
    float scale(int tensor) {
        int vector = quantization(tensor, QUANTIZATION_SCALE);
        return vector == 0 || file.getInt(vector) != 1 ? 0 : file.getFloat(vector + 4);
    }

    /** The zero point that belongs to {@link #scale}. */
    int zeroPoint(int tensor) {
        int vector = quantization(tensor, QUANTIZATION_ZERO_POINT);
        return vector == 0 || file.getInt(vector) != 1 ? 0 : (int) file.getLong(vector + 4);
    }

    private int quantization(int tensor, int number) {
        int table = field(tensor(tensor), TENSOR_QUANTIZATION);
        int field = table == 0 ? 0 : field(follow(table), number);
        return field == 0 ? 0 : follow(field);
    }

    int[] shape(int tensor) {
        return numbers(field(tensor(tensor), TENSOR_SHAPE));
    }

    /** Whether a tensor holds whole numbers. */
    boolean isWhole(int tensor) {
        return WHOLE.contains(type(tensor));
    }

    private int tensor(int number) {
        return element(follow(field(subgraph, SUBGRAPH_TENSORS)), number);
    }

    /** The vector of whole numbers in a field; none if it is left out. */
    private int[] numbers(int field) {
        if (field == 0) {
            return new int[0];
        }
        int vector = follow(field);
        int length = file.getInt(vector);
        if (length < 0 || length > file.capacity() / 4) {
            throw new IndexOutOfBoundsException("no vector of " + length);
        }
        int[] numbers = new int[length];
        for (int index = 0; index < length; index++) {
            numbers[index] = file.getInt(vector + 4 + 4 * index);
        }
        return numbers;
    }

    private String name(int code) {
        int old = field(code, CODE_DEPRECATED_BUILTIN);
        int wide = field(code, CODE_BUILTIN);
        // Operators above 127 did not fit into the first field: the larger of the two is meant.
        int builtin = Math.max(old == 0 ? 0 : file.get(old), wide == 0 ? 0 : file.getInt(wide));
        if (builtin == CUSTOM) {
            return text(follow(field(code, CODE_CUSTOM)));
        }
        return builtin < NAMES.length ? NAMES[builtin] : "BUILTIN_" + builtin;
    }

    private String text(int at) {
        int length = file.getInt(at);
        if (length < 0 || length > file.capacity()) {
            throw new IndexOutOfBoundsException("no text of " + length + " bytes");
        }
        byte[] octets = new byte[length];
        for (int index = 0; index < octets.length; index++) {
            octets[index] = file.get(at + 4 + index);
        }
        return new String(octets, StandardCharsets.UTF_8);
    }

    /** Where a table's field stands; 0 if it is left out. */
    private int field(int table, int number) {
        int layout = table - file.getInt(table);
        int slot = 4 + 2 * number;
        int size = file.getShort(layout) & 0xFFFF;
        int offset = slot < size ? file.getShort(layout + slot) & 0xFFFF : 0;
        return offset == 0 ? 0 : table + offset;
    }

    /** What the offset at a place points to. */
    private int follow(int at) {
        return at + file.getInt(at);
    }

    /** The table at a place of a vector of tables. */
    private int element(int vector, int index) {
        if (index < 0 || index >= file.getInt(vector)) {
            throw new IndexOutOfBoundsException("no element " + index);
        }
        return follow(vector + 4 + 4 * index);
    }
}
