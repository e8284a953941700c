/* Questions to the daemon. */
#include "cli/daemon_call.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

bool daemon_listens(const place *where) {
    static const char scheme[] = "ipc://";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = where->control;
    if (strncmp(path, scheme, strlen(scheme)) == 0) path += strlen(scheme);
    if (strlen(path) >= sizeof address.sun_path) return false;
    strcpy(address.sun_path, path);
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* EAGAIN: it listens, its queue is full. */
    return fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN);
}
