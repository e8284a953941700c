/* One property a line of the tables below, where it is a plain copy. */
#include "subscribers/mixpanel_event.h"

#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/json.h"
#include "schema/utf8.h"

/* Nested deeper, it is left out: Mixpanel's reports show two levels. */
#define DEPTH_MAX 6
/* Seconds: 1971-01-01, before which the API takes nothing, and the year 5138. */
#define TIME_MIN 31536000.0
#define TIME_MAX 1e11

/* Event's field → property of the same name. */
static const char *const STRINGS[] = {"call_id", "trace_id", "parent_id", "session_id",    "call_type",
                                      "model",   "provider", "user",      "finish_reason", "fallback_from"};
static const char *const NUMBERS[] = {"stream", "cache_hit", "attempts", "attempt", "http_status"};
static const char *const TOKENS[] = {"prompt_tokens", "completion_tokens",  "total_tokens",
                                     "cached_tokens", "cache_write_tokens", "reasoning_tokens"};

/* Placeholders that the API refuses as distinct_id. */
static const char *const NOBODY[] = {"00000000-0000-0000-0000-000000000000",
                                     "anon",
                                     "anonymous",
                                     "nil",
                                     "none",
                                     "null",
                                     "n/a",
                                     "na",
                                     "undefined",
                                     "unknown",
                                     "<nil>",
                                     "0",
                                     "-1",
                                     "true",
                                     "false",
                                     "[]",
                                     "{}"};

/* ---- within the limits ---- */

/* Text up to the API's length. */
static json_t *text_of(const char *text, size_t size) {
    size_t end = 0;
    size = utf8_valid_prefix(text, size);
    for (size_t characters = 0; end < size; end++)
        if (((unsigned char)text[end] & 0xC0) != 0x80 && ++characters > MIXPANEL_STRING_CHARACTERS) break;
    return json_stringn(text, end);
}

static json_t *limited(const json_t *from, unsigned depth);

static json_t *limited_object(const json_t *from, unsigned depth) {
    json_t *out = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from, key, value) {
        if (json_object_size(out) == MIXPANEL_ENTRIES_MAX) break;
        json_t *copy = strlen(key) <= MIXPANEL_STRING_CHARACTERS ? limited(value, depth) : NULL;
        if (copy) json_object_set_new(out, key, copy);
    }
    return out;
}

/* A copy within the limits; NULL: to be left out. */
static json_t *limited(const json_t *from, unsigned depth) {
    size_t index;
    json_t *value;
    switch (json_typeof(from)) {
    case JSON_STRING: return text_of(json_string_value(from), json_string_length(from));
    case JSON_OBJECT: return depth < DEPTH_MAX ? limited_object(from, depth + 1) : NULL;
    case JSON_ARRAY: {
        if (depth >= DEPTH_MAX) return NULL;
        json_t *out = json_array();
        json_array_foreach(from, index, value) {
            json_t *copy = json_array_size(out) < MIXPANEL_ENTRIES_MAX ? limited(value, depth + 1) : NULL;
            if (copy) json_array_append_new(out, copy);
        }
        return out;
    }
    default: return json_deep_copy(from);
    }
}

/* ---- properties ---- */

static void set_text(json_t *to, const char *name, const steno_value *value) {
    size_t size;
    const char *text = steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, &size) : NULL;
    if (text) json_object_set_new(to, name, text_of(text, size));
}

/* A number or a bool; nothing where it is neither, or no number that JSON has. */
static void set_number(json_t *to, const char *name, const steno_value *value) {
    switch (steno_value_type(value)) {
    case STENO_TYPE_BOOL: json_object_set_new(to, name, json_boolean(steno_value_bool(value, false))); break;
    case STENO_TYPE_INT: json_object_set_new(to, name, json_integer(steno_value_int(value, 0))); break;
    case STENO_TYPE_DOUBLE:
        json_object_set_new(to, name, json_real(steno_value_double(value, 0)));
        break; /* NULL for NaN: not set */
    default: break;
    }
}

static void set_any(json_t *to, const char *name, const steno_value *value) {
    if (steno_value_type(value) == STENO_TYPE_NIL) return;
    json_t *json = value_to_json(value);
    if (json) json_object_set_new(to, name, limited(json, 0));
    json_decref(json);
}

/* Milliseconds from one time of the event to another, where both are there. */
static void set_span(json_t *to, const char *name, const steno_event *event, const char *from, const char *until) {
    double start = steno_value_double(steno_event_get(event, from), NAN);
    double end = steno_value_double(steno_event_get(event, until), NAN);
    double ms = (end - start) * 1000;
    if (isfinite(ms) && ms >= 0 && ms < 1e15) json_object_set_new(to, name, json_integer(llround(ms)));
}

static void set_time(json_t *to, const steno_event *event, int64_t now_ms) {
    static const char *const fields[] = {"end_time", "time", "start_time"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        double seconds = steno_value_double(steno_event_get(event, fields[i]), NAN);
        if (!(seconds >= TIME_MIN && seconds <= TIME_MAX)) continue;
        now_ms = llround(seconds * 1000);
        break;
    }
    json_object_set_new(to, "time", json_integer(now_ms));
}

/* The user; "" where there is none that Mixpanel would take: it leaves those out of what it counts by user. */
static void set_user(json_t *to, const steno_event *event) {
    const char *user = steno_event_string(event, "user");
    for (size_t i = 0; user && i < sizeof NOBODY / sizeof *NOBODY; i++)
        if (!strcmp(user, NOBODY[i])) user = NULL;
    json_object_set_new(to, "distinct_id", user ? text_of(user, strlen(user)) : json_string(""));
}

