/* Writing an event: one msgpack map, field after field, straight into a buffer that is kept for the next one.
 * Invariant: outside of a call, every container on the stack has a 16-bit count field that steno_draft_finish fills in.
 */
#include <assert.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/draft.h"
#include "schema/event_cut.h"
#include "schema/json.h"
#include "schema/utf8.h"
#include "schema/value.h"

/* Maps and arrays that a caller may open inside each other by hand. */
#define DRAFT_DEPTH_MAX 8
/* Entries of one of them: its count field has 16 bits. */
#define DRAFT_ENTRIES_MAX UINT16_MAX

struct steno_draft {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    steno_status status; /* the first failure, kept until the draft is started again */
    unsigned depth;      /* containers open now, the map itself included */
    size_t values;       /* that JSON brought */
    struct {
        size_t count_at; /* where its count field is */
        uint32_t count;
        bool array;
    } open[DRAFT_DEPTH_MAX];
};

static void fail(steno_draft *draft, steno_status status) {
    if (!draft->status) draft->status = status;
}

static void packed(steno_draft *draft, int result) {
    if (result) fail(draft, STENO_NO_MEMORY);
}

/* Opens a container with room for a 16-bit count: 0xDE is map 16, 0xDC array 16. */
static void open_container(steno_draft *draft, bool array) {
    if (draft->depth == DRAFT_DEPTH_MAX) {
        fail(draft, STENO_LIMIT);
        return;
    }
    char head[3] = {(char)(array ? 0xDC : 0xDE), 0, 0};
    draft->open[draft->depth].count_at = draft->buffer.size + 1;
    draft->open[draft->depth].count = 0;
    draft->open[draft->depth].array = array;
    draft->depth++;
    packed(draft, msgpack_sbuffer_write(&draft->buffer, head, sizeof head));
}

static void close_container(steno_draft *draft) {
    if (draft->status) return;
    assert(draft->depth > 0);
    draft->depth--;
    uint32_t count = draft->open[draft->depth].count;
    char *field = draft->buffer.data + draft->open[draft->depth].count_at;
    field[0] = (char)(count >> 8);
    field[1] = (char)count;
}

/* Counts one more entry in the open container and writes its key. False: a value must not follow. */
static bool begin_entry(steno_draft *draft, const char *name) {
    if (draft->status) return false;
    assert(draft->depth > 0);
    bool array = draft->open[draft->depth - 1].array;
    assert(array == !name);
    if (draft->open[draft->depth - 1].count == DRAFT_ENTRIES_MAX) {
        fail(draft, STENO_LIMIT);
        return false;
    }
    draft->open[draft->depth - 1].count++;
    if (!array) packed(draft, msgpack_pack_str_with_body(&draft->packer, name, strlen(name)));
    return !draft->status;
}

steno_draft *steno_draft_new(void) {
    steno_draft *draft = calloc(1, sizeof *draft);
    if (!draft) return NULL;
    msgpack_sbuffer_init(&draft->buffer);
    msgpack_packer_init(&draft->packer, &draft->buffer, msgpack_sbuffer_write);
    steno_draft_start(draft);
    return draft;
}

void steno_draft_free(steno_draft *draft) {
    if (!draft) return;
    msgpack_sbuffer_destroy(&draft->buffer);
    free(draft);
}

void steno_draft_start(steno_draft *draft) {
    msgpack_sbuffer_clear(&draft->buffer);
    draft->status = STENO_OK;
    draft->depth = 0;
    draft->values = 0;
    open_container(draft, false);
}

void steno_draft_nil(steno_draft *draft, const char *name) {
    if (begin_entry(draft, name)) packed(draft, msgpack_pack_nil(&draft->packer));
}

void steno_draft_bool(steno_draft *draft, const char *name, bool value) {
    if (begin_entry(draft, name))
        packed(draft, value ? msgpack_pack_true(&draft->packer) : msgpack_pack_false(&draft->packer));
}

void steno_draft_int(steno_draft *draft, const char *name, int64_t value) {
    if (begin_entry(draft, name)) packed(draft, msgpack_pack_int64(&draft->packer, value));
}

void steno_draft_double(steno_draft *draft, const char *name, double value) {
    if (begin_entry(draft, name)) packed(draft, msgpack_pack_double(&draft->packer, value));
}

/* Is there room for so many bytes more? */
static bool fits(steno_draft *draft, size_t size) {
    if (size <= STENO_DRAFT_BYTES_MAX && draft->buffer.size <= STENO_DRAFT_BYTES_MAX - size) return true;
    fail(draft, STENO_LIMIT);
    return false;
}

/* A string value; what is no UTF-8 in it becomes U+FFFD, because readers in other languages refuse the whole event otherwise. */
static void pack_string(steno_draft *draft, const char *text, size_t size) {
    if (!fits(draft, size)) return;
    if (utf8_valid_prefix(text, size) == size) {
        packed(draft, msgpack_pack_str_with_body(&draft->packer, text, size));
        return;
    }
    cleanup_free char *repaired = malloc(3 * size);
    if (!repaired)
        fail(draft, STENO_NO_MEMORY);
    else
        packed(draft, msgpack_pack_str_with_body(&draft->packer, repaired, utf8_repair(text, size, repaired)));
}

void steno_draft_string_n(steno_draft *draft, const char *name, const char *value, size_t size) {
    if (begin_entry(draft, name)) pack_string(draft, value, size);
}

void steno_draft_string(steno_draft *draft, const char *name, const char *value) {
    if (value)
        steno_draft_string_n(draft, name, value, strlen(value));
    else
        steno_draft_nil(draft, name);
}

