/* The thread. Earlier stages of a call are kept by call_id until its terminal event, so that a hook sees the same cumulative view as a synchronous one. */
#include "client/hook_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "client/deadline.h"
#include "client/fork_watch.h"
#include "client/hooks.h"

/* Calls whose earlier stages are kept at once: buckets by call_id, each with as many. Those that never end are pushed out. */
#define BUCKETS 1024
#define BUCKET_CALLS_MAX 16

typedef struct queued {
    struct queued *next;
    size_t size;
    char body[];
} queued;

/* An event with the stages before it. */
typedef struct stage {
    steno_event *event;
    queued *body; /* what it was decoded from */
} stage;

typedef struct open_call {
    struct open_call *next;
    stage pre, post;
} open_call;

struct hook_thread {
    steno_client *client; /* borrowed */
    unsigned generation;
    pthread_t thread;
    open_call *calls[BUCKETS]; /* the thread's own */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    queued *first, **end;
    size_t count, bytes;
    uint64_t added, shown, missed;
    bool stop;
};

/* ---- earlier stages ---- */

static void stage_free(stage *which) {
    steno_event_free(which->event);
    free(which->body);
    *which = (stage){0};
}

static void call_drop(open_call **link) {
    open_call *gone = *link;
    *link = gone->next;
    stage_free(&gone->post);
    stage_free(&gone->pre);
    free(gone);
}

static open_call **call_of(hook_thread *self, const char *call_id) {
    open_call **link = &self->calls[XXH3_64bits(call_id, strlen(call_id)) % BUCKETS];
    while (*link && strcmp(steno_event_string((*link)->pre.event, "call_id"), call_id)) link = &(*link)->next;
    return link;
}

/* Keeps a pre_api_call, the first or of a later attempt. */
static void keep_pre(hook_thread *self, const char *call_id, stage now) {
    open_call **link = call_of(self, call_id), *held = *link;
    if (held) {
        stage_free(&held->post);
        stage_free(&held->pre);
        held->pre = now;
        return;
    }
    if (!(held = calloc(1, sizeof *held))) {
        stage_free(&now);
        return;
    }
    held->pre = now;
    *link = held; /* the bucket's last, and newest */
    open_call **oldest = &self->calls[XXH3_64bits(call_id, strlen(call_id)) % BUCKETS];
    size_t count = 0;
    for (open_call *each = *oldest; each; each = each->next) count++;
    if (count > BUCKET_CALLS_MAX) call_drop(oldest);
}

/* ---- showing ---- */

static void show(hook_thread *self, queued *body) {
    const steno_client *client = self->client;
    stage now = {.body = body};
    if (steno_event_decode(body->body, body->size, &now.event, NULL)) {
        free(body);
        return;
    }
    steno_event_kind kind = steno_event_kind_of(now.event);
    const char *call_id = steno_event_string(now.event, "call_id");
    open_call **link = call_id ? call_of(self, call_id) : NULL, *held = link ? *link : NULL;
    if (held && kind != STENO_PRE_API_CALL)
        steno_event_join(now.event, held->post.event ? held->post.event : held->pre.event);
    for (size_t i = 0; i < client->hooks_count; i++) {
        steno_event_fn fn = client->hooks[i].asynchronous ? hooks_function(&client->hooks[i], kind) : NULL;
        if (fn) fn(now.event, client->hooks[i].ctx);
    }
    if (kind == STENO_PRE_API_CALL && call_id) {
        keep_pre(self, call_id, now);
    } else if (kind == STENO_POST_API_CALL && held) {
        stage_free(&held->post);
        held->post = now;
    } else {
        if (held && kind != STENO_STREAM_EVENT) call_drop(link);
        stage_free(&now);
    }
}

/* The next that waits; NULL: it is time to stop, and nothing waits. */
static queued *take(hook_thread *self) {
    pthread_mutex_lock(&self->mutex);
    while (!self->first && !self->stop) pthread_cond_wait(&self->changed, &self->mutex);
    queued *next = self->first;
    if (next) {
        self->first = next->next;
        if (!self->first) self->end = &self->first;
        self->count--;
        self->bytes -= next->size;
    }
    pthread_mutex_unlock(&self->mutex);
    return next;
}

