/* The way of an event out of the app: spool first, then wake the sender. After a fork the child gets a spool, a sender and an
 * identity of its own the first time it publishes.
 */
#include "client/publisher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/fork_watch.h"
#include "client/sender.h"
#include "schema/identity.h"
#include "schema/spool.h"

/* Held while a publisher is opened anew, and over every fork, so that a child never finds it held by a thread it does not have. */
static pthread_mutex_t reopening = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handlers = PTHREAD_ONCE_INIT;

struct publisher {
    place where;
    size_t spool_bytes_max;
    atomic_uint generation; /* that `id`, `writer` and `sender` belong to */
    uint8_t id[SPOOL_PUBLISHER_BYTES];
    spool_writer *writer;
    sender *sender;
};

static void before_fork(void) { pthread_mutex_lock(&reopening); }
static void after_fork(void) { pthread_mutex_unlock(&reopening); }
static void add_handlers(void) { pthread_atfork(before_fork, after_fork, after_fork); }

/* A new identity with its spool and sender; nothing is left behind where it fails. */
static steno_status open_identity(publisher *self, steno_error *error) {
    identity_random(self->id);
    steno_status status = spool_writer_open(self->where.spool, self->id, self->spool_bytes_max, &self->writer, error);
    if (status) return status;
    status = sender_start(&self->where, self->id, self->writer, &self->sender, error);
    if (status) {
        spool_writer_close(self->writer);
        self->writer = NULL;
    }
    return status;
}

steno_status publisher_open(const place *where, size_t spool_bytes_max, publisher **out, steno_error *error) {
    *out = NULL;
    pthread_once(&handlers, add_handlers);
    publisher *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a publisher");
    self->where = *where;
    self->spool_bytes_max = spool_bytes_max ? spool_bytes_max : SPOOL_BYTES_MAX;
    atomic_store(&self->generation, fork_generation());
    steno_status status = open_identity(self, error);
    if (status) {
        free(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

/* In a child of the process that opened the publisher: what is there belongs to the parent. */
static steno_status reopen(publisher *self, steno_error *error) {
    steno_status status = STENO_OK;
    pthread_mutex_lock(&reopening);
    unsigned now = fork_generation();
    if (atomic_load(&self->generation) != now) {
        sender_abandon(self->sender);
        spool_writer_abandon(self->writer);
        self->sender = NULL;
        self->writer = NULL;
        status = open_identity(self, error);
        if (!status) atomic_store(&self->generation, now);
    }
    pthread_mutex_unlock(&reopening);
    return status;
}

void publisher_close(publisher *self) {
    if (!self) return;
    if (atomic_load(&self->generation) == fork_generation()) {
        sender_stop(self->sender);
        spool_writer_close(self->writer);
    } else {
        sender_abandon(self->sender);
        spool_writer_abandon(self->writer);
    }
    free(self);
}

/* Everything but waking the sender. */
static steno_status keep(publisher *self, const void *body, size_t size, steno_receipt *receipt, steno_error *error) {
    if (size == 0 || size > STENO_EVENT_BYTES_MAX)
        return steno_fail(error, STENO_INVALID, "an event of %zu bytes; 1 to %u are possible", size,
                          STENO_EVENT_BYTES_MAX);
    if (atomic_load_explicit(&self->generation, memory_order_acquire) != fork_generation()) {
        steno_status status = reopen(self, error);
        if (status) return status;
    }
    uint64_t seq;
    steno_status status = spool_append(self->writer, body, size, &seq, error);
    if (receipt) {
        memcpy(receipt->publisher, self->id, sizeof receipt->publisher);
        receipt->seq = seq;
    }
    if (status) sender_offer_unspooled(self->sender, seq, body, size);
    return status;
}

steno_status publisher_publish(publisher *self, const void *body, size_t size, steno_receipt *receipt,
                               steno_error *error) {
    steno_status status = keep(self, body, size, receipt, error);
    if (self->sender) sender_wake(self->sender); /* NULL: a child that could not open one */
    return status;
}

steno_status publisher_publish_first(publisher *self, const void *body, size_t size, steno_error *error) {
    return keep(self, body, size, NULL, error);
}
