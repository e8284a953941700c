/* A name is looked up by a thread of its own. Who waits no longer leaves the thread behind; it ends with its lookup, and the last of the two frees
 * the job. Callers rest after a failure (CACHE_REST_MS), so few are left behind at a time.
 */
#include "client/host_lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/deadline.h"

/* The longest name that DNS has, and a port's number. */
#define HOST_BYTES 254
#define PORT_BYTES 6

typedef struct job {
    char host[HOST_BYTES], port[PORT_BYTES];
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    bool done, left_behind;
    size_t count;
    host_address found[HOST_ADDRESSES_MAX];
} job;

static size_t look_up(const char *host, const char *port, int flags, host_address out[HOST_ADDRESSES_MAX]) {
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found = NULL;
    size_t count = 0;
    if (getaddrinfo(host, port, &wanted, &found)) return 0;
    for (struct addrinfo *each = found; each && count < HOST_ADDRESSES_MAX; each = each->ai_next) {
        if (each->ai_addrlen > sizeof out->name) continue;
        memcpy(&out[count].name, each->ai_addr, each->ai_addrlen);
        out[count++].size = each->ai_addrlen;
    }
    freeaddrinfo(found);
    return count;
}

static void job_free(job *self) {
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static job *job_new(const char *host, const char *port) {
    if (strlen(host) >= HOST_BYTES || strlen(port) >= PORT_BYTES) return NULL;
    job *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    strcpy(self->host, host);
    strcpy(self->port, port);
    pthread_mutex_init(&self->mutex, NULL);
    deadline_condition(&self->changed);
    return self;
}

static void *job_run(void *argument) {
    job *self = argument;
    host_address found[HOST_ADDRESSES_MAX];
    size_t count = look_up(self->host, self->port, 0, found);
    pthread_mutex_lock(&self->mutex);
    memcpy(self->found, found, count * sizeof *found);
    self->count = count;
    self->done = true;
    bool mine = self->left_behind;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    if (mine) job_free(self);
    return NULL;
}

static bool job_start(job *self) {
    pthread_t thread;
    pthread_attr_t detached;
    sigset_t all, before;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the thread: signals are the app's */
    bool started = !pthread_create(&thread, &detached, job_run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return started;
}

size_t host_lookup(const char *host, const char *port, int64_t deadline, host_address out[HOST_ADDRESSES_MAX]) {
    size_t count = look_up(host, port, AI_NUMERICHOST | AI_NUMERICSERV, out);
    if (count) return count;
    job *asked = job_new(host, port);
    if (!asked) return 0;
    if (!job_start(asked)) {
        job_free(asked);
        return 0;
    }
    const struct timespec until = deadline_time(deadline);
    pthread_mutex_lock(&asked->mutex);
    while (!asked->done && !pthread_cond_timedwait(&asked->changed, &asked->mutex, &until)) {
    }
    bool done = asked->done;
    if (done) {
        count = asked->count;
        memcpy(out, asked->found, count * sizeof *out);
    }
    asked->left_behind = !done;
    pthread_mutex_unlock(&asked->mutex);
    if (done) job_free(asked);
    return count;
}
