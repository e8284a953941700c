/* SIGTERM and SIGINT: the handler touches one eventfd, two atomics and the subscriber's stop, all async-signal-safe. */
#include "subscribers/stop_signal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int wake = -1;
static atomic_int count;
static _Atomic(steno_subscriber *) watched;

static void on_signal(int number) {
    (void)number;
    const int saved = errno;
    const uint64_t one = 1;
    atomic_fetch_add(&count, 1);
    ssize_t written = write(wake, &one, sizeof one);
    (void)written;
    steno_subscriber_stop(atomic_load(&watched));
    errno = saved;
}

steno_status stop_signal_install(steno_error *error) {
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) return steno_fail(error, STENO_SYSTEM, "cannot make an eventfd: %s", strerror(errno));
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL) || sigaction(SIGPIPE, &ignore, NULL))
        return steno_fail(error, STENO_SYSTEM, "cannot take over signals: %s", strerror(errno));
    return STENO_OK;
}

void stop_signal_watch(steno_subscriber *subscriber) {
    atomic_store(&watched, subscriber);
    if (stop_signal_count() > 0) steno_subscriber_stop(subscriber);
}

int stop_signal_count(void) { return atomic_load(&count); }

int stop_signal_fd(void) { return wake; }

void stop_signal_drain(void) {
    uint64_t value;
    while (read(wake, &value, sizeof value) < 0 && errno == EINTR) {
    }
}

bool stop_signal_wait(int ms) {
    struct pollfd item = {.fd = wake, .events = POLLIN};
    if (stop_signal_count() == 0) poll(&item, 1, ms);
    return stop_signal_count() > 0;
}
