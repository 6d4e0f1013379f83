package com.google.ai.edge.litert;

/** Stub: the signature alone is LiteRT's. */
public enum Accelerator {
    NONE,
    CPU,
    GPU,
    NPU
}
