/* The engine of asynchronous calls. The thread owns the multi handle and every call that it has taken on; the mutex guards the queue, the
 * counts and the handles that callers hold. No lock is held while curl works or a callback runs.
 */
#include "client/async.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/call.h"
#include "client/deadline.h"
#include "client/failure.h"
#include "client/fork_watch.h"

/* Longest sleep: wake-ups end it, and while calls are in flight curl's own timers. */
#define POLL_MS 60000

typedef struct task {
    struct task *next;
    call *call;
    CURL *handle;
    steno_done_fn done;
    void *ctx;
    steno_call *held; /* NULL: the caller wanted no handle, or gave it back */
    int64_t due_ms;   /* when its rest ends, on the monotonic clock */
} task;

/* What a caller holds. */
struct steno_call {
    async_engine *engine;
    task *task; /* NULL: ended */
};

struct async_engine {
    steno_client *client; /* borrowed */
    unsigned generation;  /* of the process whose thread this is */
    pthread_t thread;
    CURLM *multi;

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t ended;  /* a call ended; on the monotonic clock */
    task *waiting, **waiting_end;
    size_t waiting_count;
    size_t unfinished; /* waiting, in flight, or in their callback */
    bool cancels;      /* a call may have been cancelled */
    bool stop;

    task *active; /* the thread's own, as the next two */
    size_t active_count;
    task *resting; /* between two attempts */
};

/* ---- the thread ---- */

static void give_handle(async_engine *self, task *which) {
    if (which->handle) handle_give(&self->client->handles, which->handle);
    which->handle = NULL;
}

/* Ends a task: its last event, its callback, and then whoever waits for it. */
static void finish(async_engine *self, task *which) {
    steno_response *response;
    steno_error error = {0};
    call_finish(which->call, &response, &error);
    if (which->done)
        which->done(response, &error, which->ctx);
    else
        steno_response_free(response);
    give_handle(self, which);
    pthread_mutex_lock(&self->mutex);
    if (which->held) which->held->task = NULL;
    self->unfinished--;
    pthread_cond_broadcast(&self->ended);
    pthread_mutex_unlock(&self->mutex);
    call_free(which->call);
    free(which);
}

/* After an attempt: it rests before the next, or is finished. */
static void go_on(async_engine *self, task *which) {
    if (!call_goes_on(which->call)) {
        finish(self, which);
        return;
    }
    give_handle(self, which);
    which->due_ms = deadline_in(which->call->rest_ms);
    which->next = self->resting;
    self->resting = which;
}

static void end_attempt(async_engine *self, task *which, CURLcode code) {
    call_end_attempt(which->call, which->handle, code);
    go_on(self, which);
}

/* Makes an attempt of a task that is in no list. */
static void start(async_engine *self, task *which) {
    call *what = which->call;
    if (call_goes_on(what) && atomic_load(&what->cancelled)) call_cancel(what);
    if (call_goes_on(what) && !(which->handle = handle_take(&self->client->handles)))
        call_fail(what, "no memory for a connection");
    if (!call_goes_on(what)) {
        finish(self, which);
        return;
    }
    if (call_start(what, which->handle)) {
        end_attempt(self, which, CURLE_OK);
        return;
    }
    curl_easy_setopt(which->handle, CURLOPT_PRIVATE, which);
    if (curl_multi_add_handle(self->multi, which->handle)) {
        end_attempt(self, which, CURLE_OUT_OF_MEMORY);
        return;
    }
    which->next = self->active;
    self->active = which;
    self->active_count++;
}

static void leave(async_engine *self, task *which) {
    task **link = &self->active;
    while (*link != which) link = &(*link)->next;
    *link = which->next;
    self->active_count--;
    curl_multi_remove_handle(self->multi, which->handle);
}

static bool is_cancelled(const task *which) { return atomic_load(&which->call->cancelled); }

/* Takes the next task to begin from those that wait, with the mutex held. Where there is no room on the wire it is one that was
 * cancelled, which needs none; `cancels` says that there may be one.
 */
static task *next_waiting(async_engine *self, bool cancels, bool stop) {
    bool room = stop || self->active_count < self->client->async_max;
    if (!room && !cancels) return NULL;
    task **link = &self->waiting;
    while (*link && !room && !is_cancelled(*link)) link = &(*link)->next;
    task *next = *link;
    if (!next) return NULL;
    *link = next->next;
    if (!next->next) self->waiting_end = link;
    self->waiting_count--;
    return next;
}

