/* A hash table with a list through it, in order of use. Does no I/O. */
#include "subscribers/open_calls.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

typedef struct stage {
    steno_event *event;
    void *body; /* what it was decoded from */
    size_t size;
} stage;

struct open_call {
    open_call *next;          /* in its bucket */
    open_call *older, *newer; /* by use */
    stage pre, post;
    int64_t mark;
    char call_id[];
};

struct open_calls {
    open_call *buckets[BUCKETS];
    open_call *oldest, *newest;
    size_t count, bytes;
};

open_calls *open_calls_new(void) { return calloc(1, sizeof(open_calls)); }

void open_calls_clear(open_calls *self) {
    while (self->oldest) open_calls_drop(self, self->oldest);
}

void open_calls_free(open_calls *self) {
    if (!self) return;
    open_calls_clear(self);
    free(self);
}

/* ---- by name, and by use ---- */

static open_call **bucket_of(open_calls *self, const char *call_id) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *call_id; call_id++) hash = (hash ^ (unsigned char)*call_id) * 16777619u;
    return &self->buckets[hash % BUCKETS];
}

static open_call **link_of(open_calls *self, const char *call_id) {
    open_call **link = bucket_of(self, call_id);
    while (*link && strcmp((*link)->call_id, call_id)) link = &(*link)->next;
    return link;
}

static void put_newest(open_calls *self, open_call *call) {
    call->older = self->newest;
    call->newer = NULL;
    *(self->newest ? &self->newest->newer : &self->oldest) = call;
    self->newest = call;
}

static void take_out(open_calls *self, open_call *call) {
    *(call->older ? &call->older->newer : &self->oldest) = call->newer;
    *(call->newer ? &call->newer->older : &self->newest) = call->older;
}

open_call *open_calls_find(open_calls *self, const char *call_id) {
    open_call *call = *link_of(self, call_id);
    if (!call) return NULL;
    take_out(self, call);
    put_newest(self, call);
    return call;
}

static void make_room(open_calls *self, const open_call *keep) {
    while ((self->count > OPEN_CALLS_MAX || self->bytes > OPEN_CALLS_BYTES_MAX) && self->oldest != keep)
        open_calls_drop(self, self->oldest);
}

steno_status open_calls_open(open_calls *self, const char *call_id, open_call **out, steno_error *error) {
    *out = open_calls_find(self, call_id);
    if (*out) return STENO_OK;
    const size_t size = strlen(call_id) + 1;
    open_call *call = calloc(1, sizeof *call + size);
    if (!call) return steno_fail(error, STENO_NO_MEMORY, "no memory for a call's earlier stages");
    memcpy(call->call_id, call_id, size);
    call->mark = -1;
    open_call **bucket = bucket_of(self, call_id);
    call->next = *bucket;
    *bucket = call;
    put_newest(self, call);
    self->count++;
    make_room(self, call);
    *out = call;
    return STENO_OK;
}

/* ---- stages ---- */

static void forget(open_calls *self, stage *which) {
    self->bytes -= which->size;
    steno_event_free(which->event);
    free(which->body);
    *which = (stage){0};
}

void open_calls_drop(open_calls *self, open_call *call) {
    *link_of(self, call->call_id) = call->next;
    take_out(self, call);
    forget(self, &call->post);
    forget(self, &call->pre);
    self->count--;
    free(call);
}

steno_status open_calls_keep(open_calls *self, open_call *call, const void *body, size_t size, steno_error *error) {
    stage now = {.body = malloc(size), .size = size};
    if (!now.body) return steno_fail(error, STENO_NO_MEMORY, "no memory for a call's earlier stage");
    memcpy(now.body, body, size);
    steno_status status = steno_event_decode(now.body, size, &now.event, error);
    if (status) {
        free(now.body);
        return status;
    }
    const bool pre = steno_event_kind_of(now.event) == STENO_PRE_API_CALL;
    forget(self, &call->post);
    if (pre) forget(self, &call->pre);
    if (!pre && call->pre.event) steno_event_join(now.event, call->pre.event);
    *(pre ? &call->pre : &call->post) = now;
    self->bytes += size;
    make_room(self, call);
    return STENO_OK;
}

const steno_event *open_call_pre(const open_call *call) { return call->pre.event; }
const steno_event *open_call_post(const open_call *call) { return call->post.event; }
int64_t *open_call_mark(open_call *call) { return &call->mark; }