static void *run(void *argument) {
    hook_thread *self = argument;
    for (queued *next; (next = take(self));) {
        show(self, next);
        pthread_mutex_lock(&self->mutex);
        self->shown++;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->mutex);
    }
    return NULL;
}

/* ---- starting and stopping ---- */

static void init_waiting(hook_thread *self) {
    pthread_mutex_init(&self->mutex, NULL);
    deadline_condition(&self->changed);
}

/* With every signal blocked: they are the application's. */
static int start(hook_thread *self) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->thread, NULL, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

steno_status hook_thread_start(steno_client *client, hook_thread **out, steno_error *error) {
    hook_thread *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the hooks' thread");
    self->client = client;
    self->generation = fork_generation();
    self->end = &self->first;
    init_waiting(self);
    int failed = start(self);
    if (failed) {
        free(self);
        return steno_fail(error, STENO_SYSTEM, "cannot start the hooks' thread: %s", strerror(failed));
    }
    *out = self;
    return STENO_OK;
}

void hook_thread_stop(hook_thread *self) {
    if (!self) return;
    /* A parent's thread is not here: what it holds is left alone. */
    if (self->generation != fork_generation()) return;
    pthread_mutex_lock(&self->mutex);
    self->stop = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < BUCKETS; i++)
        while (self->calls[i]) call_drop(&self->calls[i]);
    pthread_mutex_destroy(&self->mutex);
    pthread_cond_destroy(&self->changed);
    free(self);
}

/* After fork the child has the queue but no thread: it starts one of its own, with a queue of its own. Under the fork guard. */
static void revive(hook_thread *self) {
    if (self->generation == fork_generation()) return;
    self->generation = fork_generation();
    memset(self->calls, 0, sizeof self->calls);
    self->count = self->bytes = 0;
    self->first = NULL;
    self->end = &self->first;
    self->added = self->shown = 0;
    init_waiting(self); /* who held or waited for the parent's is not here */
    start(self);
}

void hook_thread_add(hook_thread *self, const void *body, size_t size) {
    fork_guard_lock();
    revive(self);
    fork_guard_unlock();
    queued *item = malloc(sizeof *item + size);
    if (item) {
        item->next = NULL;
        item->size = size;
        memcpy(item->body, body, size);
    }
    pthread_mutex_lock(&self->mutex);
    bool fits = item && self->count < STENO_HOOK_QUEUE_MAX && self->bytes + size <= HOOK_QUEUE_BYTES_MAX;
    if (fits) {
        *self->end = item;
        self->end = &item->next;
        self->count++;
        self->bytes += size;
        self->added++;
        pthread_cond_broadcast(&self->changed);
    } else {
        self->missed++;
    }
    pthread_mutex_unlock(&self->mutex);
    if (!fits) free(item);
}

/* ---- the callers' side ---- */

uint64_t steno_client_hooks_missed(const steno_client *client) {
    hook_thread *self = client->hook_thread;
    if (!self) return 0;
    pthread_mutex_lock(&self->mutex);
    uint64_t missed = self->missed;
    pthread_mutex_unlock(&self->mutex);
    return missed;
}

steno_status steno_client_flush_hooks(steno_client *client, int64_t timeout_ms, steno_error *error) {
    hook_thread *self = client->hook_thread;
    if (!self || self->generation != fork_generation()) return STENO_OK;
    if (pthread_equal(pthread_self(), self->thread))
        return steno_fail(error, STENO_INVALID, "a hook can't wait for the hooks");
    const struct timespec until = deadline_time(deadline_in(timeout_ms < 0 ? 0 : timeout_ms));
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    const uint64_t wanted = self->added;
    while (self->shown < wanted && failed != ETIMEDOUT)
        failed = timeout_ms < 0 ? pthread_cond_wait(&self->changed, &self->mutex)
                                : pthread_cond_timedwait(&self->changed, &self->mutex, &until);
    uint64_t left = wanted > self->shown ? wanted - self->shown : 0;
    pthread_mutex_unlock(&self->mutex);
    if (!left) return STENO_OK;
    return steno_fail(error, STENO_TIMEOUT, "%llu events wait for the hooks after %lld ms", (unsigned long long)left,
                      (long long)timeout_ms);
}
