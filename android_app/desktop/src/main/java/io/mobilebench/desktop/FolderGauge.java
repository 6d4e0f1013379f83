package io.mobilebench.desktop;

import io.mobilebench.core.BatteryGauge;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;

/** A battery that a test simulates: a file each for what a phone would answer. */
final class FolderGauge implements BatteryGauge {
    private final File folder;

    FolderGauge(File folder) {
        this.folder = folder;
    }

    @Override
    public Long current() {
        return read("current");
    }

    @Override
    public Long charge() {
        return read("charge");
    }

    @Override
    public Long energy() {
        return read("energy");
    }

    @Override
    public Long voltage() {
        return read("voltage");
    }

    @Override
    public Long plugged() {
        return read("plugged");
    }

    private Long read(String name) {
        File file = new File(folder, name);
        try {
            byte[] text = Files.readAllBytes(file.toPath());
            return Long.valueOf(new String(text, StandardCharsets.UTF_8).trim());
        } catch (IOException | NumberFormatException absent) {
            return null;
        }
    }
}
