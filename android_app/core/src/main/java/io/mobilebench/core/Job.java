package io.mobilebench.core;

import java.util.LinkedHashMap;
import java.util.Map;

/** One trial, as the host asks for it. Paths are on the device; both hashes are checked. */
public final class Job extends Message {
    public final long protocol;
    public final String trial;
    /** One of {@link Contract#KINDS}. */
    public final String kind;
    public final String model;
    public final String modelSha256;
    public final String accelerator;
    /** One of {@link Contract#PRECISIONS}; empty: the delegate's own choice. */
    public final String precision;
    /** One of {@link Contract#PREFERENCES}; empty: the delegate's own choice. */
    public final String preference;
    /** Whether what the delegate prepares is kept on the device, and read by later trials. */
    public final boolean serialization;
    public final int threads;
    public final boolean xnnpack;
    public final long warmupRuns;
    public final double warmupSeconds;
    public final long runs;
    public final double seconds;
    public final double maxSeconds;
    /** Of the random inputs; see {@link Noise}. */
    public final long seed;
    /** The samples of an outputs trial: a {@link TensorFile}. */
    public final String inputs;
    public final String inputsSha256;
    /** Where the file of an outputs trial goes; empty: where the agent chooses. */
    public final String outputsFolder;
    /** The CPUs that the process is kept to; none: it runs where the system lets it. */
    public final long[] cpus;
    /** {@code big}: the process is kept to the CPUs of the highest capacity; or empty. */
    public final String cluster;
    /** How often a latency trial reads counters, between inferences; 0: never. */
    public final double traceSeconds;
    /** Pairs of an idle and a load window of an energy trial. */
    public final long windows;
    public final double windowSeconds;
    /** How the model's file is packed; empty: it is a plain .tflite. */
    public final String packing;
    /** Of what is in the packed file. */
    public final String unpackedSha256;
    /** How many bytes are in the packed file: no more are unpacked. */
    public final long unpackedBytes;
    /** Names of model and recipe, for a person to read; empty: the host sends none. */
    public final String shownModel;
    public final String shownRecipe;
    /** Which of how many trials on this device; both 0: the host does not send it. */
    public final long shownTrial;
    public final long shownTrials;

    private Job(Fields fields) throws ContractException {
        protocol = fields.whole("protocol");
        trial = fields.text("trial");
        kind = fields.text("kind");
        model = fields.text("model");
        modelSha256 = fields.text("model_sha256");
        accelerator = fields.text("accelerator", "cpu");
        precision = fields.text("precision", "");
        preference = fields.text("preference", "");
        serialization = fields.truth("serialization", false);
        long wantedThreads = fields.whole("threads", 1);
        xnnpack = fields.truth("xnnpack", true);
        warmupRuns = fields.whole("warmup_runs", 1);
        warmupSeconds = fields.number("warmup_seconds", 0.5);
        runs = fields.whole("runs", 50);
        seconds = fields.number("seconds", 1.0);
        maxSeconds = fields.number("max_seconds", 150.0);
        seed = fields.whole("seed", 0);
        inputs = fields.text("inputs", "");
        inputsSha256 = fields.text("inputs_sha256", "");
        outputsFolder = fields.text("outputs_folder", "");
        cpus = fields.wholes("cpus");
        cluster = fields.text("cluster", "");
        traceSeconds = fields.number("trace_seconds", 0);
        windows = fields.whole("windows", Contract.FEWEST_WINDOWS);
        windowSeconds = fields.number("window_seconds", 2.0);
        packing = fields.text("packing", "");
        unpackedSha256 = fields.text("unpacked_sha256", "");
        unpackedBytes = fields.whole("unpacked_bytes", 0);
        shownModel = fields.text("shown_model", "");
        shownRecipe = fields.text("shown_recipe", "");
        shownTrial = fields.whole("shown_trial", 0);
        shownTrials = fields.whole("shown_trials", 0);
        if (!Contract.KINDS.contains(kind)) {
            throw fields.bad(
                    "unknown kind '" + kind + "', known are " + String.join(", ", Contract.KINDS));
        }
        if (wantedThreads < 1 || wantedThreads > 1024) {
            throw fields.bad("threads must be from 1 to 1024");
        }
        threads = (int) wantedThreads;
        if (runs < 1 || warmupRuns < 0) {
            throw fields.bad("at least one run, and no negative number of warm-up runs");
        }
        if (windows < Contract.FEWEST_WINDOWS) {
            throw fields.bad("at least " + Contract.FEWEST_WINDOWS + " windows");
        }
        if (warmupSeconds < 0
                || seconds < 0
                || maxSeconds < 0
                || traceSeconds < 0
                || windowSeconds < 0) {
            throw fields.bad(
                    "warmup_seconds, seconds, max_seconds, trace_seconds and window_seconds must "
                            + "not be negative");
        }
        for (int index = 0; index < cpus.length; index++) {
            for (int earlier = 0; earlier < index; earlier++) {
                if (cpus[index] == cpus[earlier]) {
                    throw fields.bad("cpus must differ");
                }
            }
            if (cpus[index] < 0) {
                throw fields.bad("cpus count from 0");
            }
        }
        if (!cluster.isEmpty() && (!cluster.equals("big") || cpus.length > 0)) {
            throw fields.bad("cluster is 'big', or empty where there are cpus");
        }
        if (!packing.isEmpty() && !Contract.PACKINGS.contains(packing)) {
            throw fields.bad(
                    "unknown packing '" + packing + "', known are "
                            + String.join(", ", Contract.PACKINGS));
        }
        if (packing.isEmpty() != unpackedSha256.isEmpty()) {
            throw fields.bad("unpacked_sha256 exactly when there is a packing");
        }
        if (unpackedBytes < 0 || packing.isEmpty() != (unpackedBytes == 0)) {
            throw fields.bad("unpacked_bytes exactly when there is a packing");
        }
        if (!precision.isEmpty() && !Contract.PRECISIONS.contains(precision)) {
            throw fields.bad("unknown precision '" + precision + "'");
        }
        if (!preference.isEmpty() && !Contract.PREFERENCES.contains(preference)) {
            throw fields.bad("unknown preference '" + preference + "'");
        }
        if (kind.equals("outputs") && inputs.isEmpty()) {
            throw fields.bad("an outputs trial needs inputs");
        }
        if (inputs.isEmpty() != inputsSha256.isEmpty()) {
            throw fields.bad("inputs_sha256 exactly when there are inputs");
        }
        if (isLong(shownModel) || isLong(shownRecipe)) {
            throw fields.bad("names to show have at most " + Contract.MOST_SHOWN + " characters");
        }
        boolean counted = 1 <= shownTrial && shownTrial <= shownTrials;
        if (!counted && (shownTrial != 0 || shownTrials != 0)) {
            throw fields.bad("shown_trial counts from 1 to shown_trials");
        }
    }

