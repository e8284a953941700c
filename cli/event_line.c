/* An event in one line. Every field may be absent or of a wrong type: then it is passed over. */
#include "cli/event_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/text.h"
#include "schema/clean.h"
#include "schema/json.h"

/* A line: what a chunk or a custom event says beyond it is in --json. */
#define DETAIL_BYTES_MAX 2000

static const steno_value *inside(const steno_event *event, const char *map, const char *key) {
    return steno_value_get(steno_event_get(event, map), key);
}

/* Parts of a line have ", " between them. */
static FILE *part(FILE *out) {
    if (ftell(out) > 0) fputs(", ", out);
    return out;
}

static void put_string(FILE *out, const char *before, const steno_value *value) {
    const char *text = steno_value_string(value, NULL);
    if (text && *text) fprintf(part(out), "%s%.*s", before, DETAIL_BYTES_MAX, text);
}

static void put_tokens(FILE *out, const steno_value *count, const char *direction) {
    if (steno_value_type(count) == STENO_TYPE_INT)
        fprintf(part(out), "%" PRId64 " %s", steno_value_int(count, 0), direction);
}

static void put_seconds(FILE *out, double seconds) {
    char text[FORMAT_BYTES];
    if (!(seconds >= 0)) return;
    format_duration(seconds, text);
    fputs(text, part(out));
}

static void put_error(FILE *out, const steno_value *error) {
    if (!error) return;
    put_string(out, "", steno_value_get(error, "type"));
    int64_t status = steno_value_int(steno_value_get(error, "status"), 0);
    if (status > 0) fprintf(part(out), "HTTP %" PRId64, status);
    put_string(out, "", steno_value_get(error, "message"));
}

static void put_chunk(FILE *out, const steno_event *event) {
    const steno_value *choice = steno_value_at(inside(event, "chunk", "choices"), 0);
    size_t size;
    const char *text = steno_value_string(steno_value_get(steno_value_get(choice, "delta"), "content"), &size);
    if (text && size) {
        cleanup_free char *json = steno_value_json(steno_value_get(steno_value_get(choice, "delta"), "content"));
        fprintf(out, "%.*s", DETAIL_BYTES_MAX, json ? json : "");
    }
    put_string(out, "finish: ", steno_value_get(choice, "finish_reason"));
}

static void put_success(FILE *out, const steno_event *event) {
    put_tokens(out, inside(event, "usage", "prompt_tokens"), "in");
    put_tokens(out, inside(event, "usage", "completion_tokens"), "out");
    double cost = steno_value_double(steno_event_get(event, "response_cost"), -1);
    if (cost >= 0) {
        char text[FORMAT_BYTES];
        format_money(cost * 1e12, text);
        fputs(text, part(out));
    }
    if (steno_value_bool(steno_event_get(event, "cache_hit"), false)) fputs("cached", part(out));
    put_string(out, "", steno_event_get(event, "finish_reason"));
}

static void put_details(FILE *out, const steno_event *event) {
    double start = steno_value_double(steno_event_get(event, "start_time"), 0);
    double end = steno_value_double(steno_event_get(event, "end_time"), 0);
    int64_t attempt = steno_value_int(steno_event_get(event, "attempt"), 0);
    int64_t status = steno_value_int(steno_event_get(event, "http_status"), 0);
    switch (steno_event_kind_of(event)) {
    case STENO_PRE_API_CALL:
        if (attempt > 0) fprintf(part(out), "attempt %" PRId64, attempt);
        put_string(out, "", inside(event, "additional_args", "api_base"));
        break;
    case STENO_STREAM_EVENT: put_chunk(out, event); break;
    case STENO_POST_API_CALL:
        if (status > 0) fprintf(part(out), "HTTP %" PRId64, status);
        put_seconds(out, steno_value_double(inside(event, "timing", "total"), -1));
        put_error(out, steno_event_get(event, "error"));
        break;
    case STENO_SUCCESS:
        put_success(out, event);
        if (start > 0 && end >= start) put_seconds(out, end - start);
        break;
    case STENO_FAILURE:
        put_error(out, steno_event_get(event, "error"));
        if (start > 0 && end >= start) put_seconds(out, end - start);
        break;
    case STENO_CUSTOM: {
        cleanup_free char *json = steno_event_json(event);
        fprintf(out, "%.*s", DETAIL_BYTES_MAX, json ? json : "");
        break;
    }
    }
}

char *event_line(const steno_event *event) {
    cleanup_free char *raw = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&raw, &size);
    if (!out) return NULL;
    put_details(out, event);
    return fclose(out) == 0 ? text_line(raw, size) : NULL;
}

json_t *event_line_json(const steno_event *event) {
    json_t *json = json_pack("{s:I}", "offset", (json_int_t)steno_event_offset(event));
    json_t *fields = value_to_json(steno_event_value(event));
    /* An event that has a field `offset` of its own keeps it out of the way of the journal's. */
    if (!json || !fields || json_object_update_missing(json, fields)) {
        json_decref(json);
        json = NULL;
    }
    json_decref(fields);
    return json;
}
