/* The lifecycle event: what an in-process hook, the daemon and every subscriber see.
 * A steno_event is a read-only view of one msgpack map (EVENTS.md); a steno_draft writes one.
 * Decoding trusts nothing: size, depth and every declared count are bounded before use.
 */
#ifndef STENO_EVENT_H
#define STENO_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The schema version that this code writes, in field `v`. */
#define STENO_EVENT_VERSION 1
/* Deepest nesting of maps and arrays in an event, the event's own map counted as 1.
 * msgpack-c unpacks 32 levels. Deeper JSON content is carried as JSON text (EVENTS.md).
 */
#define STENO_EVENT_DEPTH_MAX 30
/* Values in an event, counted at every level. Each takes up to 48 bytes once decoded, so an event of tiny ones would grow to gigabytes. The
 * largest batch of embeddings that fits into an event has 7 million numbers.
 */
#define STENO_EVENT_VALUES_MAX (8u << 20)
/* More tokens than any call has: a count beyond it, or below 0, is as good as none. One such would spoil every sum. */
#define STENO_EVENT_TOKENS_MAX (INT64_C(1) << 40)
/* Largest encoded event. One that would be larger is cut: its long texts are shortened, and field `truncated` names them. */
#define STENO_EVENT_BYTES_MAX (64u << 20)
/* Largest event, or JSON of one, that is taken to be cut; beyond it memory is worth more. */
#define STENO_DRAFT_BYTES_MAX (256u << 20)
/* Longest topic, with its final NUL. */
#define STENO_TOPIC_BYTES 256

/* The five lifecycle events, and anything else that travels on the same bus. */
typedef enum steno_event_kind {
    STENO_PRE_API_CALL,
    STENO_STREAM_EVENT,
    STENO_POST_API_CALL,
    STENO_SUCCESS,
    STENO_FAILURE,
    STENO_CUSTOM, /* a name of the user's own, which has a dot in it: "alert.budget" */
} steno_event_kind;

typedef enum steno_type {
    STENO_TYPE_NIL, /* also the type of a NULL value */
    STENO_TYPE_BOOL,
    STENO_TYPE_INT,
    STENO_TYPE_DOUBLE,
    STENO_TYPE_STRING,
    STENO_TYPE_BYTES,
    STENO_TYPE_ARRAY,
    STENO_TYPE_MAP,
} steno_type;

/* An event, decoded. Owned by whoever decoded it; not changed after that, so any number of threads may read it. */
typedef struct steno_event steno_event;
/* A value inside an event. Borrowed from the event: valid until that is freed. */
typedef struct steno_value steno_value;
/* An event being written. One thread at a time. */
typedef struct steno_draft steno_draft;

/* ---- reading ---- */

/* Decodes the msgpack map `body`, `size` bytes. `body` is borrowed and must outlive the event.
 * Any map is accepted whose field `event` is a valid event name; use steno_event_validate for the rest of the contract.
 * On success *out is owned by the caller (steno_event_free). Errors: STENO_CORRUPT (not msgpack, trailing bytes,
 * not a map, no event name), STENO_LIMIT (size or depth), STENO_NO_MEMORY.
 */
STENO_API steno_status steno_event_decode(const void *body, size_t size, steno_event **out, steno_error *err);
STENO_API void steno_event_free(steno_event *event);

/* Checks the types of the common fields, as EVENTS.md lists them. STENO_INVALID names the first field that is wrong. */
STENO_API steno_status steno_event_validate(const steno_event *event, steno_error *err);

/* Makes the fields of `earlier`, an earlier stage of the same call, readable through `event`.
 * `earlier` is borrowed and must outlive `event`; it may itself be joined to a still earlier one.
 */
STENO_API void steno_event_join(steno_event *event, const steno_event *earlier);

STENO_API steno_event_kind steno_event_kind_of(const steno_event *event);
/* The event's name: "success", …; never NULL. */
STENO_API const char *steno_event_name(const steno_event *event);
/* The encoded bytes that were decoded; borrowed. */
STENO_API const void *steno_event_body(const steno_event *event, size_t *size);
/* The journal offset, or 0 where the event has none yet (in-process hooks). */
STENO_API uint64_t steno_event_offset(const steno_event *event);
STENO_API void steno_event_set_offset(steno_event *event, uint64_t offset);

/* A top-level field, here or in an earlier stage joined to it; NULL if there is none. */
STENO_API const steno_value *steno_event_get(const steno_event *event, const char *name);
/* The same for a string field: NULL if it is absent or no string. */
STENO_API const char *steno_event_string(const steno_event *event, const char *name);
/* The whole event as one map value; earlier stages are not part of it. */
STENO_API const steno_value *steno_event_value(const steno_event *event);
/* The event as JSON text on one line. Owned by the caller (free); NULL when memory is short. */
STENO_API char *steno_event_json(const steno_event *event);