    private static boolean isLong(String shown) {
        return shown.codePointCount(0, shown.length()) > Contract.MOST_SHOWN;
    }

    private Job(Job packed, String model) {
        protocol = packed.protocol;
        trial = packed.trial;
        kind = packed.kind;
        this.model = model;
        modelSha256 = packed.unpackedSha256;
        accelerator = packed.accelerator;
        precision = packed.precision;
        preference = packed.preference;
        serialization = packed.serialization;
        threads = packed.threads;
        xnnpack = packed.xnnpack;
        warmupRuns = packed.warmupRuns;
        warmupSeconds = packed.warmupSeconds;
        runs = packed.runs;
        seconds = packed.seconds;
        maxSeconds = packed.maxSeconds;
        seed = packed.seed;
        inputs = packed.inputs;
        inputsSha256 = packed.inputsSha256;
        outputsFolder = packed.outputsFolder;
        cpus = packed.cpus;
        cluster = packed.cluster;
        traceSeconds = packed.traceSeconds;
        windows = packed.windows;
        windowSeconds = packed.windowSeconds;
        packing = "";
        unpackedSha256 = "";
        unpackedBytes = 0;
        shownModel = packed.shownModel;
        shownRecipe = packed.shownRecipe;
        shownTrial = packed.shownTrial;
        shownTrials = packed.shownTrials;
    }

    /** The same job with the model that was in the packed file. */
    Job withUnpacked(String plainModel) {
        return new Job(this, plainModel);
    }

    static Job read(Map<String, Object> document) throws ContractException {
        return new Job(
                new Fields(
                        "job", document, "protocol", "trial", "kind", "model", "model_sha256",
                        "accelerator", "precision", "preference", "serialization", "threads", "xnnpack", "warmup_runs", "warmup_seconds",
                        "runs", "seconds", "max_seconds", "seed", "inputs", "inputs_sha256",
                        "outputs_folder", "cpus", "cluster", "trace_seconds", "windows", "window_seconds",
                        "packing", "unpacked_sha256", "unpacked_bytes", "shown_model",
                        "shown_recipe", "shown_trial", "shown_trials"));
    }

    @Override
    public String type() {
        return "job";
    }

    @Override
    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("protocol", protocol);
        fields.put("trial", trial);
        fields.put("kind", kind);
        fields.put("model", model);
        fields.put("model_sha256", modelSha256);
        fields.put("accelerator", accelerator);
        fields.put("threads", threads);
        fields.put("xnnpack", xnnpack);
        fields.put("warmup_runs", warmupRuns);
        fields.put("warmup_seconds", warmupSeconds);
        fields.put("runs", runs);
        fields.put("seconds", seconds);
        fields.put("max_seconds", maxSeconds);
        fields.put("seed", seed);
        fields.put("inputs", inputs);
        fields.put("inputs_sha256", inputsSha256);
        fields.put("outputs_folder", outputsFolder);
        fields.put("cpus", cpus);
        fields.put("trace_seconds", traceSeconds);
        fields.put("windows", windows);
        fields.put("window_seconds", windowSeconds);
        fields.put("packing", packing);
        fields.put("unpacked_sha256", unpackedSha256);
        fields.put("unpacked_bytes", unpackedBytes);
        // As the host writes them: only where something is asked for, or there to be shown.
        if (!precision.isEmpty()) {
            fields.put("precision", precision);
        }
        if (!preference.isEmpty()) {
            fields.put("preference", preference);
        }
        if (!cluster.isEmpty()) {
            fields.put("cluster", cluster);
        }
        if (serialization) {
            fields.put("serialization", true);
        }
        if (!shownModel.isEmpty()) {
            fields.put("shown_model", shownModel);
        }
        if (!shownRecipe.isEmpty()) {
            fields.put("shown_recipe", shownRecipe);
        }
        if (shownTrials > 0) {
            fields.put("shown_trial", shownTrial);
            fields.put("shown_trials", shownTrials);
        }
        return fields;
    }
}