/* Ends what was cancelled, or everything where it is time to stop, on the wire and at rest. */
static void see_to_cancelled(async_engine *self, bool stop) {
    for (task *which = self->active, *after; which; which = after) {
        after = which->next;
        if (stop) atomic_store(&which->call->cancelled, true);
        if (!is_cancelled(which)) continue;
        leave(self, which);
        end_attempt(self, which, CURLE_ABORTED_BY_CALLBACK);
    }
    for (task **link = &self->resting; *link;) {
        task *which = *link;
        if (!stop && !is_cancelled(which)) {
            link = &which->next;
            continue;
        }
        *link = which->next;
        call_cancel(which->call);
        finish(self, which);
    }
}

/* Takes on what waits, as far as there is room; sees to cancelled calls. False: time to stop. */
static bool take_on(async_engine *self) {
    for (;;) {
        pthread_mutex_lock(&self->mutex);
        bool cancels = self->cancels, stop = self->stop;
        task *next = next_waiting(self, cancels, stop);
        if (!next) self->cancels = false;
        pthread_mutex_unlock(&self->mutex);
        if (stop && next) atomic_store(&next->call->cancelled, true);
        if (cancels || stop) see_to_cancelled(self, stop);
        if (next)
            start(self, next);
        else
            return !stop;
    }
}

/* Starts the attempts whose rest is over, as far as there is room. Returns ms until the next is due, at most POLL_MS. */
static int rouse(async_engine *self) {
    int64_t next_ms = POLL_MS;
    const int64_t now = deadline_in(0);
    task *due = NULL;
    size_t room = self->client->async_max > self->active_count ? self->client->async_max - self->active_count : 0;
    for (task **link = &self->resting; *link;) {
        task *which = *link;
        int64_t left = which->due_ms - now;
        if (left > 0 || !room) {
            if (left > 0 && left < next_ms) next_ms = left;
            link = &which->next;
            continue;
        }
        *link = which->next;
        which->next = due;
        due = which;
        room--;
    }
    for (task *after; due; due = after) {
        after = due->next;
        next_ms = 0;
        start(self, due);
    }
    return (int)next_ms;
}

