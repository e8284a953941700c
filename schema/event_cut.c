/* Cutting an event to size. Invariant: a field is whole, or it is named in `truncated`. */
#include "schema/event_cut.h"

#include <string.h>

#include "schema/clean.h"
#include "schema/utf8.h"
#include "schema/value.h"

#define TRUNCATED "truncated"
#define TARGET_BYTES (STENO_EVENT_BYTES_MAX - EVENT_CUT_ROOM_BYTES)
/* Fields named in `truncated`; more is no event of ours. */
#define CUT_FIELDS_MAX 64
/* At the last attempt whole fields above this are left out: what is many small values has no long text to cut. */
#define FIELD_BYTES_MAX (64u << 10)

/* What a text may have at the first attempt, the second, …; 0: large fields are left out. */
static const size_t text_bytes_max[] = {4u << 20, 256u << 10, 16u << 10, 0};

typedef struct cutting {
    size_t text_max;
    msgpack_packer packer;
    bool cut; /* something in the field at hand was */
} cutting;

static void free_buffer(msgpack_sbuffer *buffer) { msgpack_sbuffer_destroy(buffer); }
CLEANUP_FUNCTION(clean_tree, value_tree, value_tree_free)

static int count_bytes(void *total, const char *bytes, size_t size) {
    (void)bytes;
    *(size_t *)total += size;
    return 0;
}

static size_t encoded_size(const msgpack_object *object) {
    size_t total = 0;
    msgpack_packer packer;
    msgpack_packer_init(&packer, &total, count_bytes);
    msgpack_pack_object(&packer, *object);
    return total;
}

/* As deep as the decoder allows. */
static int pack(cutting *self, const msgpack_object *object) {
    int failed = 0;
    switch (object->type) {
    case MSGPACK_OBJECT_STR: {
        size_t size = object->via.str.size;
        if (size > self->text_max) {
            self->cut = true;
            size = utf8_valid_prefix(object->via.str.ptr, self->text_max);
        }
        return msgpack_pack_str_with_body(&self->packer, object->via.str.ptr, size);
    }
    case MSGPACK_OBJECT_BIN: {
        size_t size = object->via.bin.size;
        if (size > self->text_max) {
            self->cut = true;
            size = self->text_max;
        }
        return msgpack_pack_bin_with_body(&self->packer, object->via.bin.ptr, size);
    }
    case MSGPACK_OBJECT_ARRAY:
        failed = msgpack_pack_array(&self->packer, object->via.array.size);
        for (uint32_t i = 0; i < object->via.array.size && !failed; i++) failed = pack(self, &object->via.array.ptr[i]);
        return failed;
    case MSGPACK_OBJECT_MAP:
        failed = msgpack_pack_map(&self->packer, object->via.map.size);
        for (uint32_t i = 0; i < object->via.map.size && !failed; i++) {
            failed = msgpack_pack_object(&self->packer, object->via.map.ptr[i].key);
            if (!failed) failed = pack(self, &object->via.map.ptr[i].val);
        }
        return failed;
    default: return msgpack_pack_object(&self->packer, *object);
    }
}

/* Packs one field's value; self->cut tells whether it is whole. */
static int pack_field(cutting *self, const msgpack_object *value) {
    self->cut = false;
    if (self->text_max > 0) return pack(self, value);
    self->cut = encoded_size(value) > FIELD_BYTES_MAX;
    return self->cut ? msgpack_pack_nil(&self->packer) : msgpack_pack_object(&self->packer, *value);
}

static bool is_truncated_field(const msgpack_object_kv *field) {
    return field->key.type == MSGPACK_OBJECT_STR && field->key.via.str.size == strlen(TRUNCATED) &&
           !memcmp(field->key.via.str.ptr, TRUNCATED, strlen(TRUNCATED));
}

/* One attempt. Returns nonzero if memory is short or there are too many fields. */
static int write_cut(const msgpack_object_map *event, size_t text_max, msgpack_sbuffer *out) {
    cutting self = {.text_max = text_max};
    const msgpack_object_kv *cut[CUT_FIELDS_MAX];
    uint32_t cut_count = 0, kept = 0;
    for (uint32_t i = 0; i < event->size; i++) kept += !is_truncated_field(&event->ptr[i]);
    msgpack_packer_init(&self.packer, out, msgpack_sbuffer_write);
    int failed = msgpack_pack_map(&self.packer, kept + 1);
    for (uint32_t i = 0; i < event->size && !failed; i++) {
        const msgpack_object_kv *field = &event->ptr[i];
        if (is_truncated_field(field)) continue;
        failed = msgpack_pack_object(&self.packer, field->key);
        if (!failed) failed = pack_field(&self, &field->val);
        if (!self.cut) continue;
        if (cut_count == CUT_FIELDS_MAX) return -1;
        cut[cut_count++] = field;
    }
    if (!failed) failed = msgpack_pack_str_with_body(&self.packer, TRUNCATED, strlen(TRUNCATED));
    if (!failed) failed = msgpack_pack_map(&self.packer, cut_count);
    for (uint32_t i = 0; i < cut_count && !failed; i++) {
        failed = msgpack_pack_object(&self.packer, cut[i]->key);
        if (!failed) failed = msgpack_pack_uint64(&self.packer, encoded_size(&cut[i]->val));
    }
    return failed;
}

steno_status event_cut(msgpack_sbuffer *bytes, steno_error *error) {
    cleanup(clean_tree) value_tree *tree = &(value_tree){0};
    steno_status status = value_tree_decode(bytes->data, bytes->size, STENO_DRAFT_BYTES_MAX, tree, error);
    if (status) return status;
    const size_t true_size = bytes->size;
    for (size_t i = 0; i < sizeof text_bytes_max / sizeof *text_bytes_max; i++) {
        cleanup(free_buffer) msgpack_sbuffer shorter = {0};
        int failed = write_cut(&tree->unpacked.data.via.map, text_bytes_max[i], &shorter);
        if (failed || shorter.size > TARGET_BYTES) continue;
        msgpack_sbuffer old = *bytes;
        *bytes = shorter;
        shorter = old;
        return STENO_OK;
    }
    return steno_fail(error, STENO_LIMIT,
                      "the event has %zu bytes, more than the limit of %u, and has no long texts to cut", true_size,
                      STENO_EVENT_BYTES_MAX);
}
