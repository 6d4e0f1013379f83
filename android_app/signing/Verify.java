import com.android.apksig.ApkVerifier;
import java.io.File;
import java.security.MessageDigest;

/**
 * Verifies an APK's signatures: {@code java -cp APKSIG Verify.java APK}; prints the schemes that
 * verified and the certificate's SHA-256, or the errors.
 */
final class Verify {
    public static void main(String[] arguments) throws Exception {
        ApkVerifier.Result result = new ApkVerifier.Builder(new File(arguments[0])).build().verify();
        if (!result.isVerified()) {
            System.out.println(result.getErrors());
            for (ApkVerifier.Result.V2SchemeSignerInfo signer : result.getV2SchemeSigners()) {
                System.out.println(signer.getErrors());
            }
            for (ApkVerifier.Result.V3SchemeSignerInfo signer : result.getV3SchemeSigners()) {
                System.out.println(signer.getErrors());
            }
            System.exit(1);
        }
        System.out.println("v1 " + result.isVerifiedUsingV1Scheme());
        System.out.println("v2 " + result.isVerifiedUsingV2Scheme());
        System.out.println("v3 " + result.isVerifiedUsingV3Scheme());
        byte[] certificate = result.getSignerCertificates().get(0).getEncoded();
        StringBuilder digest = new StringBuilder("certificate ");
        for (byte octet : MessageDigest.getInstance("SHA-256").digest(certificate)) {
            digest.append(String.format("%02x", octet));
        }
        System.out.println(digest);
    }
}
