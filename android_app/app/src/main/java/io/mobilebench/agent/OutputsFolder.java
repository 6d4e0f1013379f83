package io.mobilebench.agent;

import android.content.Context;
import java.io.File;

/** Where this app puts what models answered: a folder that the computer can read by adb, too. */
final class OutputsFolder {
    private OutputsFolder() {}

    /**
     * The folder, without what earlier trials left in it; null while this phone has no external
     * storage.
     */
    static File emptied(Context context) {
        File storage = context.getExternalFilesDir(null);
        if (storage == null) {
            return null;
        }
        File folder = new File(storage, "outputs");
        File[] left = folder.listFiles();
        if (left != null) {
            for (File file : left) {
                file.delete();
            }
        }
        return folder;
    }
}
