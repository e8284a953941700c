/* One thread polls all connections; the mutex guards the script and what was noted. */
#include "script_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 400
#define REQUEST_BYTES_MAX (1u << 20)

typedef struct connection {
    int fd;
    char *bytes;
    size_t size;
} connection;

struct script_server {
    pthread_t thread;
    int listener, wake;
    char url[64];
    connection connections[CONNECTIONS_MAX];
    size_t count;
    pthread_mutex_t mutex; /* guards the rest */
    char *bytes;
    size_t size, piece;
    bool keep, stop;
    size_t requests;
    char *last;
};

/* The request's whole length once its head is there, else 0. */
static size_t request_size(const connection *from) {
    const char *head_end = memmem(from->bytes, from->size, "\r\n\r\n", 4);
    if (!head_end) return 0;
    const char *length = strcasestr(from->bytes, "\r\nContent-Length:");
    size_t body = length && length < head_end ? strtoul(length + 17, NULL, 10) : 0;
    return (size_t)(head_end - from->bytes) + 4 + body;
}

/* Appends the bytes from `text` to `end`, with the words replaced that stand for parts of the request. */
static char *expand(const char *text, size_t size, const char *request, size_t *out_size) {
    const char *body = strstr(request, "\r\n\r\n") + 4, *key = strcasestr(request, "Authorization: Bearer ");
    size_t key_size = key ? strcspn(key += 22, "\r") : 0;
    char *out = NULL;
    FILE *stream = open_memstream(&out, out_size);
    assert(stream);
    for (const char *end = text + size, *next; text < end; text = next) {
        next = memchr(text + (*text == '%'), '%', (size_t)(end - text) - (*text == '%'));
        if (!next) next = end;
        if (next - text == 5 && !memcmp(text, "%BODY", 5)) {
            fputs(body, stream);
            next++;
        } else if (next - text == 4 && !memcmp(text, "%KEY", 4)) {
            fwrite(key, 1, key_size, stream);
            next++;
        } else {
            fwrite(text, 1, (size_t)(next - text), stream);
        }
    }
    fclose(stream);
    return out;
}

/* Answers one request; false: the connection is to be closed. */
static bool answer(script_server *self, const connection *to) {
    pthread_mutex_lock(&self->mutex);
    self->requests++;
    free(self->last);
    self->last = strdup(to->bytes);
    size_t size = 0, piece = self->piece;
    char *bytes = self->bytes ? expand(self->bytes, self->size, to->bytes, &size) : NULL;
    bool keep = self->keep || !bytes;
    pthread_mutex_unlock(&self->mutex);
    if (!piece) piece = size;
    for (size_t at = 0; at < size; at += piece)
        if (send(to->fd, bytes + at, piece < size - at ? piece : size - at, MSG_NOSIGNAL) < 0) keep = false;
    free(bytes);
    return keep;
}

static void drop(script_server *self, size_t which) {
    close(self->connections[which].fd);
    free(self->connections[which].bytes);
    self->connections[which] = self->connections[--self->count];
}

/* Reads what there is; false: the connection is to be closed. */
static bool serve(script_server *self, connection *from) {
    ssize_t got = recv(from->fd, from->bytes + from->size, REQUEST_BYTES_MAX - from->size, 0);
    if (got <= 0) return false;
    from->size += (size_t)got;
    from->bytes[from->size] = '\0';
    size_t whole = request_size(from);
    if (!whole || from->size < whole) return true;
    from->size = 0; /* clients do not send the next request before the answer */
    return answer(self, from);
}

static void *run(void *argument) {
    script_server *self = argument;
    for (;;) {
        struct pollfd fds[CONNECTIONS_MAX + 2] = {{.fd = self->wake, .events = POLLIN}};
        fds[1] = (struct pollfd){.fd = self->listener, .events = self->count < CONNECTIONS_MAX ? POLLIN : 0};
        size_t count = self->count;
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = self->connections[i].fd, .events = POLLIN};
        poll(fds, count + 2, -1);
        if (fds[0].revents) return NULL;
        for (size_t i = count; i-- > 0;)
            if (fds[i + 2].revents && !serve(self, &self->connections[i])) drop(self, i);
        if (!fds[1].revents) continue;
        int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        self->connections[self->count++] = (connection){.fd = fd, .bytes = malloc(REQUEST_BYTES_MAX + 1)};
    }
}

script_server *script_server_start(void) {
    script_server *self = calloc(1, sizeof *self);
    assert(self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    self->wake = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&self->mutex, NULL);
    if (bind(self->listener, (struct sockaddr *)&address, size) || listen(self->listener, 512) ||
        getsockname(self->listener, (struct sockaddr *)&address, &size) ||
        pthread_create(&self->thread, NULL, run, self)) {
        perror("script_server");
        abort();
    }
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%d/v1", ntohs(address.sin_port));
    return self;
}

void script_server_stop(script_server *self) {
    if (write(self->wake, &(uint64_t){1}, sizeof(uint64_t)) < 0) abort();
    pthread_join(self->thread, NULL);
    while (self->count) drop(self, 0);
    close(self->listener);
    close(self->wake);
    pthread_mutex_destroy(&self->mutex);
    free(self->bytes);
    free(self->last);
    free(self);
}

const char *script_server_url(const script_server *self) { return self->url; }

void script_server_say(script_server *self, const char *bytes, size_t size, size_t piece, bool keep) {
    char *copy = bytes ? malloc(size + 1) : NULL;
    if (copy) memcpy(copy, bytes, size);
    pthread_mutex_lock(&self->mutex);
    free(self->bytes);
    self->bytes = copy;
    self->size = size;
    self->piece = piece;
    self->keep = keep;
    pthread_mutex_unlock(&self->mutex);
}

size_t script_server_requests(script_server *self) {
    pthread_mutex_lock(&self->mutex);
    size_t requests = self->requests;
    pthread_mutex_unlock(&self->mutex);
    return requests;
}

char *script_server_last(script_server *self) {
    pthread_mutex_lock(&self->mutex);
    char *last = self->last ? strdup(self->last) : NULL;
    pthread_mutex_unlock(&self->mutex);
    return last;
}
