import com.android.apksig.ApkSigner;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Collections;

/** Signs an APK: {@code java -cp APKSIG Sign.java KEYSTORE PASSWORD ALIAS MINSDK INPUT OUTPUT}. */
final class Sign {
    public static void main(String[] arguments) throws Exception {
        char[] password = arguments[1].toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream file = new FileInputStream(arguments[0])) {
            store.load(file, password);
        }
        PrivateKey key = (PrivateKey) store.getKey(arguments[2], password);
        X509Certificate certificate = (X509Certificate) store.getCertificate(arguments[2]);
        // Version 1 is for Android below 7; version 4 is a file beside the APK.
        new ApkSigner.Builder(
                        Collections.singletonList(
                                new ApkSigner.SignerConfig.Builder(
                                                "mobilebench",
                                                key,
                                                Collections.singletonList(certificate))
                                        .build()))
                .setMinSdkVersion(Integer.parseInt(arguments[3]))
                .setV1SigningEnabled(false)
                .setV2SigningEnabled(true)
                .setV3SigningEnabled(true)
                .setV4SigningEnabled(false)
                .setInputApk(new File(arguments[4]))
                .setOutputApk(new File(arguments[5]))
                .build()
                .sign();
    }
}