void steno_draft_bytes(steno_draft *draft, const char *name, const void *value, size_t size) {
    if (begin_entry(draft, name) && fits(draft, size))
        packed(draft, msgpack_pack_bin_with_body(&draft->packer, value, size));
}

void steno_draft_raw(steno_draft *draft, const char *name, const void *msgpack, size_t size) {
    if (begin_entry(draft, name) && fits(draft, size))
        packed(draft, msgpack_sbuffer_write(&draft->buffer, msgpack, size));
}

void steno_draft_value(steno_draft *draft, const char *name, const steno_value *value) {
    if (!begin_entry(draft, name)) return;
    packed(draft, value ? msgpack_pack_object(&draft->packer, *value_object(value)) : msgpack_pack_nil(&draft->packer));
}

void steno_draft_map_begin(steno_draft *draft, const char *name) {
    if (begin_entry(draft, name)) open_container(draft, false);
}

void steno_draft_map_end(steno_draft *draft) { close_container(draft); }

void steno_draft_array_begin(steno_draft *draft, const char *name) {
    if (begin_entry(draft, name)) open_container(draft, true);
}

void steno_draft_array_end(steno_draft *draft) { close_container(draft); }

void draft_fields(steno_draft *into, const steno_draft *from) {
    if (into->status) return;
    assert(into->depth > 0 && !into->open[into->depth - 1].array);
    if (from->status) {
        fail(into, from->status);
        return;
    }
    assert(from->depth == 1);
    const size_t head = from->open[0].count_at + 2;
    into->open[into->depth - 1].count += from->open[0].count;
    if (into->open[into->depth - 1].count > DRAFT_ENTRIES_MAX)
        fail(into, STENO_LIMIT);
    else if (fits(into, from->buffer.size))
        packed(into, msgpack_sbuffer_write(&into->buffer, from->buffer.data + head, from->buffer.size - head));
}

/* ---- JSON ---- */

/* `level` is the depth that a container written here has, the event's own map being 1. */
static void pack_json(steno_draft *draft, const json_t *json, unsigned level) {
    if (draft->status) return;
    if (++draft->values > STENO_EVENT_VALUES_MAX) fail(draft, STENO_LIMIT);
    bool container = json_is_object(json) || json_is_array(json);
    if (container && level > STENO_EVENT_DEPTH_MAX) {
        cleanup_free char *text = json_dumps(json, JSON_FLAGS_OUT);
        if (text)
            pack_string(draft, text, strlen(text));
        else
            fail(draft, STENO_NO_MEMORY);
        return;
    }
    switch (json_typeof(json)) {
    case JSON_OBJECT: {
        packed(draft, msgpack_pack_map(&draft->packer, json_object_size(json)));
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)json, key, value) {
            packed(draft, msgpack_pack_str_with_body(&draft->packer, key, strlen(key)));
            pack_json(draft, value, level + 1);
        }
        break;
    }
    case JSON_ARRAY:
        packed(draft, msgpack_pack_array(&draft->packer, json_array_size(json)));
        for (size_t i = 0; i < json_array_size(json); i++) pack_json(draft, json_array_get(json, i), level + 1);
        break;
    case JSON_STRING: pack_string(draft, json_string_value(json), json_string_length(json)); break;
    case JSON_INTEGER: packed(draft, msgpack_pack_int64(&draft->packer, json_integer_value(json))); break;
    case JSON_REAL: packed(draft, msgpack_pack_double(&draft->packer, json_real_value(json))); break;
    case JSON_TRUE: packed(draft, msgpack_pack_true(&draft->packer)); break;
    case JSON_FALSE: packed(draft, msgpack_pack_false(&draft->packer)); break;
    case JSON_NULL: packed(draft, msgpack_pack_nil(&draft->packer)); break;
    }
}

void draft_json(steno_draft *draft, const char *name, const json_t *json) {
    if (!json)
        steno_draft_nil(draft, name);
    else if (begin_entry(draft, name))
        pack_json(draft, json, draft->depth + 1);
}

void steno_draft_json(steno_draft *draft, const char *name, const char *json, size_t size) {
    json_t *parsed = json_parse(json, size, NULL);
    if (!parsed) {
        fail(draft, STENO_INVALID);
        return;
    }
    draft_json(draft, name, parsed);
    json_decref(parsed);
}

/* Closes the map. The first failure is told here. */
static steno_status finish(steno_draft *draft, steno_error *error) {
    switch (draft->status) {
    case STENO_OK: break;
    case STENO_INVALID: return steno_fail(error, STENO_INVALID, "a field's value is not JSON");
    case STENO_LIMIT: return steno_fail(error, STENO_LIMIT, "the event has too many fields or values, or is too long");
    default: return steno_fail(error, draft->status, "no memory to write an event");
    }
    assert(draft->depth <= 1);
    if (draft->depth == 1) close_container(draft);
    return STENO_OK;
}

steno_status steno_draft_finish(steno_draft *draft, const void **body, size_t *size, steno_error *err) {
    *body = NULL;
    *size = 0;
    steno_status status = finish(draft, err);
    if (!status && draft->buffer.size > STENO_EVENT_BYTES_MAX) status = event_cut(&draft->buffer, err);
    if (status) return status;
    *body = draft->buffer.data;
    *size = draft->buffer.size;
    return STENO_OK;
}

steno_status draft_finish_whole(steno_draft *draft, size_t size_max, const void **body, size_t *size,
                                steno_error *error) {
    *body = NULL;
    *size = 0;
    steno_status status = finish(draft, error);
    if (!status && draft->buffer.size > size_max)
        status = steno_fail(error, STENO_LIMIT, "it would have %zu bytes, more than the limit of %zu",
                            draft->buffer.size, size_max);
    if (status) return status;
    *body = draft->buffer.data;
    *size = draft->buffer.size;
    return STENO_OK;
}
