/* The table of publishers: a hash by uuid and a list in order of arrival, both bounded. Knows nothing of sockets or SQL. */
#include "daemon/publishers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/utf8.h"

#define BUCKETS 4096u

struct publishers {
    publisher *buckets[BUCKETS];
    publisher *first, *last;
    size_t count;
    size_t held_count, held_bytes;
};

publishers *publishers_new(void) { return calloc(1, sizeof(publishers)); }

void publishers_free(publishers *self) {
    if (!self) return;
    while (self->first) publishers_remove(self, self->first);
    free(self);
}

/* The uuids are random; who forges them only makes his own look-ups slow, and there are at most PUBLISHERS_MAX. */
static publisher **bucket(publishers *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES]) {
    uint32_t hash;
    memcpy(&hash, uuid, sizeof hash);
    return &self->buckets[hash % BUCKETS];
}

publisher *publishers_find(publishers *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES]) {
    publisher *entry = *bucket(self, uuid);
    while (entry && memcmp(entry->uuid, uuid, SPOOL_PUBLISHER_BYTES)) entry = entry->bucket_after;
    return entry;
}

static bool forgettable(const publisher *entry) {
    return !entry->own && !entry->spooled && !entry->behind && !entry->dirty && !entry->held;
}

/* The one that has been idle longest of those with nothing under way. */
static publisher *most_idle(publishers *self) {
    publisher *found = NULL;
    for (publisher *entry = self->first; entry; entry = entry->after)
        if (forgettable(entry) && (!found || entry->active_ms < found->active_ms)) found = entry;
    return found;
}

publisher *publishers_add(publishers *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES]) {
    if (self->count == PUBLISHERS_MAX) {
        publisher *idle = most_idle(self);
        if (!idle) return NULL;
        publishers_remove(self, idle);
    }
    publisher *entry = calloc(1, sizeof *entry);
    if (!entry) return NULL;
    memcpy(entry->uuid, uuid, SPOOL_PUBLISHER_BYTES);
    entry->next = entry->stored = 1;
    entry->held_end = &entry->held;
    publisher **slot = bucket(self, uuid);
    entry->bucket_after = *slot;
    *slot = entry;
    entry->before = self->last;
    *(self->last ? &self->last->after : &self->first) = entry;
    self->last = entry;
    self->count++;
    return entry;
}

void publishers_remove(publishers *self, publisher *entry) {
    publisher **slot = bucket(self, entry->uuid);
    while (*slot != entry) slot = &(*slot)->bucket_after;
    *slot = entry->bucket_after;
    *(entry->before ? &entry->before->after : &self->first) = entry->after;
    *(entry->after ? &entry->after->before : &self->last) = entry->before;
    self->count--;
    while (entry->held) publishers_unhold(self, entry);
    publisher_close_reader(entry);
    free(entry->damaged_file);
    free(entry);
}

publisher *publishers_first(const publishers *self) { return self->first; }
size_t publishers_count(const publishers *self) { return self->count; }

static void keep_text(char out[PUBLISHER_TEXT_BYTES], const steno_value *value) {
    const char *text = steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
    snprintf(out, PUBLISHER_TEXT_BYTES, "%s", text ? text : "");
    out[utf8_valid_prefix(out, strlen(out))] = '\0'; /* the cut may have split a character */
}

void publisher_describe(publisher *entry, const steno_value *app) {
    if (entry->described || steno_value_type(app) != STENO_TYPE_MAP) return;
    entry->described = true;
    keep_text(entry->app, steno_value_get(app, "name"));
    keep_text(entry->host, steno_value_get(app, "host"));
    keep_text(entry->version, steno_value_get(app, "version"));
    entry->pid = steno_value_int(steno_value_get(app, "pid"), 0);
}

void publisher_close_reader(publisher *entry) {
    spool_reader_close(entry->reader);
    entry->reader = NULL;
    entry->reader_large = false;
    entry->record = (spool_record){0};
}

bool publishers_hold(publishers *self, publisher *entry, uint64_t seq, const void *bytes, size_t size) {
    if (entry->held) {
        const held_frame *last =
            (const held_frame *)(const void *)((char *)entry->held_end - offsetof(held_frame, after));
        if (seq <= last->seq) return false;
    }
    if (self->held_count == HELD_FRAMES_MAX || self->held_bytes + size > HELD_BYTES_MAX) return false;
    held_frame *frame = malloc(sizeof *frame + size);
    if (!frame) return false;
    *frame = (held_frame){.seq = seq, .size = size};
    if (size) memcpy(frame->bytes, bytes, size);
    *entry->held_end = frame;
    entry->held_end = &frame->after;
    self->held_count++;
    self->held_bytes += size;
    return true;
}

void publishers_unhold(publishers *self, publisher *entry) {
    held_frame *frame = entry->held;
    entry->held = frame->after;
    if (!entry->held) entry->held_end = &entry->held;
    self->held_count--;
    self->held_bytes -= frame->size;
    free(frame);
}
