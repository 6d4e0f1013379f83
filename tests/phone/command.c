// Every Android command of the virtual phone is this program under another name. It hands its
// words, its three standard streams and a fresh unix socket to the phone's model, and exits with
// the code that the model answers.
//
// The unix socket is made here because it belongs to the phone's network namespace: the model
// binds it to an abstract name, and adbd, which lives in that namespace, can reach it.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **words) {
    char message[65536];
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        size_t size = strlen(words[i]) + 1;
        if (length + size > sizeof message) return 126;
        memcpy(message + length, words[i], size);
        length += size;
    }
    struct sockaddr_un address = {AF_UNIX, "/dev/socket/model"};
    int model = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(model, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "%s: Can't find service: %s\n", words[0], words[0]);
        return 20;
    }
    int descriptors[4] = {0, 1, 2, socket(AF_UNIX, SOCK_STREAM, 0)};
    struct iovec part = {message, length};
    union { char space[CMSG_SPACE(sizeof descriptors)]; struct cmsghdr header; } control;
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1,
                            .msg_control = control.space, .msg_controllen = sizeof control.space};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(&control.header), descriptors, sizeof descriptors);
    if (sendmsg(model, &packet, 0) < 0) return 126;
    unsigned char code;
    return read(model, &code, 1) == 1 ? code : 255;
}
