package io.mobilebench.agent;

import android.net.LocalServerSocket;
import android.net.LocalSocket;
import android.os.Process;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * A socket in the abstract namespace that answers the shell and root alone.
 *
 * <p>Any app may connect to such a socket; {@code adb forward} does it as one of these two.
 */
final class ShellSocket implements Closeable {
    private static final int ROOT_UID = 0;
    private static final int END_MILLISECONDS = 2000;

    private final LocalServerSocket server;
    private LocalSocket peer;

    ShellSocket(String name) throws IOException {
        server = new LocalServerSocket(name);
    }

    /** Waits for the shell or root; closes anybody else's connection without a word. */
    void accept() throws IOException {
        while (peer == null) {
            LocalSocket connected = server.accept();
            int uid = connected.getPeerCredentials().getUid();
            if (uid == ROOT_UID || uid == Process.SHELL_UID) {
                peer = connected;
            } else {
                connected.close();
            }
        }
    }

    InputStream input() throws IOException {
        return peer.getInputStream();
    }

    OutputStream output() throws IOException {
        return peer.getOutputStream();
    }

    /** Waits until the computer has read everything and closed, or has had time enough. */
    void waitForEnd() throws IOException {
        peer.shutdownOutput();
        peer.setSoTimeout(END_MILLISECONDS);
        byte[] rest = new byte[1024];
        while (peer.getInputStream().read(rest) >= 0) {
            // Whatever it still says is not for us.
        }
    }

    @Override
    public void close() throws IOException {
        if (peer != null) {
            peer.close();
        }
        server.close();
    }
}
