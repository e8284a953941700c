/* Tests subscribers/open_calls.c: what is remembered of calls, and that it is bounded. */
#include "subscribers/open_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static open_call *open_one(open_calls *calls, const char *call_id) {
    open_call *call = NULL;
    assert_int_equal(open_calls_open(calls, call_id, &call, NULL), STENO_OK);
    return call;
}

static steno_status keep(open_calls *calls, const char *call_id, const char *event, const char *text, size_t filler) {
    steno_draft *draft = steno_draft_new();
    char *bytes = calloc(1, filler + 1);
    const void *body;
    size_t size;
    steno_draft_start(draft);
    steno_draft_string(draft, "event", event);
    steno_draft_string(draft, "call_id", call_id);
    steno_draft_string(draft, event, text);
    steno_draft_bytes(draft, "filler", bytes, filler);
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_status status = open_calls_keep(calls, open_one(calls, call_id), body, size, NULL);
    free(bytes);
    steno_draft_free(draft);
    return status;
}

static void stages_are_found_by_call_and_the_post_shows_the_pre(void **state) {
    open_calls *calls = open_calls_new();
    keep(calls, "a", "pre_api_call", "of a", 0);
    keep(calls, "b", "pre_api_call", "of b", 0);
    keep(calls, "a", "post_api_call", "also of a", 0);
    assert_null(open_calls_find(calls, "c"));
    assert_null(open_call_post(open_calls_find(calls, "b")));
    const steno_event *post = open_call_post(open_calls_find(calls, "a"));
    assert_string_equal(steno_event_string(post, "post_api_call"), "also of a");
    assert_string_equal(steno_event_string(post, "pre_api_call"), "of a");
    open_calls_drop(calls, open_calls_find(calls, "a"));
    assert_null(open_calls_find(calls, "a"));
    assert_non_null(open_calls_find(calls, "b"));
    open_calls_free(calls);
    (void)state;
}

static void a_new_attempt_forgets_the_stages_of_the_one_before(void **state) {
    open_calls *calls = open_calls_new();
    keep(calls, "a", "pre_api_call", "first", 0);
    keep(calls, "a", "post_api_call", "first", 0);
    keep(calls, "a", "pre_api_call", "second", 0);
    const open_call *call = open_calls_find(calls, "a");
    assert_null(open_call_post(call));
    assert_string_equal(steno_event_string(open_call_pre(call), "pre_api_call"), "second");
    open_calls_free(calls);
    (void)state;
}

static void what_is_no_event_changes_nothing(void **state) {
    open_calls *calls = open_calls_new();
    keep(calls, "a", "pre_api_call", "first", 0);
    assert_int_equal(open_calls_keep(calls, open_one(calls, "a"), "\xc1", 1, NULL), STENO_CORRUPT);
    assert_string_equal(steno_event_string(open_call_pre(open_calls_find(calls, "a")), "pre_api_call"), "first");
    open_calls_free(calls);
    (void)state;
}

static void calls_longest_out_of_use_are_forgotten_first(void **state) {
    open_calls *calls = open_calls_new();
    char name[24];
    for (int i = 0; i <= OPEN_CALLS_MAX; i++) {
        snprintf(name, sizeof name, "call-%d", i);
        keep(calls, name, "pre_api_call", name, 0);
        assert_non_null(open_calls_find(calls, "call-0")); /* in use */
    }
    assert_null(open_calls_find(calls, "call-1"));
    assert_non_null(open_calls_find(calls, "call-2"));
    snprintf(name, sizeof name, "call-%d", OPEN_CALLS_MAX);
    assert_string_equal(steno_event_string(open_call_pre(open_calls_find(calls, name)), "pre_api_call"), name);
    open_calls_free(calls);
    (void)state;
}

static void bytes_are_bounded_and_the_call_in_use_is_kept_whatever_its_size(void **state) {
    open_calls *calls = open_calls_new();
    const size_t part = OPEN_CALLS_BYTES_MAX / 4;
    keep(calls, "a", "pre_api_call", "", part);
    keep(calls, "b", "pre_api_call", "", part);
    keep(calls, "c", "pre_api_call", "", part);
    assert_non_null(open_calls_find(calls, "a"));
    keep(calls, "d", "pre_api_call", "", part); /* and some bytes */
    assert_null(open_calls_find(calls, "b"));
    assert_non_null(open_calls_find(calls, "a"));
    keep(calls, "d", "pre_api_call", "", OPEN_CALLS_BYTES_MAX + 1);
    assert_null(open_calls_find(calls, "a"));
    assert_null(open_calls_find(calls, "c"));
    assert_non_null(open_call_pre(open_calls_find(calls, "d")));
    keep(calls, "d", "pre_api_call", "", 0);
    keep(calls, "e", "pre_api_call", "", part);
    assert_non_null(open_calls_find(calls, "d")); /* its large stage does not count any more */
    open_calls_free(calls);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_are_found_by_call_and_the_post_shows_the_pre),
        cmocka_unit_test(a_new_attempt_forgets_the_stages_of_the_one_before),
        cmocka_unit_test(what_is_no_event_changes_nothing),
        cmocka_unit_test(calls_longest_out_of_use_are_forgotten_first),
        cmocka_unit_test(bytes_are_bounded_and_the_call_in_use_is_kept_whatever_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
