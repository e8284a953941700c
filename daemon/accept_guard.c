/* libzmq ends the whole process when accept(2) finds no descriptor left (an assertion in its ipc listener knows ENFILE, but not EMFILE), so anybody
 * who connects often enough could end the daemon. These two stand before libc's for every library in this program: a peer for whom there is no
 * descriptor waits in the backlog. Invariant: EMFILE never comes out.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The listener is asked again at once, for the peer still waits: this keeps it from spinning. */
#define PAUSE_NS 20000000

static int without_emfile(int fd) {
    if (fd >= 0 || errno != EMFILE) return fd;
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    errno = EAGAIN;
    return -1;
}

__attribute__((visibility("default"))) int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    return without_emfile((int)syscall(SYS_accept4, fd, address, size, flags));
}

__attribute__((visibility("default"))) int accept(int fd, struct sockaddr *address, socklen_t *size) {
    return without_emfile((int)syscall(SYS_accept4, fd, address, size, 0));
}