/* All value readers accept NULL (as nil), so that look-ups can be chained. */
STENO_API steno_type steno_value_type(const steno_value *value);
/* The value of a map's key (first match), or NULL. */
STENO_API const steno_value *steno_value_get(const steno_value *map, const char *key);
/* Number of elements of an array or entries of a map; 0 for all else. */
STENO_API size_t steno_value_count(const steno_value *value);
/* Element `index` of an array, or the value of entry `index` of a map; NULL beyond the end. */
STENO_API const steno_value *steno_value_at(const steno_value *value, size_t index);
/* The key of entry `index` of a map, NUL-terminated; NULL beyond the end or if the key is no string. */
STENO_API const char *steno_value_key_at(const steno_value *map, size_t index);
/* A string (or bytes), NUL-terminated, its length in *size unless that is NULL; NULL if it is something else. */
STENO_API const char *steno_value_string(const steno_value *value, size_t *size);
/* A number or bool, or `otherwise` where the value is something else. Doubles read as int are truncated
 * toward zero and clamped to the range.
 */
STENO_API int64_t steno_value_int(const steno_value *value, int64_t otherwise);
STENO_API double steno_value_double(const steno_value *value, double otherwise);
STENO_API bool steno_value_bool(const steno_value *value, bool otherwise);
/* The value as JSON text: bytes as base64, NaN and infinities as null. Owned by the caller (free). */
STENO_API char *steno_value_json(const steno_value *value);

/* ---- names ---- */

/* The kind a name stands for; STENO_CUSTOM for any other name. */
STENO_API steno_event_kind steno_event_kind_from(const char *name);
/* "pre_api_call", …; NULL for STENO_CUSTOM. Static. */
STENO_API const char *steno_event_kind_name(steno_event_kind kind);
/* The value of field `log_event_type` for a kind ("successful_api_call", …); NULL for STENO_CUSTOM. Static. */
STENO_API const char *steno_event_kind_log_type(steno_event_kind kind);
/* True for one of the five names, or a custom one: 3 to 64 of [a-z0-9_.-], with a dot inside. */
STENO_API bool steno_event_name_valid(const char *name);
/* Writes the topic `<event>.<provider>.<model>` into `out` (EVENTS.md, "Topics"): missing parts are "unknown",
 * dots in the provider and white space and control characters anywhere become '_'.
 */
STENO_API void steno_event_topic(const steno_event *event, char out[STENO_TOPIC_BYTES]);

/* ---- writing ---- */

/* An empty draft; NULL when memory is short. A draft can be used again after steno_draft_start and keeps its
 * buffer, so that a warmed-up draft does not allocate.
 */
STENO_API steno_draft *steno_draft_new(void);
STENO_API void steno_draft_free(steno_draft *draft);
/* Begins a new map in the draft; what was in it is gone. */
STENO_API void steno_draft_start(steno_draft *draft);

/* Each adds one field to the map; the caller gives each name once. A failure (memory, size) sticks: it is
 * reported by steno_draft_finish. A NULL string is written as nil.
 */
STENO_API void steno_draft_nil(steno_draft *draft, const char *name);
STENO_API void steno_draft_bool(steno_draft *draft, const char *name, bool value);
STENO_API void steno_draft_int(steno_draft *draft, const char *name, int64_t value);
STENO_API void steno_draft_double(steno_draft *draft, const char *name, double value);
STENO_API void steno_draft_string(steno_draft *draft, const char *name, const char *value);
STENO_API void steno_draft_string_n(steno_draft *draft, const char *name, const char *value, size_t size);
STENO_API void steno_draft_bytes(steno_draft *draft, const char *name, const void *value, size_t size);
/* JSON text, stored as native msgpack. Text that is no JSON makes the draft fail with STENO_INVALID. */
STENO_API void steno_draft_json(steno_draft *draft, const char *name, const char *json, size_t size);
/* A copy of a value out of an event or a reply. */
STENO_API void steno_draft_value(steno_draft *draft, const char *name, const steno_value *value);
/* One complete value, already msgpack. The caller vouches for its form. */
STENO_API void steno_draft_raw(steno_draft *draft, const char *name, const void *msgpack, size_t size);
/* A nested map as the value of `name`: fields that follow go into it until steno_draft_map_end. */
STENO_API void steno_draft_map_begin(steno_draft *draft, const char *name);
STENO_API void steno_draft_map_end(steno_draft *draft);
/* A nested array; inside it every `name` is NULL. */
STENO_API void steno_draft_array_begin(steno_draft *draft, const char *name);
STENO_API void steno_draft_array_end(steno_draft *draft);
/* The encoded map: *body is borrowed, valid until the draft is next changed or freed. Above STENO_EVENT_BYTES_MAX its long texts are
 * cut, and `truncated` is added: a map from the name of each field that was cut to its true encoded size in bytes. Errors: STENO_LIMIT
 * (it can't be cut to size, or is above STENO_DRAFT_BYTES_MAX), STENO_INVALID (JSON that is none), STENO_NO_MEMORY.
 */
STENO_API steno_status steno_draft_finish(steno_draft *draft, const void **body, size_t *size, steno_error *err);

#ifdef __cplusplus
}
#endif
#endif
