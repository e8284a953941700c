/* Debian has the server in redis-server, with a service, and in redis-tools under another name: the program goes by the name that it is called. */
#include "redis_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define START_MS_MAX 20000
#define NO_PROGRAM 127

static void run(const redis_server *self, const char *path) {
    char port[8];
    snprintf(port, sizeof port, "%d", self->port);
    char *words[] = {"redis-server",
                     "--port",
                     port,
                     "--bind",
                     "127.0.0.1",
                     "--unixsocket",
                     (char *)path,
                     "--dir",
                     (char *)self->folder,
                     "--save",
                     "",
                     "--appendonly",
                     "no",
                     "--logfile",
                     "redis.log",
                     "--requirepass",
                     (char *)(self->password ? self->password : ""),
                     NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp("redis-server", words);
    execvp("redis-check-rdb", words);
    _exit(NO_PROGRAM);
}

static bool answers(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, path, sizeof to.sun_path - 1);
    char got[8] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool does = !connect(fd, (struct sockaddr *)&to, sizeof to) && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
                recv(fd, got, sizeof got, 0) > 0;
    close(fd);
    return does;
}

void redis_server_start(redis_server *self, const char *folder) {
    char path[100];
    snprintf(self->folder, sizeof self->folder, "%s", folder);
    snprintf(path, sizeof path, "%s/redis.sock", folder);
    snprintf(self->url, sizeof self->url, "unix://%s", path);
    self->pid = fork();
    if (!self->pid) run(self, path);
    assert_true(self->pid > 0);
    for (int i = 0; i < START_MS_MAX / 5 && !answers(path); i++) {
        int status;
        if (waitpid(self->pid, &status, WNOHANG) == self->pid) {
            self->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM)
                fail_msg("no Redis server is installed here (redis-server or redis-check-rdb); ./dev deps installs "
                         "redis-tools");
            fail_msg("the Redis server did not start; see its log in %s", folder);
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_true(answers(path));
}

void redis_server_kill(redis_server *self) {
    if (!self->pid) return;
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    self->pid = 0;
}

void redis_server_hang(const redis_server *self) {
    int status;
    kill(self->pid, SIGSTOP);
    assert_int_equal(waitpid(self->pid, &status, WUNTRACED), self->pid);
}

void redis_server_go_on(const redis_server *self) { kill(self->pid, SIGCONT); }

int redis_server_free_port(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    close(fd);
    return ntohs(name.sin_port);
}
