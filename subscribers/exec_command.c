/* Commands. The stdin of one for an event is a file in memory, not a pipe: nobody waits for a command that does not read. */
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
static int spawn(char *const argv[], int stdin_fd, int stdout_fd, char *const entries[], pid_t *pid) {
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
    failed =
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!failed) failed = posix_spawnattr_setsigmask(&attributes, &none);
    if (!failed) failed = posix_spawnattr_setsigdefault(&attributes, &ours);
    if (!failed) failed = posix_spawnattr_setpgroup(&attributes, 0);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
    if (!failed && stdout_fd >= 0) failed = posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
    if (!failed) failed = posix_spawnp(pid, argv[0], &actions, &attributes, argv, entries);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

static void reap(pid_t pid, int *status) {
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
    }
}

static bool start(command *self, char *const argv[], int stdin_fd, int stdout_fd, char *const entries[],
                  int64_t timeout_ms, command_result *why) {
    *self = (command){.process = -1, .begun = clock_ms(), .due = timeout_ms ? clock_after(timeout_ms) : CLOCK_NEVER};
    const int failed = spawn(argv, stdin_fd, stdout_fd, entries, &self->pid);
    if (failed) {
        const bool never = failed == ENOENT || failed == EACCES || failed == ENOEXEC || failed == ENOTDIR;
        *why = (command_result){never ? COMMAND_NOT_FOUND : COMMAND_NOT_RUN, failed};
        self->pid = 0;
        return false;
    }
    self->process = pidfd_open(self->pid, 0);
    if (self->process >= 0) return true;
    /* No descriptor left: nobody would see it end. */
    *why = (command_result){COMMAND_NOT_RUN, errno};
    int status;
    kill(-self->pid, SIGKILL);
    reap(self->pid, &status);
    self->pid = 0;
    return false;
}

bool command_start(command *self, char *const argv[], const steno_event *event, unsigned attempt, int64_t timeout_ms,
                   command_result *why) {
    *self = (command){.process = -1};
    cleanup_close int stdin_fd = open_stdin(event);
    *why = (command_result){COMMAND_NOT_RUN, errno};
    if (stdin_fd < 0) return false;
    cleanup_free environment *variables = make_environment(event, attempt);
    *why = (command_result){COMMAND_NOT_RUN, ENOMEM};
    return variables && start(self, argv, stdin_fd, -1, variables->entries, timeout_ms, why);
}

bool command_start_stream(command *self, char *const argv[], int stdin_fd, int stdout_fd, command_result *why) {
    return start(self, argv, stdin_fd, stdout_fd, environ, 0, why);
}

void command_stop(command *self, command_end cause) {
    if (!self->pid || self->cause != COMMAND_EXITED) return;
    self->cause = cause;
    self->due = clock_after(GRACE_MS);
    kill(-self->pid, SIGTERM);
}

/* True once the process has ended (it stays a zombie). */
static bool ended(const command *self) {
    struct pollfd item = {.fd = self->process, .events = POLLIN};
    return poll(&item, 1, 0) > 0 && item.revents;
}

bool command_look(command *self, command_result *result) {
    if (!ended(self)) {
        if (clock_until(self->due) > 0) return false;
        if (self->cause == COMMAND_EXITED) {
            command_stop(self, COMMAND_TIMED_OUT);
        } else {
            kill(-self->pid, SIGKILL);
            self->due = CLOCK_NEVER;
        }
        return false;
    }
    /* What it left behind in its group; the group's number is ours until its leader is reaped. */
    if (self->cause != COMMAND_EXITED) kill(-self->pid, SIGKILL);
    int status;
    reap(self->pid, &status);
    close(self->process);
    const command_end cause = self->cause;
    *self = (command){.process = -1};
    *result = WIFSIGNALED(status) ? (command_result){COMMAND_SIGNALLED, WTERMSIG(status)}
                                  : (command_result){COMMAND_EXITED, WEXITSTATUS(status)};
    if (cause != COMMAND_EXITED) *result = (command_result){cause, 0};
    return true;
}

void command_describe(const command_result *result, int64_t timeout_ms, char *out, size_t size) {
    switch (result->end) {
    case COMMAND_EXITED: snprintf(out, size, "exited %d", result->code); break;
    case COMMAND_SIGNALLED:
        snprintf(out, size, "was killed by signal %d (%s)", result->code, strsignal(result->code));
        break;
    case COMMAND_TIMED_OUT:
        snprintf(out, size, "took longer than %" PRId64 " s and was killed", timeout_ms / 1000);
        break;
    case COMMAND_INTERRUPTED: snprintf(out, size, "was killed because steno-exec was told twice to stop"); break;
    case COMMAND_NOT_RUN:
    case COMMAND_NOT_FOUND: snprintf(out, size, "could not be run: %s", strerror(result->code)); break;
    }
}
