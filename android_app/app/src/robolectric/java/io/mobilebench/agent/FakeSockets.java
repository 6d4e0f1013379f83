package io.mobilebench.agent;

import android.net.Credentials;
import android.net.LocalServerSocket;
import android.net.LocalSocket;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.robolectric.annotation.Implementation;
import org.robolectric.annotation.Implements;
import org.robolectric.shadow.api.Shadow;

/**
 * Abstract sockets, which a JVM has not: what comes and goes is real, over the loopback interface;
 * the name and the peer's user id, which the kernel would tell, are the test's.
 */
final class FakeSockets {
    private static BlockingQueue<Peer> calling = new LinkedBlockingQueue<>();
    private static BlockingQueue<String> listening = new LinkedBlockingQueue<>();

    private FakeSockets() {}

    /** Forgets everybody; an app of an earlier test may wait for ever, as its process would. */
    static void clear() {
        calling = new LinkedBlockingQueue<>();
        listening = new LinkedBlockingQueue<>();
    }

    /** The name that the app listens on, as soon as it does. */
    static String listening() throws InterruptedException {
        return listening.poll(10, TimeUnit.SECONDS);
    }

    /** Connects as a user. */
    static Peer connect(int uid) throws IOException {
        Peer peer = new Peer(uid);
        calling.add(peer);
        return peer;
    }

    /** The test's side of a connection. */
    static final class Peer implements Closeable {
        final Socket ours;
        private final Socket theirs;
        private final int uid;

        private Peer(int uid) throws IOException {
            this.uid = uid;
            try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                ours = new Socket(server.getInetAddress(), server.getLocalPort());
                theirs = server.accept();
            }
            ours.setSoTimeout(120_000);
        }

        @Override
        public void close() throws IOException {
            ours.close();
        }
    }

    /** Listens on a name. */
    @Implements(LocalServerSocket.class)
    public static class ShadowLocalServerSocket {
        private BlockingQueue<Peer> callers;

        @Implementation
        protected void __constructor__(String name) {
            callers = calling;
            listening.add(name);
        }

        @Implementation
        protected LocalSocket accept() throws IOException {
            try {
                LocalSocket socket = new LocalSocket();
                Shadow.<ShadowLocalSocket>extract(socket).peer = callers.take();
                return socket;
            } catch (InterruptedException error) {
                throw new IOException(error);
            }
        }

        @Implementation
        protected void close() {}
    }

    /** One accepted connection. */
    @Implements(LocalSocket.class)
    public static class ShadowLocalSocket {
        private Peer peer;

        @Implementation
        protected void __constructor__() {}

        @Implementation
        protected Credentials getPeerCredentials() {
            return new Credentials(1, peer.uid, peer.uid);
        }

        @Implementation
        protected InputStream getInputStream() throws IOException {
            return peer.theirs.getInputStream();
        }

        @Implementation
        protected OutputStream getOutputStream() throws IOException {
            return peer.theirs.getOutputStream();
        }

        @Implementation
        protected void setSoTimeout(int milliseconds) throws IOException {
            peer.theirs.setSoTimeout(milliseconds);
        }

        @Implementation
        protected void shutdownOutput() throws IOException {
            peer.theirs.shutdownOutput();
        }

        @Implementation
        protected void close() throws IOException {
            peer.theirs.close();
        }
    }
}
