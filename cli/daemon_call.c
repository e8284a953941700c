/* Questions to the daemon. */
#include "cli/daemon_call.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/program.h"

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

int daemon_begin(const char *verb, steno_control **control, steno_draft **request) {
    steno_error error;
    if (!(*request = steno_draft_new())) return program_fail("out of memory");
    if (steno_control_new(NULL, control, &error)) return program_fail("%s", error.message);
    steno_draft_start(*request);
    steno_draft_string(*request, "verb", verb);
    return EXIT_FINE;
}

int daemon_ask(steno_control *control, steno_draft *request, int64_t timeout_ms, const steno_value **reply) {
    steno_error error;
    return steno_control_call(control, request, timeout_ms, reply, &error) ? program_fail("%s", error.message)
                                                                           : EXIT_FINE;
}
