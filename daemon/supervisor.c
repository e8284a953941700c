/* Child processes. Invariant: each is in a process group of its own, gets SIGTERM when stenod dies, and is reaped by its own pid. */
#include "daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#include "daemon/clock.h"
#include "daemon/logline.h"

/* Longest line of a child that is passed on whole. */
#define SAID_BYTES 1024
/* Their limit of open files. */
#define CHILD_FILES 1024

typedef struct child {
    const config_subscriber *settings;
    pid_t pid;   /* 0: not running */
    int said_fd; /* its stdout and stderr; -1: none */
    size_t said_size;
    char said[SAID_BYTES];
    unsigned restarts;
    bool killed; /* its time to end was up */
    int64_t pause_ms, started_ms, due_ms;
} child;

struct supervisor {
    config settings;
    char folder[PATH_MAX];      /* of stenod itself: its siblings are found there */
    char dir[PLACE_PATH_BYTES]; /* STENO_DIR for the children; "": as it is */
    bool stopping;
    int64_t kill_ms;
    child children[CONFIG_SUBSCRIBERS_MAX];
};

steno_status supervisor_new(const config *settings, const place *where, supervisor **out, steno_error *error) {
    *out = NULL;
    supervisor *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for subscribers");
    self->settings = *settings;
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size > 0) {
        path[size] = '\0';
        snprintf(self->folder, sizeof self->folder, "%s", dirname(path));
    }
    /* One folder for both means STENO_DIR or --dir: the children must use the same. */
    if (!strcmp(where->runtime, where->state)) snprintf(self->dir, sizeof self->dir, "%s", where->state);
    for (size_t i = 0; i < settings->subscriber_count; i++)
        self->children[i] =
            (child){.settings = &self->settings.subscribers[i], .said_fd = -1, .pause_ms = SUPERVISOR_PAUSE_MS};
    *out = self;
    return STENO_OK;
}

void supervisor_free(supervisor *self) {
    if (!self) return;
    for (size_t i = 0; i < supervisor_count(self); i++)
        if (self->children[i].said_fd >= 0) close(self->children[i].said_fd);
    free(self);
}

/* ---- starting ---- */

/* stenod raises its own limit of descriptors; programs that use select(2) rely on the ordinary one. */
static void lower_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur <= CHILD_FILES) return;
    files.rlim_cur = CHILD_FILES;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* In the child. Does not return. */
