package com.google.ai.edge.litert;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Stub: the signatures alone are LiteRT's. It gives what it takes, and has no NPU. */
public class CompiledModel implements AutoCloseable {
    /** Of the model that was created last. */
    public static Options asked;

    /** Stub. */
    public static class GpuOptions {
        public final Precision precision;

        public GpuOptions(
                Boolean constantTensorSharing,
                Boolean infiniteFloatCapping,
                Boolean benchmarkMode,
                Boolean allowSrcQuantizedFcConvOps,
                Precision precision,
                BufferStorageType bufferStorageType) {
            this.precision = precision;
        }

        /** Stub. */
        public enum Precision {
            DEFAULT,
            FP16,
            FP32
        }

        /** Stub. */
        public enum BufferStorageType {
            BUFFER
        }
    }

    /** Stub. */
    public static class Options {
        public final List<Accelerator> accelerators;
        public GpuOptions gpu;

        public Options(Accelerator... accelerators) {
            this.accelerators = Arrays.asList(accelerators);
        }

        public void setGpuOptions(GpuOptions options) {
            gpu = options;
        }
    }

    public static CompiledModel create(String filePath, Options options) throws LiteRtException {
        asked = options;
        if (options.accelerators.contains(Accelerator.NPU)) {
            throw new LiteRtException(5, "no NPU");
        }
        return new CompiledModel();
    }

    public List<TensorBuffer> createInputBuffers() throws LiteRtException {
        return Collections.singletonList(new TensorBuffer());
    }

    public List<TensorBuffer> createOutputBuffers() throws LiteRtException {
        return Collections.singletonList(new TensorBuffer());
    }

    public void run(List<TensorBuffer> inputs, List<TensorBuffer> outputs) throws LiteRtException {
        outputs.get(0).values = inputs.get(0).values;
    }

    @Override
    public void close() {}
}
