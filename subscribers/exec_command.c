/* One run of a command. Its stdin is a file in memory, not a pipe: nobody waits for a command that does not read. */
#include "subscribers/exec_command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "schema/clean.h"
#include "subscribers/clock.h"
#include "subscribers/event_line.h"
#include "subscribers/stop_signal.h"

/* Between SIGTERM and SIGKILL. */
#define GRACE_MS 2000
/* Longest value of a variable of ours: a model's name may be anything, and the kernel refuses what is too long. */
#define VARIABLE_BYTES_MAX 1024

/* ---- stdin ---- */

static bool write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* The event's JSON with its offset, in a file of memory, read from its beginning. -1 with errno. */
static int open_stdin(const steno_event *event) {
    size_t size;
    cleanup_free char *line = event_line(event, &size);
    cleanup_close int fd = memfd_create("steno-event", MFD_CLOEXEC);
    if (!line) errno = ENOMEM;
    if (!line || fd < 0 || !write_all(fd, line, size)) return -1;
    if (lseek(fd, 0, SEEK_SET) < 0) return -1;
    int open_fd = fd;
    fd = -1;
    return open_fd;
}

/* ---- environment ---- */

/* Names in the environment, in the order in which they are built. */
enum { OUR_EVENT, OUR_CALL_ID, OUR_OFFSET, OUR_TOPIC, OUR_MODEL, OUR_PROVIDER, OUR_ATTEMPT, OUR_COUNT };

typedef struct environment {
    char ours[OUR_COUNT][VARIABLE_BYTES_MAX];
    char *entries[]; /* inherited ones, ours, NULL */
} environment;

static void set_variable(environment *self, size_t which, const char *name, const char *value) {
    snprintf(self->ours[which], VARIABLE_BYTES_MAX, "%s=%s", name, value ? value : "");
}

static bool is_ours(const environment *self, const char *entry) {
    const char *equals = strchr(entry, '=');
    const size_t size = equals ? (size_t)(equals - entry) + 1 : 0;
    for (size_t i = 0; i < OUR_COUNT && size; i++)
        if (!strncmp(self->ours[i], entry, size)) return true;
    return false;
}

static environment *make_environment(const steno_event *event, unsigned attempt) {
    size_t inherited = 0, count = 0;
    while (environ[inherited]) inherited++;
    environment *self = calloc(1, sizeof *self + (inherited + OUR_COUNT + 1) * sizeof *self->entries);
    if (!self) return NULL;
    char number[24], topic[STENO_TOPIC_BYTES];
    set_variable(self, OUR_EVENT, "STENO_EVENT", steno_event_name(event));
    set_variable(self, OUR_CALL_ID, "STENO_CALL_ID", steno_event_string(event, "call_id"));
    snprintf(number, sizeof number, "%" PRIu64, steno_event_offset(event));
    set_variable(self, OUR_OFFSET, "STENO_OFFSET", number);
    steno_event_topic(event, topic);
    set_variable(self, OUR_TOPIC, "STENO_TOPIC", topic);
    set_variable(self, OUR_MODEL, "STENO_MODEL", steno_event_string(event, "model"));
    set_variable(self, OUR_PROVIDER, "STENO_PROVIDER", steno_event_string(event, "provider"));
    snprintf(number, sizeof number, "%u", attempt);
    set_variable(self, OUR_ATTEMPT, "STENO_ATTEMPT", number);
    for (size_t i = 0; i < inherited; i++)
        if (!is_ours(self, environ[i])) self->entries[count++] = environ[i];
    for (size_t i = 0; i < OUR_COUNT; i++) self->entries[count++] = self->ours[i];
    return self;
}

/* ---- the process ---- */

/* posix_spawnp with a fresh signal state and a process group of its own. Returns 0 or an errno. */
static int spawn(char *const argv[], int stdin_fd, char *const entries[], pid_t *pid) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int failed = posix_spawnattr_init(&attributes);
    if (failed) return failed;
    failed = posix_spawn_file_actions_init(&actions);
    if (failed) {
        posix_spawnattr_destroy(&attributes);
        return failed;
    }
    sigset_t none, ours;
    sigemptyset(&none);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGPIPE);
    if (!failed)
        failed = posix_spawnattr_setflags(&attributes,
                                          POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!failed) failed = posix_spawnattr_setsigmask(&attributes, &none);
    if (!failed) failed = posix_spawnattr_setsigdefault(&attributes, &ours);
    if (!failed) failed = posix_spawnattr_setpgroup(&attributes, 0);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
    if (!failed) failed = posix_spawnp(pid, argv[0], &actions, &attributes, argv, entries);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* True once the process has ended (it stays a zombie); false at the deadline, or when a second stop signal comes. */
static bool wait_for_end(int process, int64_t deadline, bool interruptible) {
    for (;;) {
        struct pollfd items[] = {{.fd = process, .events = POLLIN},
                                 {.fd = interruptible ? stop_signal_fd() : -1, .events = POLLIN}};
        poll(items, 2, clock_until(deadline));
        if (items[0].revents) return true;
        if (items[1].revents & POLLIN) stop_signal_drain();
        if ((interruptible && stop_signal_count() > 1) || clock_until(deadline) == 0) return false;
    }
}

/* Waits for the command, ends it if it must be ended, and reaps it. */
static command_result finish(pid_t pid, int64_t timeout_ms) {
    cleanup_close int process = pidfd_open(pid, 0);
    command_result result = {COMMAND_EXITED, 0};
    if (process < 0) { /* no descriptor left: a command without a time limit must not run on */
        result = (command_result){COMMAND_NOT_RUN, errno};
        kill(-pid, SIGKILL);
    } else if (!wait_for_end(process, timeout_ms ? clock_after(timeout_ms) : CLOCK_NEVER, true)) {
        result.end = stop_signal_count() > 1 ? COMMAND_INTERRUPTED : COMMAND_TIMED_OUT;
        kill(-pid, SIGTERM);
        wait_for_end(process, clock_after(GRACE_MS), false);
        kill(-pid, SIGKILL); /* the group's number is ours until its leader is reaped */
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (result.end != COMMAND_EXITED) return result;
    if (WIFSIGNALED(status)) return (command_result){COMMAND_SIGNALLED, WTERMSIG(status)};
    return (command_result){COMMAND_EXITED, WEXITSTATUS(status)};
}

command_result command_run(char *const argv[], const steno_event *event, unsigned attempt, int64_t timeout_ms) {
    cleanup_close int stdin_fd = open_stdin(event);
    if (stdin_fd < 0) return (command_result){COMMAND_NOT_RUN, errno};
    cleanup_free environment *variables = make_environment(event, attempt);
    if (!variables) return (command_result){COMMAND_NOT_RUN, ENOMEM};
    pid_t pid;
    const int failed = spawn(argv, stdin_fd, variables->entries, &pid);
    if (failed == ENOENT || failed == EACCES || failed == ENOEXEC || failed == ENOTDIR)
        return (command_result){COMMAND_NOT_FOUND, failed};
    if (failed) return (command_result){COMMAND_NOT_RUN, failed};
    return finish(pid, timeout_ms);
}
