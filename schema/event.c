/* The event as a whole: decoding, validating, names and topics. What is inside it is read in value.c. */
#include "schema/event.h"

#include <stdlib.h>
#include <string.h>

#include "schema/utf8.h"
#include "schema/value.h"

/* Places for the names of fields. The daemon asks for some sixty fields of each event that it stores: to look through all names each time was
 * a tenth of its work.
 */
#define PLACES 64
/* An event with more fields is looked through. */
#define PLACED_MAX 40

struct steno_event {
    value_tree tree;
    uint8_t places[PLACES]; /* 1 + number of a field, at the place of its name or the next free one after it; 0: free */
    bool placed;            /* all fields are in `places` */
    const void *body;
    size_t size;
    uint64_t offset;
    const steno_event *earlier;
    const char *name;
    steno_event_kind kind;
};

/* ---- names ---- */

static const struct {
    const char *name;
    const char *log_type;
} kinds[] = {
    [STENO_PRE_API_CALL] = {"pre_api_call", "pre_api_call"},    [STENO_STREAM_EVENT] = {"stream_event", "stream_event"},
    [STENO_POST_API_CALL] = {"post_api_call", "post_api_call"}, [STENO_SUCCESS] = {"success", "successful_api_call"},
    [STENO_FAILURE] = {"failure", "failed_api_call"},
};

steno_event_kind steno_event_kind_from(const char *name) {
    for (unsigned kind = 0; kind < STENO_CUSTOM; kind++)
        if (!strcmp(name, kinds[kind].name)) return (steno_event_kind)kind;
    return STENO_CUSTOM;
}

const char *steno_event_kind_name(steno_event_kind kind) { return kind < STENO_CUSTOM ? kinds[kind].name : NULL; }

const char *steno_event_kind_log_type(steno_event_kind kind) {
    return kind < STENO_CUSTOM ? kinds[kind].log_type : NULL;
}

bool steno_event_name_valid(const char *name) {
    if (steno_event_kind_from(name) != STENO_CUSTOM) return true;
    size_t size = strlen(name);
    if (size < 3 || size > 64 || name[0] == '.' || name[size - 1] == '.' || !strchr(name, '.')) return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == size;
}

/* ---- fields ---- */

static unsigned place_of(const char *name, size_t size) {
    if (size == 0) return 0;
    return ((unsigned)size * 5 + (unsigned char)name[0] * 3 + (unsigned char)name[size - 1] * 7 +
            (unsigned char)name[size / 2]) %
           PLACES;
}

static void place_fields(steno_event *event) {
    const msgpack_object_map *map = &event->tree.unpacked.data.via.map;
    if (map->size > PLACED_MAX) return;
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *name = &map->ptr[i].key;
        if (name->type != MSGPACK_OBJECT_STR) continue;
        unsigned place = place_of(name->via.str.ptr, name->via.str.size);
        while (event->places[place]) place = (place + 1) % PLACES;
        event->places[place] = (uint8_t)(i + 1);
    }
    event->placed = true;
}

/* The event's own field; of a name that comes twice, the first. */
static const steno_value *field(const steno_event *event, const char *name) {
    if (!event->placed) return steno_value_get(steno_event_value(event), name);
    const msgpack_object_kv *entries = event->tree.unpacked.data.via.map.ptr;
    const size_t size = strlen(name);
    for (unsigned place = place_of(name, size); event->places[place]; place = (place + 1) % PLACES) {
        const msgpack_object_kv *entry = &entries[event->places[place] - 1];
        if (entry->key.via.str.size == size && !memcmp(entry->key.via.str.ptr, name, size))
            return object_value(&entry->val);
    }
    return NULL;
}

/* ---- decoding ---- */

steno_status steno_event_decode(const void *body, size_t size, steno_event **out, steno_error *err) {
    *out = NULL;
    steno_event *event = calloc(1, sizeof *event);
    if (!event) return steno_fail(err, STENO_NO_MEMORY, "no memory for an event");
    steno_status status = value_tree_decode(body, size, STENO_EVENT_BYTES_MAX, &event->tree, err);
    if (!status && event->tree.unpacked.data.type == MSGPACK_OBJECT_MAP) place_fields(event);
    if (!status) {
        event->body = body;
        event->size = size;
        event->name = steno_event_string(event, "event");
        const bool other = !event->name && steno_event_get(event, "event"); /* than a text */
        if (steno_value_type(steno_event_value(event)) != STENO_TYPE_MAP)
            status = steno_fail(err, STENO_CORRUPT, "an event is a map, this is something else");
        else if (!event->name || !steno_event_name_valid(event->name))
            status =
                steno_fail(err, STENO_CORRUPT,
                           "field `event` must be pre_api_call, stream_event, post_api_call, success, failure or a "
                           "name of your own with a dot in it, not %s%.64s%s",
                           event->name ? "\"" : "",
                           event->name ? event->name
                           : other     ? "something else than a text"
                                       : "missing",
                           event->name ? "\"" : "");
    }
    if (status) {
        steno_event_free(event);
        return status;
    }
    event->kind = steno_event_kind_from(event->name);
    *out = event;
    return STENO_OK;
}

void steno_event_free(steno_event *event) {
    if (!event) return;
    value_tree_free(&event->tree);
    free(event);
}

