/* A ring of pointers. */
#include "subscribers/flight.h"

#include <assert.h>
#include <stdlib.h>

#include "subscribers/event_copy.h"

struct flight {
    size_t room, bytes_max, first, count, bytes;
    flight_item *ring[];
};

flight *flight_new(size_t room, size_t bytes) {
    flight *self = calloc(1, sizeof *self + room * sizeof(void *));
    if (!self) return NULL;
    self->room = room;
    self->bytes_max = bytes;
    return self;
}

static void item_free(flight_item *item) {
    if (!item) return;
    event_copy_free(item->event, item->body);
    free(item);
}

void flight_free(flight *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; i++) item_free(flight_at(self, i));
    free(self);
}

bool flight_full(const flight *self) {
    return self->count == self->room || (self->count > 0 && self->bytes >= self->bytes_max);
}

size_t flight_count(const flight *self) { return self->count; }

flight_item *flight_at(const flight *self, size_t index) {
    assert(index < self->count);
    return self->ring[(self->first + index) % self->room];
}

flight_item *flight_find(const flight *self, uint64_t offset) {
    size_t low = 0, high = self->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        flight_item *item = flight_at(self, middle);
        if (item->offset == offset) return item;
        if (item->offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

flight_item *flight_take(flight *self, const steno_event *event) {
    assert(self->count < self->room);
    flight_item *item = calloc(1, sizeof *item);
    if (item) item->event = event_copy(event, &item->body);
    if (!item || !item->event) {
        free(item);
        return NULL;
    }
    steno_event_body(event, &item->size);
    item->offset = steno_event_offset(event);
    self->ring[(self->first + self->count++) % self->room] = item;
    self->bytes += item->size;
    return item;
}

static flight_item *pop(flight *self) {
    flight_item *item = flight_at(self, 0);
    self->first = (self->first + 1) % self->room;
    self->count--;
    self->bytes -= item->size;
    return item;
}

void flight_done(flight *self, flight_item *item) {
    if (item->forgotten) {
        item_free(item);
        return;
    }
    event_copy_free(item->event, item->body);
    item->event = NULL;
    item->body = NULL;
    self->bytes -= item->size;
    item->size = 0;
    item->done = true;
}

size_t flight_settle(flight *self, uint64_t *offset) {
    size_t settled = 0;
    for (; self->count > 0 && flight_at(self, 0)->done; settled++) {
        flight_item *item = pop(self);
        *offset = item->offset;
        item_free(item);
    }
    return settled;
}

void flight_forget(flight *self, bool (*working)(const flight_item *item, const void *ctx), const void *ctx) {
    while (self->count > 0) {
        flight_item *item = pop(self);
        if (working && working(item, ctx))
            item->forgotten = true;
        else
            item_free(item);
    }
}
