/* schema/event_cut.c, through steno_draft_finish: what is too large is cut, and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/event.h"
#include "schema/json.h"

static steno_draft *draft;
static char *text; /* 80 MiB of "é": any cut in the middle of a character would show */
#define TEXT_BYTES ((size_t)80 << 20)

static int setup(void **state) {
    (void)state;
    draft = steno_draft_new();
    text = malloc(TEXT_BYTES);
    for (size_t i = 0; i < TEXT_BYTES; i += 2) memcpy(text + i, "é", 2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    steno_draft_free(draft);
    free(text);
    return 0;
}

static void begin(void) {
    steno_draft_start(draft);
    steno_draft_string(draft, "event", "success");
    steno_draft_string(draft, "call_id", "c1");
}

static steno_event *finished(void) {
    const void *body;
    size_t size;
    steno_error error;
    steno_event *event;
    if (steno_draft_finish(draft, &body, &size, &error)) fail_msg("%s", error.message);
    assert_in_range(size, 1, STENO_EVENT_BYTES_MAX);
    assert_int_equal(steno_event_decode(body, size, &event, &error), STENO_OK);
    assert_int_equal(steno_event_validate(event, &error), STENO_OK);
    return event;
}

static int64_t true_size(const steno_event *event, const char *field) {
    return steno_value_int(steno_value_get(steno_event_get(event, "truncated"), field), 0);
}

static void a_long_text_is_cut_and_its_true_size_told(void **state) {
    (void)state;
    begin();
    steno_draft_array_begin(draft, "messages");
    steno_draft_map_begin(draft, NULL);
    steno_draft_string(draft, "role", "user");
    steno_draft_string_n(draft, "content", text, TEXT_BYTES);
    steno_draft_map_end(draft);
    steno_draft_array_end(draft);
    steno_draft_string(draft, "model", "gpt-4o");
    steno_event *event = finished();
    const steno_value *message = steno_value_at(steno_event_get(event, "messages"), 0);
    size_t kept;
    const char *content = steno_value_string(steno_value_get(message, "content"), &kept);
    assert_string_equal(steno_value_string(steno_value_get(message, "role"), NULL), "user");
    assert_in_range(kept, 1 << 20, TEXT_BYTES / 2);
    assert_int_equal(kept % 2, 0);
    assert_memory_equal(content, text, kept);
    assert_string_equal(steno_event_string(event, "model"), "gpt-4o");
    assert_int_equal(steno_value_count(steno_event_get(event, "truncated")), 1);
    assert_in_range(true_size(event, "messages"), TEXT_BYTES, TEXT_BYTES + 64);
    steno_event_free(event);
}

static void only_fields_with_long_texts_are_cut(void **state) {
    (void)state;
    begin();
    steno_draft_string_n(draft, "short", text, 100000);
    steno_draft_string_n(draft, "long", text, TEXT_BYTES);
    steno_draft_bytes(draft, "bytes", text, TEXT_BYTES / 2);
    steno_event *event = finished();
    size_t kept;
    steno_value_string(steno_event_get(event, "short"), &kept);
    assert_int_equal(kept, 100000);
    assert_int_equal(steno_value_count(steno_event_get(event, "truncated")), 2);
    assert_in_range(true_size(event, "bytes"), TEXT_BYTES / 2, TEXT_BYTES / 2 + 8);
    steno_event_free(event);
}

static void many_texts_are_cut_shorter(void **state) {
    (void)state;
    begin();
    steno_draft_array_begin(draft, "messages");
    for (int i = 0; i < 1000; i++) steno_draft_string_n(draft, NULL, text, 100000);
    steno_draft_array_end(draft);
    steno_event *event = finished();
    const steno_value *messages = steno_event_get(event, "messages");
    assert_int_equal(steno_value_count(messages), 1000);
    size_t kept;
    steno_value_string(steno_value_at(messages, 999), &kept);
    assert_in_range(kept, 1000, 64000);
    assert_in_range(true_size(event, "messages"), 1000 * 100000, 1000 * 100010);
    steno_event_free(event);
}

static void a_field_without_long_texts_is_left_out(void **state) {
    (void)state;
    begin();
    steno_draft_array_begin(draft, "input");
    for (int i = 0; i < 60000; i++) steno_draft_string_n(draft, NULL, text, 1200);
    steno_draft_array_end(draft);
    steno_draft_string(draft, "model", "m");
    steno_event *event = finished();
    assert_int_equal(steno_value_type(steno_event_get(event, "input")), STENO_TYPE_NIL);
    assert_in_range(true_size(event, "input"), 60000 * 1200, 60000 * 1210);
    assert_string_equal(steno_event_string(event, "model"), "m");
    steno_event_free(event);
}

static void an_event_of_the_largest_size_is_whole(void **state) {
    (void)state;
    const void *body;
    size_t size;
    begin();
    steno_draft_string_n(draft, "text", text, TEXT_BYTES / 2);
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    begin();
    steno_draft_string_n(draft, "text", text, TEXT_BYTES / 2);
    steno_draft_bytes(draft, "rest", text, STENO_EVENT_BYTES_MAX - size - 10); /* "rest" and its header take 10 */
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    assert_int_equal(size, STENO_EVENT_BYTES_MAX);
    steno_event *event = finished();
    assert_null(steno_event_get(event, "truncated"));
    steno_event_free(event);
}

static void what_is_beyond_all_bounds_is_refused(void **state) {
    (void)state;
    const void *body;
    size_t size;
    begin();
    for (int i = 0; i < 4; i++) {
        char name[8] = {(char)('a' + i)};
        steno_draft_string_n(draft, name, text, TEXT_BYTES);
    }
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_LIMIT);
    begin();
    json_t *numbers = json_array();
    for (unsigned i = 0; i <= STENO_EVENT_VALUES_MAX; i++) json_array_append_new(numbers, json_true());
    draft_json(draft, "numbers", numbers);
    json_decref(numbers);
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_text_is_cut_and_its_true_size_told),
        cmocka_unit_test(only_fields_with_long_texts_are_cut),
        cmocka_unit_test(many_texts_are_cut_shorter),
        cmocka_unit_test(a_field_without_long_texts_is_left_out),
        cmocka_unit_test(an_event_of_the_largest_size_is_whole),
        cmocka_unit_test(what_is_beyond_all_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