void steno_event_join(steno_event *event, const steno_event *earlier) { event->earlier = earlier; }
steno_event_kind steno_event_kind_of(const steno_event *event) { return event->kind; }
const char *steno_event_name(const steno_event *event) { return event->name; }
uint64_t steno_event_offset(const steno_event *event) { return event->offset; }
void steno_event_set_offset(steno_event *event, uint64_t offset) { event->offset = offset; }

const void *steno_event_body(const steno_event *event, size_t *size) {
    if (size) *size = event->size;
    return event->body;
}

const steno_value *steno_event_value(const steno_event *event) { return object_value(&event->tree.unpacked.data); }

const steno_value *steno_event_get(const steno_event *event, const char *name) {
    for (; event; event = event->earlier) {
        const steno_value *value = field(event, name);
        if (value) return value;
    }
    return NULL;
}

const char *steno_event_string(const steno_event *event, const char *name) {
    const steno_value *value = steno_event_get(event, name);
    return steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
}

char *steno_event_json(const steno_event *event) { return steno_value_json(steno_event_value(event)); }

/* ---- the contract ---- */

#define IS(type) (1u << STENO_TYPE_##type)
#define NUMBER (IS(INT) | IS(DOUBLE))

/* EVENTS.md, "Common fields". All but `event` and `call_id` may be absent or nil. */
static const struct {
    const char *name;
    unsigned types;
    const char *expected;
} fields[] = {
    {"v", IS(INT), "an integer"},
    {"log_event_type", IS(STRING), "a string"},
    {"call_id", IS(STRING), "a string"},
    {"trace_id", IS(STRING), "a string"},
    {"parent_id", IS(STRING), "a string"},
    {"session_id", IS(STRING), "a string"},
    {"call_type", IS(STRING), "a string"},
    {"model", IS(STRING), "a string"},
    {"provider", IS(STRING), "a string"},
    {"stream", IS(BOOL), "a boolean"},
    {"user", IS(STRING), "a string"},
    {"tags", IS(ARRAY), "an array of strings"},
    {"metadata", IS(MAP), "a map"},
    {"time", NUMBER, "Unix seconds"},
    {"start_time", NUMBER, "Unix seconds"},
    {"end_time", NUMBER, "Unix seconds"},
    {"completion_start_time", NUMBER, "Unix seconds"},
    {"api_key", IS(STRING), "a string"},
    {"app", IS(MAP), "a map"},
    {"optional_params", IS(MAP), "a map"},
    {"additional_args", IS(MAP), "a map"},
    {"usage", IS(MAP), "a map"},
    {"error", IS(MAP), "a map"},
    {"timing", IS(MAP), "a map"},
    {"attempt", IS(INT), "an integer"},
    {"attempts", IS(INT), "an integer"},
    {"chunk_index", IS(INT), "an integer"},
    {"http_status", IS(INT), "an integer"},
    {"cache_hit", IS(BOOL), "a boolean"},
    {"response_cost", NUMBER, "a number of US dollars"},
    {"finish_reason", IS(STRING), "a string"},
};

/* Longest call_id: a UUID has 36, other SDKs' ids are longer. */
#define CALL_ID_BYTES_MAX 128

steno_status steno_event_validate(const steno_event *event, steno_error *err) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const steno_value *value = field(event, fields[i].name);
        const steno_type type = steno_value_type(value);
        if (type != STENO_TYPE_NIL && !(fields[i].types & 1u << type))
            return steno_fail(err, STENO_INVALID, "field `%s` must be %s", fields[i].name, fields[i].expected);
    }
    const steno_value *tags = field(event, "tags");
    for (size_t i = 0; i < steno_value_count(tags); i++)
        if (steno_value_type(steno_value_at(tags, i)) != STENO_TYPE_STRING)
            return steno_fail(err, STENO_INVALID, "field `tags` must be an array of strings");
    if (steno_value_int(field(event, "v"), STENO_EVENT_VERSION) < 1)
        return steno_fail(err, STENO_INVALID, "field `v` must be %d or above", STENO_EVENT_VERSION);
    size_t size = 0;
    const char *call_id = steno_value_string(field(event, "call_id"), &size);
    if (event->kind != STENO_CUSTOM && (!call_id || size == 0))
        return steno_fail(err, STENO_INVALID, "field `call_id` is missing from %s", event->name);
    if (size > CALL_ID_BYTES_MAX)
        return steno_fail(err, STENO_INVALID, "field `call_id` is longer than %d bytes", CALL_ID_BYTES_MAX);
    return STENO_OK;
}

/* Adds `part` to the topic; whatever could confuse a terminal or a prefix filter becomes '_'. */
static size_t topic_add(char *out, size_t at, const char *part, bool dots) {
    if (!part || !*part) part = "unknown";
    for (; *part && at < STENO_TOPIC_BYTES - 1; part++) {
        unsigned char c = (unsigned char)*part;
        out[at++] = (c <= ' ' || c == 0x7F || (c == '.' && !dots)) ? '_' : (char)c;
    }
    return at;
}

void steno_event_topic(const steno_event *event, char out[STENO_TOPIC_BYTES]) {
    size_t at = topic_add(out, 0, event->name, true);
    out[at++] = '.';
    at = topic_add(out, at, steno_value_string(field(event, "provider"), NULL), false);
    if (at < STENO_TOPIC_BYTES - 1) out[at++] = '.';
    at = topic_add(out, at, steno_value_string(field(event, "model"), NULL), true);
    out[utf8_valid_prefix(out, at)] = '\0'; /* the cut may have split a character */
}
