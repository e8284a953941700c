/* A socket that never blocks, and poll() with what is left until the deadline. */
#include "client/redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/deadline.h"
#include "client/host_lookup.h"

#define RECEIVE_BYTES 16384
/* What a status, an error, a number and a text begin with. */
#define REPLY_KINDS "+-:$"

struct redis_link {
    int fd;     /* -1: none */
    bool heard; /* anything of the reply to the last command */
    redisReader *reader;
};

/* True when `events` came by the deadline, or an error that the next step will meet. */
static bool wait_for(int fd, short events, int64_t deadline) {
    struct pollfd watched = {.fd = fd, .events = events};
    for (;;) {
        int came = poll(&watched, 1, deadline_left_ms(deadline));
        if (came >= 0) return came > 0;
        if (errno != EINTR) return false;
    }
}

/* A connected socket, or -1. */
static int connect_by(const struct sockaddr *to, socklen_t size, int64_t deadline) {
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), failed = 0, at_once = 1;
    if (fd < 0) return -1;
    if (to->sa_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    if (!connect(fd, to, size)) return fd;
    socklen_t failed_size = sizeof failed;
    if ((errno == EINPROGRESS || errno == EINTR) && wait_for(fd, POLLOUT, deadline) &&
        !getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &failed_size) && !failed)
        return fd;
    close(fd);
    return -1;
}

static int connect_path(const char *path, int64_t deadline) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, path, sizeof to.sun_path - 1); /* redis_address.c has seen to it that it fits */
    return connect_by((const struct sockaddr *)&to, sizeof to, deadline);
}

/* Each of a host's addresses gets its share of the time that is left, so that one that swallows packets does not take it all. */
static int connect_host(const char *host, const char *port, int64_t deadline) {
    host_address addresses[HOST_ADDRESSES_MAX];
    size_t count = host_lookup(host, port, deadline, addresses);
    int fd = -1;
    for (size_t i = 0; i < count && fd < 0; i++)
        fd = connect_by((const struct sockaddr *)&addresses[i].name, addresses[i].size,
                        deadline_in(deadline_left_ms(deadline) / (int)(count - i)));
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t size, int64_t deadline, bool *ended) {
    while (size) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline)) return false;
        } else if (errno != EINTR) {
            *ended = errno == EPIPE || errno == ECONNRESET;
            return false;
        }
    }
    return true;
}

/* Receives once, and gives it to the reader. */
static bool receive(redis_link *self, int64_t deadline, bool *ended) {
    char bytes[RECEIVE_BYTES];
    ssize_t got = recv(self->fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return wait_for(self->fd, POLLIN, deadline);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) {
        *ended = (got == 0 || errno == ECONNRESET) && !self->heard;
        return false;
    }
    /* Nothing is asked that is answered with a list, and hiredis makes room for one of any length that a server names. */
    if (!self->heard && !strchr(REPLY_KINDS, bytes[0])) return false;
    self->heard = true;
    return redisReaderFeed(self->reader, bytes, (size_t)got) == REDIS_OK;
}

static redisReply *take_reply(redis_link *self, int64_t deadline, bool *ended) {
    void *reply = NULL;
    while (redisReaderGetReply(self->reader, &reply) == REDIS_OK && !reply) {
        /* The reader may be fed for as long as the server sends; the deadline holds all the same. */
        if (self->reader->len > REDIS_REPLY_BYTES_MAX || !deadline_left_ms(deadline)) return NULL;
        if (!receive(self, deadline, ended)) return NULL;
    }
    if (reply && self->reader->pos == self->reader->len) return reply;
    if (reply) freeReplyObject(reply); /* more came than was asked for: which reply is whose is no longer known */
    return NULL;
}

redisReply *redis_link_ask(redis_link *self, const redis_word *words, size_t count, int64_t deadline, bool *ended) {
    const char *bytes[REDIS_WORDS_MAX];
    size_t sizes[REDIS_WORDS_MAX];
    char *command = NULL;
    *ended = false;
    self->heard = false;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = words[i].bytes;
        sizes[i] = words[i].size;
    }
    long long size = redisFormatCommandArgv(&command, (int)count, bytes, sizes);
    if (size <= 0) return NULL;
    bool sent = send_all(self->fd, command, (size_t)size, deadline, ended);
    redisFreeCommand(command);
    return sent ? take_reply(self, deadline, ended) : NULL;
}

/* Asks for something to which there is one good answer. */
static bool must(redis_link *self, const redis_word *words, size_t count, int64_t deadline) {
    bool ended;
    redisReply *reply = redis_link_ask(self, words, count, deadline, &ended);
    bool done = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply) freeReplyObject(reply);
    return done;
}

static redis_word word(const char *text) { return (redis_word){text, strlen(text)}; }

static bool introduce(redis_link *self, const redis_address *to, int64_t deadline) {
    if (to->password) {
        redis_word words[3] = {word("AUTH")};
        size_t count = 1;
        if (to->user) words[count++] = word(to->user);
        words[count++] = word(to->password);
        if (!must(self, words, count, deadline)) return false;
    }
    if (!to->database) return true;
    return must(self, (redis_word[]){word("SELECT"), word(to->database)}, 2, deadline);
}

redis_link *redis_link_open(const redis_address *to, int64_t deadline) {
    redis_link *self = malloc(sizeof *self);
    if (!self) return NULL;
    *self = (redis_link){.fd = -1};
    self->reader = redisReaderCreate();
    if (self->reader)
        self->fd = to->path ? connect_path(to->path, deadline) : connect_host(to->host, to->port, deadline);
    if (self->fd >= 0 && introduce(self, to, deadline)) return self;
    redis_link_close(self);
    return NULL;
}

void redis_link_close(redis_link *self) {
    if (!self) return;
    redis_link_abandon(self);
    if (self->reader) redisReaderFree(self->reader);
    free(self);
}

void redis_link_abandon(redis_link *self) {
    if (!self || self->fd < 0) return;
    int fd = self->fd;
    self->fd = -1; /* first, so that a child never closes a number that has become something else */
    close(fd);
}
