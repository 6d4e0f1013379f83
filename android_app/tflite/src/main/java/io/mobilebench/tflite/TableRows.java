package io.mobilebench.tflite;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which inputs of a model are rows of a table, as its file says: the same as the Linux agent's
 * {@code indices.py}, which asks its interpreter.
 *
 * <p>A row beyond a table is an error or, in some kernels, somebody else's memory. Followed are the
 * input itself and the whole numbers made of it, such as casts.
 */
final class TableRows {
    private final Operators graph;
    private final int[] inputs;
    private final int[] rows;
    /** For each tensor of whole numbers: the inputs that it is made of. */
    private final Map<Integer, BitSet> madeOf = new HashMap<>();

    private TableRows(Operators graph) {
        this.graph = graph;
        inputs = graph.inputs();
        rows = new int[inputs.length];
    }

    /**
     * For each input, how many rows the smallest table has that it looks up; 0 where there is none,
     * and everywhere if the file cannot be read so.
     */
    static int[] of(File model, int inputs) {
        try {
            TableRows found = new TableRows(Operators.open(model));
            found.follow();
            return Arrays.copyOf(found.rows, inputs);
        } catch (IOException | RuntimeException unreadable) {
            return new int[inputs];
        }
    }

    private void follow() {
        for (int input = 0; input < inputs.length; input++) {
            if (graph.isWhole(inputs[input])) {
                BitSet itself = new BitSet();
                itself.set(input);
                madeOf.put(inputs[input], itself);
            }
        }
        List<String> names = graph.names();
        for (int node = 0; node < names.size(); node++) {
            int[] taken = graph.taken(node);
            int[] given = graph.given(node);
            if (names.get(node).equals("GATHER")) {
                lookUp(taken[0], taken[1], given[0]);
            } else if (names.get(node).equals("EMBEDDING_LOOKUP")) {
                lookUp(taken[1], taken[0], given[0]);
            } else {
                passOn(taken, given);
            }
        }
    }

    private void lookUp(int table, int indices, int found) {
        BitSet sources = madeOf.get(indices);
        if (sources == null) {
            return;
        }
        int count = count(graph.shape(table), graph.shape(indices), graph.shape(found));
        if (count < 1) {
            return;
        }
        for (int input = sources.nextSetBit(0); input >= 0; input = sources.nextSetBit(input + 1)) {
            rows[input] = rows[input] == 0 ? count : Math.min(rows[input], count);
        }
    }

    private void passOn(int[] taken, int[] given) {
        BitSet sources = new BitSet();
        for (int tensor : taken) {
            if (madeOf.containsKey(tensor)) {
                sources.or(madeOf.get(tensor));
            }
        }
        for (int tensor : given) {
            if (!sources.isEmpty() && graph.isWhole(tensor)) {
                BitSet all = (BitSet) sources.clone();
                if (madeOf.containsKey(tensor)) {
                    all.or(madeOf.get(tensor));
                }
                madeOf.put(tensor, all);
            }
        }
    }

    /** The length of the axis that is looked up: the shapes say which; the shortest in doubt. */
    private static int count(int[] table, int[] indices, int[] found) {
        int fitting = Integer.MAX_VALUE;
        int shortest = Integer.MAX_VALUE;
        for (int axis = 0; axis < table.length; axis++) {
            shortest = Math.min(shortest, table[axis]);
            if (Arrays.equals(replaced(table, axis, indices), found)) {
                fitting = Math.min(fitting, table[axis]);
            }
        }
        return fitting == Integer.MAX_VALUE ? shortest : fitting;
    }

    /** A table's shape with the indices' in the place of one axis. */
    private static int[] replaced(int[] table, int axis, int[] indices) {
        int[] shape = new int[table.length - 1 + indices.length];
        System.arraycopy(table, 0, shape, 0, axis);
        System.arraycopy(indices, 0, shape, axis, indices.length);
        System.arraycopy(
                table, axis + 1, shape, axis + indices.length, table.length - axis - 1);
        return shape;
    }
}