static _Noreturn void become(const supervisor *self, char **words, int output, pid_t parent) {
    static const int changed[] = {SIGTERM, SIGINT, SIGCHLD, SIGPIPE, SIGXFSZ, SIGHUP};
    setpgid(0, 0); /* Ctrl-C in a terminal is for stenod, which stops its children in its own time */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1); /* it died before that was set */
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) signal(changed[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    lower_file_limit();
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (self->dir[0]) setenv("STENO_DIR", self->dir, 1);
    const char *path = getenv("PATH");
    char paths[2 * PATH_MAX + 2];
    snprintf(paths, sizeof paths, "%s:%.*s", self->folder, PATH_MAX, path ? path : "/usr/local/bin:/usr/bin:/bin");
    setenv("PATH", paths, 1);
    execvp(words[0], words);
    fprintf(stderr, "cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static bool start(const supervisor *self, child *one) {
    wordexp_t words;
    int said[2];
    if (wordexp(one->settings->command, &words, WRDE_NOCMD)) return false;
    if (pipe2(said, O_CLOEXEC | O_NONBLOCK)) {
        wordfree(&words);
        return false;
    }
    /* A child writes to it as to a terminal: it may wait. */
    fcntl(said[1], F_SETFL, fcntl(said[1], F_GETFL) & ~O_NONBLOCK);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(self, words.we_wordv, said[1], parent);
    wordfree(&words);
    close(said[1]);
    if (pid < 0) {
        close(said[0]);
        return false;
    }
    setpgid(pid, pid); /* whoever comes first, the child or we */
    if (one->said_fd >= 0) close(one->said_fd);
    one->said_fd = said[0];
    one->said_size = 0;
    one->pid = pid;
    one->started_ms = clock_ms();
    return true;
}

static void wait_longer(child *one) {
    one->due_ms = clock_ms() + one->pause_ms;
    one->pause_ms = one->pause_ms * 2 < SUPERVISOR_PAUSE_MS_MAX ? one->pause_ms * 2 : SUPERVISOR_PAUSE_MS_MAX;
}

static int64_t run_child(supervisor *self, child *one, int64_t now) {
    if (self->stopping) {
        if (!one->pid || one->killed) return INT64_MAX;
        if (now < self->kill_ms) return self->kill_ms;
        logline("subscriber %s does not end: killed", one->settings->name);
        kill(-one->pid, SIGKILL);
        one->killed = true;
        return INT64_MAX;
    }
    if (one->pid) return INT64_MAX;
    if (now < one->due_ms) return one->due_ms;
    if (start(self, one)) return INT64_MAX;
    logline("cannot start subscriber %s: %s", one->settings->name, strerror(errno));
    wait_longer(one);
    return one->due_ms;
}

int64_t supervisor_run(supervisor *self) {
    int64_t now = clock_ms(), next = INT64_MAX;
    for (size_t i = 0; i < supervisor_count(self); i++) {
        int64_t due = run_child(self, &self->children[i], now);
        if (due < next) next = due;
    }
    return next;
}

/* ---- listening ---- */

static void say(child *one, size_t size) {
    if (size > 0) logline("[%s] %.*s", one->settings->name, (int)size, one->said);
}

/* Passes on whole lines, and at the end or when the buffer is full what there is. */
static void pass_on(child *one, bool all) {
    for (char *end; (end = memchr(one->said, '\n', one->said_size));) {
        size_t line = (size_t)(end - one->said);
        say(one, line);
        one->said_size -= line + 1;
        memmove(one->said, end + 1, one->said_size);
    }
    if (all || one->said_size == SAID_BYTES) {
        say(one, one->said_size);
        one->said_size = 0;
    }
}

/* Reads a bounded amount, so that a child that never stops talking does not keep the loop. */
static void listen_to(child *one) {
    for (int turn = 0; turn < 16 && one->said_fd >= 0; turn++) {
        ssize_t size = read(one->said_fd, one->said + one->said_size, SAID_BYTES - one->said_size);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) {
            pass_on(one, true);
            close(one->said_fd);
            one->said_fd = -1;
            return;
        }
        one->said_size += (size_t)size;
        pass_on(one, false);
    }
}

void supervisor_listen(supervisor *self) {
    for (size_t i = 0; i < supervisor_count(self); i++) listen_to(&self->children[i]);
}

int supervisor_poll_items(const supervisor *self, zmq_pollitem_t *items) {
    int count = 0;
    for (size_t i = 0; i < supervisor_count(self); i++)
        if (self->children[i].said_fd >= 0)
            items[count++] = (zmq_pollitem_t){.fd = self->children[i].said_fd, .events = ZMQ_POLLIN};
    return count;
}

/* ---- ending ---- */

static void ended(const supervisor *self, child *one, int how) {
    listen_to(one);
    one->pid = 0;
    if (self->stopping) return;
    if (clock_ms() - one->started_ms >= SUPERVISOR_SETTLED_MS) one->pause_ms = SUPERVISOR_PAUSE_MS;
    if (WIFSIGNALED(how))
        logline("subscriber %s was ended by signal %d; again in %.1f s", one->settings->name, WTERMSIG(how),
                (double)one->pause_ms / 1000);
    else
        logline("subscriber %s exited with %d; again in %.1f s", one->settings->name, WEXITSTATUS(how),
                (double)one->pause_ms / 1000);
    one->restarts++;
    wait_longer(one);
}

void supervisor_reap(supervisor *self) {
    for (size_t i = 0; i < supervisor_count(self); i++) {
        child *one = &self->children[i];
        int how;
        if (one->pid && waitpid(one->pid, &how, WNOHANG) == one->pid) ended(self, one, how);
    }
}

bool supervisor_kill(supervisor *self, pid_t pid) {
    for (size_t i = 0; i < supervisor_count(self); i++)
        if (self->children[i].pid == pid) return !kill(-pid, SIGKILL);
    return false;
}

void supervisor_stop(supervisor *self) {
    if (self->stopping) return;
    self->stopping = true;
    self->kill_ms = clock_ms() + SUPERVISOR_STOP_MS;
    for (size_t i = 0; i < supervisor_count(self); i++)
        if (self->children[i].pid) kill(self->children[i].pid, SIGTERM);
}

bool supervisor_idle(const supervisor *self) {
    for (size_t i = 0; i < supervisor_count(self); i++)
        if (self->children[i].pid) return false;
    return true;
}

size_t supervisor_count(const supervisor *self) { return self->settings.subscriber_count; }

supervisor_child supervisor_child_at(const supervisor *self, size_t index) {
    const child *one = &self->children[index];
    return (supervisor_child){.name = one->settings->name,
                              .command = one->settings->command,
                              .state = one->pid         ? "running"
                                       : self->stopping ? "stopped"
                                                        : "waiting",
                              .pid = one->pid,
                              .restarts = one->restarts};
}
