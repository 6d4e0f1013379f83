package io.mobilebench.core;

import java.nio.ByteBuffer;

/**
 * Seeded random inputs, so that two runs see the same values.
 *
 * <p>The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014): the state grows by 0x9E3779B97F4A7C15 a draw and is mixed. The
 * ranges are the Linux agent's: floats in [0, 1) in steps of 2^-24; 8- and 16-bit integers over
 * their whole range; wider ones 0 to 99, so that they can be indices; what looks up rows of a table
 * stays within it. The values are not those of NumPy's generator with the same seed.
 */
public final class Noise {
    private long state;

    public Noise(long seed) {
        state = seed;
    }

    /** Fills every input of a model, in order. */
    public static void fill(LoadedModel model, long seed) {
        Noise noise = new Noise(seed);
        int[] rows = model.tableRows();
        for (int index = 0; index < model.inputs().size(); index++) {
            noise.fill(model.inputs().get(index), model.input(index), rows[index]);
        }
    }

    /** Fills one input, whose whole numbers look up a table of so many rows; 0: none. */
    void fill(TensorInfo tensor, ByteBuffer values, int rows) {
        Elements elements = new Elements(tensor.type, values);
        int count = tensor.elements();
        boolean narrow = tensor.type.bytes <= 2;
        long low = narrow && rows == 0 ? tensor.type.lowest() : 0;
        long high = narrow ? tensor.type.highest() : 99;
        high = rows == 0 ? high : Math.min(high, rows - 1);
        for (int index = 0; index < count; index++) {
            if (tensor.type.isFloat()) {
                elements.putReal(index, (next() >>> 40) * 0x1p-24);
            } else {
                elements.putWhole(index, low + Math.floorMod(next(), high - low + 1));
            }
        }
    }

    long next() {
        state += 0x9E3779B97F4A7C15L;
        long mixed = state;
        mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
        return mixed ^ (mixed >>> 31);
    }
}
