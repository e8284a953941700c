/* fork, exec, and what comes of it. */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
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
#include "daemon/session.h"

/* Their limit of open files. */
#define CHILD_FILES 1024

/* ---- starting ---- */

/* stenod raises its own limit of descriptors; programs that use select(2) rely on the ordinary one. */
static void lower_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur <= CHILD_FILES) return;
    files.rlim_cur = CHILD_FILES;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* In the child. Does not return. */
static _Noreturn void become(const child_world *world, char **words, int output, pid_t parent) {
    static const int changed[] = {SIGTERM, SIGINT, SIGCHLD, SIGPIPE, SIGXFSZ, SIGHUP};
    setsid(); /* Ctrl-C in a terminal is for stenod, which stops its children in its own time */
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
    if (world->dir[0]) setenv("STENO_DIR", world->dir, 1);
    const char *path = getenv("PATH");
    char paths[2 * PATH_MAX + 2];
    snprintf(paths, sizeof paths, "%s:%.*s", world->folder, PATH_MAX, path ? path : "/usr/local/bin:/usr/bin:/bin");
    setenv("PATH", paths, 1);
    execvp(words[0], words);
    fprintf(stderr, "cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

/* False with errno. */
static bool spawn(child *self, const child_world *world) {
    wordexp_t words;
    int ends[2];
    if (wordexp(self->settings.command, &words, WRDE_NOCMD)) {
        errno = EINVAL; /* it was checked when it was read: a variable of the environment has changed what it says */
        return false;
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
        wordfree(&words);
        return false;
    }
    /* A child writes to it as to a terminal: it may wait. */
    fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) & ~O_NONBLOCK);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(world, words.we_wordv, ends[1], parent);
    const int failed = errno;
    wordfree(&words);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = failed;
        return false;
    }
    said_begin(&self->said, ends[0]);
    self->pid = pid;
    return true;
}

static void wait_longer(child *self) {
    self->due_ms = clock_ms() + self->pause_ms;
    self->pause_ms = self->pause_ms * 2 < CHILD_PAUSE_MS_MAX ? self->pause_ms * 2 : CHILD_PAUSE_MS_MAX;
}

void child_settle(child *self, const config_subscriber *settings) {
    self->settings = *settings;
    self->pause_ms = CHILD_PAUSE_MS;
    self->due_ms = clock_ms();
    self->restarts = 0;
    self->last_exit[0] = self->said.last[0] = '\0';
}

void child_start(child *self, const child_world *world) {
    self->asked = self->killed = false;
    self->started_ms = clock_ms();
    if (spawn(self, world)) return;
    snprintf(self->last_exit, sizeof self->last_exit, "cannot be started: %s", strerror(errno));
    logline("subscriber %s %s", self->settings.name, self->last_exit);
    wait_longer(self);
}

/* ---- ending ---- */

void child_ask_to_end(child *self) {
    self->asked = true;
    self->kill_ms = clock_ms() + self->settings.stop_timeout_ms;
    kill(self->pid, SIGTERM);
}

bool child_kill(child *self) {
    self->killed = true;
    return !kill(self->pid, SIGKILL); /* what is left of its session goes when it is reaped */
}

static void describe(child *self, const siginfo_t *how) {
    snprintf(self->last_exit, sizeof self->last_exit, how->si_code == CLD_EXITED ? "exited with %d" : "signal %d",
             how->si_status);
}

bool child_reap(child *self) {
    siginfo_t how = {0};
    if (!self->pid || waitid(P_PID, (id_t)self->pid, &how, WEXITED | WNOHANG | WNOWAIT) || how.si_pid != self->pid)
        return false;
    /* Others of its session (a pipeline's, steno-exec's commands) would go on beside the next one. */
    session_kill(self->pid);
    waitpid(self->pid, NULL, 0);
    const int64_t now = clock_ms();
    said_end(&self->said, self->settings.name, now);
    self->pid = 0;
    describe(self, &how);
    if (self->asked) {
        self->due_ms = now;
        logline("subscriber %s is stopped: %s", self->settings.name, self->last_exit);
        return true;
    }
    if (now - self->started_ms >= CHILD_SETTLED_MS) self->pause_ms = CHILD_PAUSE_MS;
    logline("subscriber %s %s%s; again in %.1f s", self->settings.name, how.si_code == CLD_EXITED ? "" : "ended by ",
            self->last_exit, (double)self->pause_ms / 1000);
    self->restarts++;
    wait_longer(self);
    return true;
}

void child_release(child *self) {
    said_begin(&self->said, -1);
    *self = (child){.said.fd = -1};
}
