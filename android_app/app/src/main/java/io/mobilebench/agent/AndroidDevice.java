package io.mobilebench.agent;

import android.app.ActivityManager;
import android.content.Context;
import android.os.Build;
import android.os.Process;
import android.system.Os;
import android.system.OsConstants;
import java.util.LinkedHashMap;
import java.util.Map;

/** What this phone says of itself. */
final class AndroidDevice {
    private AndroidDevice() {}

    static Map<String, Object> facts(Context context) {
        ActivityManager.MemoryInfo memory = new ActivityManager.MemoryInfo();
        context.getSystemService(ActivityManager.class).getMemoryInfo(memory);
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("system", "Android " + Build.VERSION.RELEASE);
        facts.put("api", Build.VERSION.SDK_INT);
        facts.put("manufacturer", Build.MANUFACTURER);
        facts.put("model", Build.MODEL);
        facts.put("build", Build.FINGERPRINT);
        facts.put("security_patch", Build.VERSION.SECURITY_PATCH);
        facts.put("hardware", Build.HARDWARE);
        if (Build.VERSION.SDK_INT >= 31) {
            facts.put("soc", Build.SOC_MANUFACTURER + " " + Build.SOC_MODEL);
        }
        facts.put("machine", Build.SUPPORTED_ABIS[0]);
        facts.put("bits", Process.is64Bit() ? 64 : 32);
        facts.put("kernel", String.valueOf(System.getProperty("os.version")));
        facts.put("page_size", Os.sysconf(OsConstants._SC_PAGESIZE));
        facts.put("cores", Os.sysconf(OsConstants._SC_NPROCESSORS_CONF));
        facts.put("memory_bytes", memory.totalMem);
        if (isEmulator()) {
            facts.put("virtual", true);
        }
        return facts;
    }

    /** By the names of the emulator's own kernels. */
    private static boolean isEmulator() {
        return Build.HARDWARE.equals("goldfish") || Build.HARDWARE.equals("ranchu");
    }
}
