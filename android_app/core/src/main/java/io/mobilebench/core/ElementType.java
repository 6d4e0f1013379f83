package io.mobilebench.core;

/** What a tensor can hold, with the size of an element in bytes. */
public enum ElementType {
    FLOAT32(4),
    FLOAT64(8),
    FLOAT16(2),
    INT8(1),
    UINT8(1),
    INT16(2),
    UINT16(2),
    INT32(4),
    UINT32(4),
    INT64(8),
    UINT64(8),
    BOOL(1),
    /** Texts, complex numbers and whatever else this agent cannot read. */
    OTHER(0);

    public final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    public boolean isFloat() {
        return this == FLOAT32 || this == FLOAT64 || this == FLOAT16;
    }

    boolean isSigned() {
        return this == INT8 || this == INT16 || this == INT32 || this == INT64;
    }

    /** The smallest whole number of this type; of no use for floats. */
    long lowest() {
        return isSigned() ? -1L << (bytes * 8 - 1) : 0;
    }

    /** The largest whole number of this type; of no use for floats and UINT64. */
    long highest() {
        if (this == BOOL) {
            return 1;
        }
        return isSigned() ? ~lowest() : (1L << bytes * 8) - 1;
    }
}