static void finish_done(async_engine *self) {
    CURLMsg *message;
    for (int left; (message = curl_multi_info_read(self->multi, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        task *which;
        CURLcode code = message->data.result; /* the message goes with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&which);
        leave(self, which);
        end_attempt(self, which, code);
    }
}

static void *engine_run(void *argument) {
    async_engine *self = argument;
    while (take_on(self)) {
        int running;
        curl_multi_perform(self->multi, &running);
        finish_done(self);
        int next_ms = rouse(self);
        pthread_mutex_lock(&self->mutex);
        bool room = self->waiting && self->active_count < self->client->async_max;
        pthread_mutex_unlock(&self->mutex);
        if (!room) curl_multi_poll(self->multi, NULL, 0, next_ms, NULL);
    }
    return NULL;
}

/* ---- starting and stopping ---- */

static void engine_free(async_engine *self) {
    curl_multi_cleanup(self->multi);
    pthread_mutex_destroy(&self->mutex);
    pthread_cond_destroy(&self->ended);
    free(self);
}

static async_engine *engine_new(steno_client *client, steno_error *error) {
    async_engine *self = calloc(1, sizeof *self);
    CURLM *multi = curl_multi_init();
    if (!self || !multi) {
        free(self);
        curl_multi_cleanup(multi);
        steno_fail(error, STENO_NO_MEMORY, "no memory for asynchronous calls");
        return NULL;
    }
    self->client = client;
    self->multi = multi;
    self->generation = fork_generation();
    self->waiting_end = &self->waiting;
    pthread_mutex_init(&self->mutex, NULL);
    deadline_condition(&self->ended);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->thread, NULL, engine_run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        steno_fail(error, STENO_SYSTEM, "cannot start the thread for asynchronous calls: %s", strerror(failed));
        engine_free(self);
        return NULL;
    }
    return self;
}

static async_engine *engine_of(steno_client *client, steno_error *error) {
    fork_guard_lock();
    /* A parent's engine has no thread here: what it holds is the parent's and is left alone. */
    if (!client->async || client->async->generation != fork_generation()) client->async = engine_new(client, error);
    async_engine *self = client->async;
    fork_guard_unlock();
    return self;
}

void async_stop(steno_client *client) {
    async_engine *self = client->async;
    if (!self || self->generation != fork_generation()) return;
    pthread_mutex_lock(&self->mutex);
    self->stop = true;
    pthread_mutex_unlock(&self->mutex);
    curl_multi_wakeup(self->multi);
    pthread_join(self->thread, NULL);
    engine_free(self);
    client->async = NULL;
}

/* ---- the callers' side ---- */

static steno_status submit(steno_client *client, const steno_request *request, call_kind kind, bool stream,
                           steno_chunk_fn on_chunk, steno_done_fn done, void *ctx, steno_call **out,
                           steno_error *error) {
    if (out) *out = NULL;
    async_engine *self = engine_of(client, error);
    if (!self) return error ? error->status : STENO_NO_MEMORY;
    task *which = calloc(1, sizeof *which);
    steno_call *held = out ? calloc(1, sizeof *held) : NULL;
    if (which) which->call = call_new(client, request, kind, stream, true, on_chunk, ctx);
    if (!which || !which->call || (out && !held)) {
        if (which) call_free(which->call);
        free(which);
        free(held);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for an asynchronous call");
    }
    which->done = done;
    which->ctx = ctx;
    which->held = held;
    if (held) *held = (steno_call){.engine = self, .task = which};
    pthread_mutex_lock(&self->mutex);
    bool room = self->waiting_count < ASYNC_WAITING_MAX;
    if (room) {
        *self->waiting_end = which;
        self->waiting_end = &which->next;
        self->waiting_count++;
        self->unfinished++;
    }
    pthread_mutex_unlock(&self->mutex);
    if (!room) {
        call_free(which->call);
        free(which);
        free(held);
        return steno_fail(error, STENO_LIMIT, "%d asynchronous calls wait already: wait for some of them",
                          ASYNC_WAITING_MAX);
    }
    curl_multi_wakeup(self->multi);
    if (out) *out = held;
    return STENO_OK;
}

steno_status steno_complete_async(steno_client *client, const steno_request *request, steno_done_fn done, void *ctx,
                                  steno_call **out, steno_error *error) {
    return submit(client, request, CALL_CHAT, false, NULL, done, ctx, out, error);
}

steno_status steno_complete_stream_async(steno_client *client, const steno_request *request, steno_chunk_fn on_chunk,
                                         steno_done_fn done, void *ctx, steno_call **out, steno_error *error) {
    return submit(client, request, CALL_CHAT, true, on_chunk, done, ctx, out, error);
}

steno_status steno_embed_async(steno_client *client, const steno_request *request, steno_done_fn done, void *ctx,
                               steno_call **out, steno_error *error) {
    return submit(client, request, CALL_EMBEDDING, false, NULL, done, ctx, out, error);
}

/* Waits until `held` has ended, or, where it is NULL, every call. */
static steno_status wait_for(async_engine *self, const steno_call *held, int64_t timeout_ms, steno_error *error) {
    const struct timespec until = deadline_time(deadline_in(timeout_ms < 0 ? 0 : timeout_ms));
    int result = 0;
    pthread_mutex_lock(&self->mutex);
    while ((held ? held->task != NULL : self->unfinished > 0) && result != ETIMEDOUT)
        result = timeout_ms < 0 ? pthread_cond_wait(&self->ended, &self->mutex)
                                : pthread_cond_timedwait(&self->ended, &self->mutex, &until);
    size_t left = held ? held->task != NULL : self->unfinished;
    pthread_mutex_unlock(&self->mutex);
    if (!left) return STENO_OK;
    return steno_fail(error, STENO_TIMEOUT, "%zu asynchronous call%s not ended within %lld ms", left,
                      left == 1 ? " has" : "s have", (long long)timeout_ms);
}

steno_status steno_wait(steno_client *client, int64_t timeout_ms, steno_error *error) {
    fork_guard_lock();
    async_engine *self = client->async && client->async->generation == fork_generation() ? client->async : NULL;
    fork_guard_unlock();
    return self ? wait_for(self, NULL, timeout_ms, error) : STENO_OK;
}

steno_status steno_call_wait(steno_call *held, int64_t timeout_ms, steno_error *error) {
    return wait_for(held->engine, held, timeout_ms, error);
}

void steno_call_cancel(steno_call *held) {
    async_engine *self = held->engine;
    pthread_mutex_lock(&self->mutex);
    if (held->task) {
        atomic_store(&held->task->call->cancelled, true);
        self->cancels = true;
    }
    pthread_mutex_unlock(&self->mutex);
    curl_multi_wakeup(self->multi);
}

void steno_call_free(steno_call *held) {
    if (!held) return;
    pthread_mutex_lock(&held->engine->mutex);
    if (held->task) held->task->held = NULL;
    pthread_mutex_unlock(&held->engine->mutex);
    free(held);
}