static void set_error(json_t *to, const steno_value *error, bool content) {
    set_text(to, "error_type", steno_value_get(error, "type"));
    set_number(to, "error_status", steno_value_get(error, "status"));
    set_number(to, "error_retryable", steno_value_get(error, "retryable"));
    if (content) set_text(to, "error_message", steno_value_get(error, "message")); /* may quote the prompt */
}

/* ---- content ---- */

/* The first text in a message's content: a string, or parts of which some have one. */
static const steno_value *text_in(const steno_value *content) {
    if (steno_value_type(content) != STENO_TYPE_ARRAY) return content;
    for (size_t i = 0; i < steno_value_count(content); i++) {
        const steno_value *part = steno_value_at(content, i);
        if (steno_value_type(part) == STENO_TYPE_STRING) return part;
        const steno_value *text = steno_value_get(part, "text");
        if (steno_value_type(text) == STENO_TYPE_STRING) return text;
    }
    return NULL;
}

static const steno_value *last_of_the_user(const steno_value *messages) {
    for (size_t i = steno_value_count(messages); i-- > 0;) {
        const steno_value *message = steno_value_at(messages, i);
        const char *role = steno_value_string(steno_value_get(message, "role"), NULL);
        if (role && !strcmp(role, "user")) return text_in(steno_value_get(message, "content"));
    }
    return NULL;
}

static void set_content(json_t *to, const steno_event *event) {
    const steno_value *asked = last_of_the_user(steno_event_get(event, "messages"));
    if (!asked) asked = text_in(steno_event_get(event, "input"));
    if (!asked) asked = text_in(steno_event_get(event, "prompt"));
    set_text(to, "prompt", asked);
    const steno_value *response = steno_event_get(event, "response");
    if (!response) response = steno_event_get(event, "complete_streaming_response");
    const steno_value *choice = steno_value_at(steno_value_get(response, "choices"), 0);
    const steno_value *reply = text_in(steno_value_get(steno_value_get(choice, "message"), "content"));
    set_text(to, "reply", reply ? reply : steno_value_get(choice, "text"));
}

/* ---- the event ---- */

static bool is_over(const steno_event *event) {
    steno_event_kind kind = steno_event_kind_of(event);
    return kind == STENO_SUCCESS || kind == STENO_FAILURE;
}

void mixpanel_insert_id(const steno_event *event, char out[MIXPANEL_INSERT_ID_BYTES]) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    char text[512];
    const char *call = steno_event_string(event, "call_id");
    int length = snprintf(text, sizeof text, "%s\n%.128s\n", steno_event_name(event), call ? call : "");
    if (!call || !*call || !is_over(event))
        length += snprintf(text + length, sizeof text - (size_t)length, "%" PRIu64, steno_event_offset(event));
    EVP_Digest(text, (size_t)length, digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < (MIXPANEL_INSERT_ID_BYTES - 1) / 2; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static json_t *properties_of(const steno_event *event, const call_cost *cost, bool content, int64_t now_ms) {
    json_t *to = json_object();
    char id[MIXPANEL_INSERT_ID_BYTES];
    mixpanel_insert_id(event, id);
    set_time(to, event, now_ms);
    set_user(to, event);
    json_object_set_new(to, "$insert_id", json_string(id));
    json_object_set_new(to, "ip", json_integer(0)); /* else it would show where this machine is as where the user is */
    json_object_set_new(to, "mp_lib", json_string("steno"));
    if (is_over(event)) json_object_set_new(to, "status", json_string(steno_event_name(event)));
    for (size_t i = 0; i < sizeof STRINGS / sizeof *STRINGS; i++)
        set_text(to, STRINGS[i], steno_event_get(event, STRINGS[i]));
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        set_number(to, NUMBERS[i], steno_event_get(event, NUMBERS[i]));
    const steno_value *usage = steno_event_get(event, "usage");
    for (size_t i = 0; i < sizeof TOKENS / sizeof *TOKENS; i++)
        set_number(to, TOKENS[i], steno_value_get(usage, TOKENS[i]));
    if (!isnan(cost->usd)) json_object_set_new(to, "cost_usd", json_real(cost->usd));
    if (!isnan(cost->saved_usd)) json_object_set_new(to, "saved_cost_usd", json_real(cost->saved_usd));
    set_span(to, "latency_ms", event, "start_time", "end_time");
    set_span(to, "time_to_first_token_ms", event, "start_time", "completion_start_time");
    set_error(to, steno_event_get(event, "error"), content);
    set_text(to, "app", steno_value_get(steno_event_get(event, "app"), "name"));
    set_any(to, "tags", steno_event_get(event, "tags"));
    set_any(to, "metadata", steno_event_get(event, "metadata"));
    if (content) set_content(to, event);
    return to;
}

json_t *mixpanel_event(const steno_event *event, const char *call_name, const call_cost *cost, bool content,
                       int64_t now_ms) {
    char name[80];
    const bool own = steno_event_kind_of(event) == STENO_CUSTOM;
    snprintf(name, sizeof name, "%s%s", own ? "" : "LLM ", steno_event_name(event));
    json_t *properties = properties_of(event, cost, content, now_ms);
    /* Only what people put into these can be so much. */
    if (json_dumpb(properties, NULL, 0, JSON_COMPACT) > MIXPANEL_EVENT_BYTES_MAX - 1000) {
        json_object_del(properties, "metadata");
        json_object_del(properties, "tags");
        json_object_set_new(properties, "truncated", json_true());
    }
    return json_pack("{s:s, s:o}", "event", is_over(event) ? call_name : name, "properties", properties);
}
