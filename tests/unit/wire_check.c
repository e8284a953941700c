/* The checks. */
#include "tests/unit/wire_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/stream_assembly.h"

static json_t *read(const char *text) {
    json_error_t where;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &where);
    if (!json) fail_msg("%s in %s", where.text, text);
    return json;
}

static void expect_equal(const json_t *got, const char *expected) {
    json_t *wanted = read(expected);
    if (!json_equal(got, wanted)) {
        char *text = json_dumps(got, JSON_SORT_KEYS | JSON_INDENT(1)),
             *other = json_dumps(wanted, JSON_SORT_KEYS | JSON_INDENT(1));
        print_error("got:\n%s\nexpected:\n%s\n", text, other);
        free(text);
        free(other);
        fail();
    }
    json_decref(wanted);
}

static json_t *body_of(const wire_ask *ask, const wire *which, const char *params, steno_error *error) {
    json_t *json = read(params), *before = json_deep_copy(json);
    wire_ask with = *ask;
    with.params = json;
    json_t *body = which->body(&with, error);
    assert_true(json_equal(json, before)); /* a request is used again */
    json_t *kept = json_deep_copy(body);
    json_decref(body);
    json_decref(json);
    json_decref(before);
    return kept;
}

void wire_check_body(const wire_ask *ask, const wire *which, const char *params, const char *expected) {
    steno_error error = {0};
    json_t *body = body_of(ask, which, params, &error);
    if (!body) fail_msg("%s", error.message);
    expect_equal(body, expected);
    json_decref(body);
}

void wire_check_refused(const wire_ask *ask, const wire *which, const char *params, const char *word) {
    steno_error error = {0};
    json_t *body = body_of(ask, which, params, &error);
    if (body) fail_msg("it is not refused: %s", json_dumps(body, 0));
    assert_int_equal(error.status, STENO_INVALID);
    if (!strstr(error.message, word)) fail_msg("\"%s\" does not say \"%s\"", error.message, word);
}

void wire_check_reply(const wire_ask *ask, const wire *which, const char *native, const char *expected) {
    steno_error error = {0};
    json_t *json = read(native);
    const json_t *raw = NULL;
    json_t *response = which->reply(ask, json, &raw, &error);
    if (!response) fail_msg("%s", error.message);
    json_object_del(response, "created");
    expect_equal(response, expected);
    json_decref(response);
    json_decref(json);
}

void wire_check_finish(const wire_ask *ask, const wire *which, json_t *native, const char *expected) {
    steno_error error = {0};
    const json_t *raw = NULL;
    json_t *response = which->reply(ask, native, &raw, &error);
    if (!response) fail_msg("%s", error.message);
    const json_t *choice = json_array_get(json_object_get(response, "choices"), 0);
    assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), expected);
    json_decref(response);
    json_decref(native);
}

void wire_check_reply_fails(const wire_ask *ask, const wire *which, const char *native, steno_status status,
                            const char *type) {
    steno_error error = {0};
    json_t *json = read(native);
    const json_t *raw;
    if (which->reply(ask, json, &raw, &error)) fail_msg("it is taken for a reply: %s", native);
    assert_int_equal(error.status, status);
    assert_string_equal(error.type, type);
    json_decref(json);
}

static steno_status add(json_t *chunk, void *ctx) {
    const char *text;
    steno_error error;
    if (assembly_add(ctx, chunk, &text, &error)) fail_msg("%s", error.message);
    return STENO_OK;
}

static steno_status feed_one(wire_stream *stream, const wire *which, const char *text, steno_error *error) {
    const char *end = strchr(text, '\n');
    char name[64] = "";
    if (end) memcpy(name, text, (size_t)(end - text));
    json_t *record = read(end ? end + 1 : text);
    const steno_status status = which->record(stream, name, record, error);
    json_decref(record);
    return status;
}

/* Feeds the records; returns what the last one did. */
static steno_status feed(wire_stream *stream, const wire *which, const char *const *records, steno_error *error) {
    steno_status status = STENO_OK;
    for (; *records; records++) {
        assert_int_equal(status, STENO_OK);
        status = feed_one(stream, which, *records, error);
    }
    return status;
}

void wire_check_stream(const wire_ask *ask, const wire *which, const char *const *records, const char *expected) {
    steno_error error = {0};
    stream_assembly assembly = {0};
    wire_ask with = *ask;
    with.stream = true;
    wire_stream stream = {.ask = &with, .on_chunk = add, .ctx = &assembly};
    if (feed(&stream, which, records, &error)) fail_msg("%s", error.message);
    assert_true(stream.done || assembly_is_finished(&assembly));
    json_t *response = assembly_response(&assembly);
    assert_non_null(response);
    json_object_del(response, "created");
    expect_equal(response, expected);
    json_decref(response);
    assembly_free(&assembly);
    wire_stream_free(&stream);
}

void wire_check_stream_fails(const wire_ask *ask, const wire *which, const char *const *records, const char *type) {
    steno_error error = {0};
    stream_assembly assembly = {0};
    wire_stream stream = {.ask = ask, .on_chunk = add, .ctx = &assembly};
    assert_int_equal(feed(&stream, which, records, &error), STENO_FAILED);
    assert_string_equal(error.type, type);
    assembly_free(&assembly);
    wire_stream_free(&stream);
}

static steno_status ignore(json_t *chunk, void *ctx) {
    (void)chunk;
    (void)ctx;
    return STENO_OK;
}

void wire_check_records(const wire_ask *ask, const wire *which, const wire_case *cases, size_t count) {
    wire_stream stream = {.ask = ask, .on_chunk = ignore};
    for (size_t i = 0; i < count; i++) {
        steno_error error = {0};
        if (feed_one(&stream, which, cases[i].record, &error) != cases[i].status) fail_msg("%s", cases[i].record);
    }
    wire_stream_free(&stream);
}

void wire_check_usage(steno_usage (*normalise)(const json_t *raw), const char *raw, const int64_t expected[7]) {
    json_t *json = read(raw);
    steno_usage usage = normalise(json);
    const int64_t got[7] = {usage.prompt_tokens,   usage.completion_tokens,  usage.total_tokens,
                            usage.cached_tokens,   usage.cache_write_tokens, usage.cache_write_1h_tokens,
                            usage.reasoning_tokens};
    for (size_t i = 0; i < 7; i++)
        if (got[i] != expected[i])
            fail_msg("number %zu of %s is %lld, not %lld", i, raw, (long long)got[i], (long long)expected[i]);
    json_decref(json);
}
