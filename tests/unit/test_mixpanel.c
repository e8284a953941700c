/* Events as Mixpanel wants them, and what its answers mean. The oracle is its documentation: limits, words and examples are copied from there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/json.h"
#include "subscribers/mixpanel_event.h"
#include "subscribers/mixpanel_reply.h"

#define NOW_MS INT64_C(1800000000000)

typedef struct made {
    steno_draft *draft;
    steno_event *event;
    json_t *json;
} made;

/* The Mixpanel event of the event that the JSON text says. */
static made make(const char *text, uint64_t offset, bool content) {
    steno_error error;
    const void *body;
    size_t size;
    made self = {.draft = steno_draft_new()};
    json_t *fields = json_parse(text, strlen(text), &error);
    assert_non_null(fields);
    const char *name;
    json_t *value;
    steno_draft_start(self.draft);
    json_object_foreach(fields, name, value) draft_json(self.draft, name, value);
    json_decref(fields);
    assert_int_equal(steno_draft_finish(self.draft, &body, &size, &error), STENO_OK);
    assert_int_equal(steno_event_decode(body, size, &self.event, &error), STENO_OK);
    steno_event_set_offset(self.event, offset);
    const call_cost cost = call_cost_of(self.event, NULL);
    self.json = mixpanel_event(self.event, "LLM call", &cost, content, NOW_MS);
    assert_non_null(self.json);
    return self;
}

static void unmake(made *self) {
    json_decref(self->json);
    steno_event_free(self->event);
    steno_draft_free(self->draft);
}

static const json_t *property(const made *self, const char *name) {
    return json_object_get(json_object_get(self->json, "properties"), name);
}

#define CALL                                                                                                          \
    "{\"event\":\"success\",\"call_id\":\"c1\",\"model\":\"acme-1\",\"provider\":\"openai\",\"call_type\":"           \
    "\"completion\",\"stream\":true,"                                                                                 \
    "\"user\":\"ann\",\"start_time\":1700000000.25,\"completion_start_time\":1700000000.75,\"end_time\":1700000002."  \
    "25,\"time\":1700000003,"                                                                                         \
    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"raw\":{\"x\":1}},\"response_"      \
    "cost\":0.00125,\"attempts\":2,"                                                                                  \
    "\"finish_reason\":\"stop\",\"tags\":[\"a\",\"b\"],\"metadata\":{\"team\":\"search\",\"n\":3},\"app\":{\"name\":" \
    "\"shop\",\"pid\":7},"                                                                                            \
    "\"messages\":[{\"role\":\"system\",\"content\":\"SECRET0\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"SECRET1\"}]}],"                                                                                       \
    "\"response\":{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"SECRET2\"}}]},\"api_key\":\"****"  \
    "abcd\"}"

static void call_becomes_one_event_with_its_figures(void **state) {
    (void)state;
    made self = make(CALL, 7, false);
    json_t *expected =
        json_pack("{s:s, s:{s:I, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:f, "
                  "s:i, s:i, s:s, s:[s,s], s:{s:s,s:i}}}",
                  "event", "LLM call", "properties", "time", (json_int_t)1700000002250, "distinct_id", "ann",
                  "$insert_id", json_string_value(property(&self, "$insert_id")), "ip", 0, "mp_lib", "steno", "status",
                  "success", "call_id", "c1", "call_type", "completion", "model", "acme-1", "provider", "openai",
                  "user", "ann", "finish_reason", "stop", "stream", 1, "attempts", 2, "prompt_tokens", 10,
                  "completion_tokens", 5, "total_tokens", 15, "cost_usd", 0.00125, "latency_ms", 2000,
                  "time_to_first_token_ms", 500, "app", "shop", "tags", "a", "b", "metadata", "team", "search", "n", 3);
    assert_non_null(expected);
    assert_true(json_equal(self.json, expected));
    json_decref(expected);
    unmake(&self);
}

static void content_is_there_only_where_it_is_asked_for(void **state) {
    (void)state;
    made self = make(CALL, 7, false);
    char *text = json_dumps(self.json, 0);
    assert_null(strstr(text, "SECRET"));
    assert_null(strstr(text, "abcd"));
    free(text);
    unmake(&self);
    self = make(CALL, 7, true);
    assert_string_equal(json_string_value(property(&self, "prompt")), "SECRET1");
    assert_string_equal(json_string_value(property(&self, "reply")), "SECRET2");
    unmake(&self);
    static const char failed[] = "{\"event\":\"failure\",\"call_id\":\"c\",\"input\":[\"SECRET3\"],\"error\":{\"type\":"
                                 "\"BadRequest\",\"status\":400,"
                                 "\"retryable\":false,\"message\":\"SECRET4 is wrong\"}}";
    self = make(failed, 7, false);
    text = json_dumps(self.json, 0);
    assert_null(strstr(text, "SECRET"));
    free(text);
    assert_string_equal(json_string_value(property(&self, "status")), "failure");
    assert_string_equal(json_string_value(property(&self, "error_type")), "BadRequest");
    assert_int_equal(json_integer_value(property(&self, "error_status")), 400);
    unmake(&self);
    self = make(failed, 7, true);
    assert_string_equal(json_string_value(property(&self, "prompt")), "SECRET3");
    assert_string_equal(json_string_value(property(&self, "error_message")), "SECRET4 is wrong");
    unmake(&self);
}

static void what_is_unknown_is_left_out(void **state) {
    (void)state;
    made self = make("{\"event\":\"success\",\"call_id\":\"c\",\"response_cost\":null,\"usage\":null,\"metadata\":null,"
                     "\"start_time\":5e9,\"end_time\":4e9}",
                     1, true);
    static const char *const absent[] = {"cost_usd", "prompt_tokens", "metadata", "latency_ms", "tags",
                                         "model",    "error_type",    "prompt",   "reply"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) assert_null(property(&self, absent[i]));
    assert_string_equal(json_string_value(property(&self, "distinct_id")), "");
    unmake(&self);
}

static void names_tell_kinds_apart(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"failure", "LLM call"}, {"pre_api_call", "LLM pre_api_call"}, {"app.feedback", "app.feedback"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"event\":\"%s\",\"call_id\":\"c\"}", names[i][0]);
        made self = make(text, 1, false);
        assert_string_equal(json_string_value(json_object_get(self.json, "event")), names[i][1]);
        unmake(&self);
    }
}

static void placeholders_are_no_users(void **state) {
    (void)state;
    static const char *const users[][2] = {{"anonymous", ""},
                                           {"null", ""},
                                           {"0", ""},
                                           {"unknown", ""},
                                           {"00000000-0000-0000-0000-000000000000", ""},
                                           {"", ""},
                                           {"nil ", "nil "},
                                           {"ann", "ann"}};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"event\":\"success\",\"call_id\":\"c\",\"user\":\"%s\"}", users[i][0]);
        made self = make(text, 1, false);
        assert_string_equal(json_string_value(property(&self, "distinct_id")), users[i][1]);
        unmake(&self);
    }
}

static void time_is_of_the_event_or_now(void **state) {
    (void)state;
    static const struct {
        const char *fields;
        int64_t ms;
    } cases[] = {{"\"time\":1700000000.001", 1700000000001},
                 {"\"end_time\":1700000001,\"time\":1700000000", 1700000001000},
                 {"\"start_time\":1700000001", 1700000001000},
                 {"\"time\":5", NOW_MS},
                 {"\"time\":1e300", NOW_MS},
                 {"\"time\":\"x\"", NOW_MS}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"event\":\"success\",\"call_id\":\"c\",%s}", cases[i].fields);
        made self = make(text, 1, false);
        assert_int_equal(json_integer_value(property(&self, "time")), cases[i].ms);
        unmake(&self);
    }
}

static void insert_id_is_stable_and_of_its_own(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t offset;
        size_t same; /* as this case */
    } cases[] = {{"{\"event\":\"success\",\"call_id\":\"c\",\"a\":1}", 1, 0},
                 {"{\"event\":\"success\",\"call_id\":\"c\"}", 2, 0},
                 {"{\"event\":\"failure\",\"call_id\":\"c\"}", 1, 2},
                 {"{\"event\":\"success\",\"call_id\":\"d\"}", 1, 3},
                 {"{\"event\":\"stream_event\",\"call_id\":\"c\"}", 1, 4},
                 {"{\"event\":\"stream_event\",\"call_id\":\"c\"}", 2, 5},
                 {"{\"event\":\"app.feedback\"}", 1, 6},
                 {"{\"event\":\"app.feedback\"}", 2, 7},
                 {"{\"event\":\"success\"}", 1, 8},
                 {"{\"event\":\"success\"}", 2, 9}};
    char ids[sizeof cases / sizeof *cases][MIXPANEL_INSERT_ID_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        made self = make(cases[i].text, cases[i].offset, false);
        mixpanel_insert_id(self.event, ids[i]);
        assert_string_equal(json_string_value(property(&self, "$insert_id")), ids[i]);
        assert_int_equal(strlen(ids[i]), 36);
        assert_int_equal(strspn(ids[i], "0123456789abcdef-"), 36);
        for (size_t before = 0; before < i; before++)
            assert_int_equal(!strcmp(ids[before], ids[i]), cases[i].same == before);
        unmake(&self);
    }
    /* echo -ne 'success\nc\n' | sha256sum: those of a release must be those of the next. */
    assert_string_equal(ids[0], "ec526a1bc04655398ba1f0e029f379435aef");
}

static void limits_hold_whatever_is_in_the_metadata(void **state) {
    (void)state;
    /* 400 keys, each an array of 400 strings of 400 two-byte letters. */
    json_t *fields = json_pack("{s:s, s:s, s:s}", "event", "success", "call_id", "c", "user", "u");
    json_t *wide = json_object(), *list = json_array(), *deep = json_object();
    char letters[801] = "", key[16];
    for (size_t i = 0; i < 400; i++) memcpy(letters + 2 * i, "ä", 3);
    for (int i = 0; i < 400; i++) json_array_append_new(list, json_string(i < 10 ? letters : "x"));
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "k%d", i);
        json_object_set_new(wide, key, json_integer(i));
    }
    for (int i = 0; i < 20; i++) deep = json_pack("{s:o}", "d", deep);
    json_object_set_new(wide, "k1", list);
    json_object_set_new(wide, "k2", deep);
    json_object_set(fields, "metadata", wide);
    json_object_set(fields, "tags", list);
    json_object_set_new(fields, "model", json_string(letters));
    char *text = json_dumps(fields, 0);
    made self = make(text, 1, false);
    free(text);
    const json_t *metadata = property(&self, "metadata");
    assert_int_equal(json_object_size(metadata), MIXPANEL_ENTRIES_MAX);
    assert_int_equal(json_array_size(json_object_get(metadata, "k1")), MIXPANEL_ENTRIES_MAX);
    assert_int_equal(json_array_size(property(&self, "tags")), MIXPANEL_ENTRIES_MAX);
    assert_int_equal(json_string_length(json_array_get(property(&self, "tags"), 0)), 2 * MIXPANEL_STRING_CHARACTERS);
    assert_int_equal(json_string_length(property(&self, "model")), 2 * MIXPANEL_STRING_CHARACTERS);
    assert_null(property(&self, "truncated"));
    unmake(&self);
    /* More than fits: left out, and said. */
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "k%d", i);
        json_object_set(wide, key, list);
    }
    text = json_dumps(fields, 0);
    self = make(text, 1, false);
    free(text);
    assert_null(property(&self, "metadata"));
    assert_true(json_is_true(property(&self, "truncated")));
    assert_true(json_dumpb(self.json, NULL, 0, JSON_COMPACT) < MIXPANEL_EVENT_BYTES_MAX);
    unmake(&self);
    json_decref(wide);
    json_decref(fields);
}

/* ---- replies ---- */

static http_post *post;
static mixpanel_verdicts verdicts;

static delivery_result judge(long status, const char *body, size_t count) {
    uint64_t offsets[MIXPANEL_EVENTS_MAX] = {0};
    for (size_t i = 0; i < count; i++) offsets[i] = 100 + 2 * i;
    http_reply reply = {.status = status, .body = body, .body_size = strlen(body)};
    return mixpanel_judge(post, &reply, offsets, count, &verdicts);
}

static int set_up(void **state) {
    (void)state;
    return http_post_new("https://api.mixpanel.com/import?strict=1", 1000, &post, NULL) != STENO_OK;
}

static int tear_down(void **state) {
    (void)state;
    http_post_free(post);
    return 0;
}

/* The documentation's example, of a batch of 25. */
static const char PARTLY[] =
    "{\"code\":400,\"error\":\"some data points in the request failed validation\",\"failed_records\":["
    "{\"index\":0,\"$insert_id\":\"8a66058c-a56d-4ef6-8123-28b7c9f7e82f\",\"field\":\"properties.time\",\"message\":"
    "\"properties.time' is invalid: must be "
    "specified as seconds since epoch\"},"
    "{\"index\":3,\"$insert_id\":\"29fc2962-6d9c-455d-95ad-95b84f09b9e4\",\"field\":\"properties.utm_source\","
    "\"message\":\"properties.utm_source is invalid: "
    "string should be valid utf8\"}],\"num_records_imported\":23,\"status\":\"Bad Request\"}";

/* Asks as delivery does: halves what is refused. Returns how many single events were refused, and writes down the first. */
static size_t ask(size_t first, size_t count, uint64_t refused[8], size_t *calls) {
    uint64_t offsets[MIXPANEL_EVENTS_MAX] = {0};
    delivery_result result;
    for (size_t i = 0; i < count; i++) offsets[i] = 100 + 2 * (first + i);
    assert_true(mixpanel_verdict_on(&verdicts, offsets, count, &result));
    ++*calls;
    if (result.outcome == DELIVERY_DONE) return 0;
    assert_int_equal(result.outcome, DELIVERY_REFUSED);
    if (count > 1) {
        size_t left = ask(first, count / 2, refused, calls);
        return left + ask(first + count / 2, count - count / 2, refused + left, calls);
    }
    assert_non_null(strstr(result.why, "Mixpanel refuses it: properties."));
    refused[0] = offsets[0];
    return 1;
}

static void partial_success_is_taken_at_its_word(void **state) {
    (void)state;
    assert_int_equal(judge(400, PARTLY, 25).outcome, DELIVERY_REFUSED);
    assert_int_equal(verdicts.count, 25);
    uint64_t refused[8];
    size_t calls = 0;
    assert_int_equal(ask(0, 12, refused, &calls), 2);
    assert_int_equal(refused[0], 100);
    assert_int_equal(refused[1], 106);
    assert_int_equal(ask(12, 13, refused, &calls), 0);
    /* All was asked for: the next batch is sent, even one with the same events. */
    uint64_t again = 100;
    delivery_result result;
    assert_false(mixpanel_verdict_on(&verdicts, &again, 1, &result));
}

static void verdicts_are_not_used_for_other_events(void **state) {
    (void)state;
    assert_int_equal(judge(400, PARTLY, 25).outcome, DELIVERY_REFUSED);
    const uint64_t others[] = {100, 101};
    delivery_result result;
    assert_false(mixpanel_verdict_on(&verdicts, others, 2, &result));
    assert_int_equal(verdicts.count, 0);
}

static void refusal_that_does_not_add_up_is_about_the_request(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "",
        "<html>",
        "[]",
        "{}",
        "{\"code\":400,\"error\":\"project_id is invalid\",\"status\":\"Bad Request\"}",
        "{\"failed_records\":[],\"num_records_imported\":5}",
        "{\"failed_records\":[{\"index\":5}],\"num_records_imported\":4}",
        "{\"failed_records\":[{\"index\":-1}],\"num_records_imported\":4}",
        "{\"failed_records\":[{\"index\":\"0\"}],\"num_records_imported\":4}",
        "{\"failed_records\":[{\"index\":0}],\"num_records_imported\":3}",
        "{\"failed_records\":[{\"index\":0}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(judge(400, bodies[i], 5).outcome, DELIVERY_LATER);
        assert_int_equal(verdicts.count, 0);
    }
    /* One event may have several records. */
    assert_int_equal(
        judge(
            400,
            "{\"failed_records\":[{\"index\":1,\"field\":\"properties.a\"},{\"index\":1}],\"num_records_imported\":4}",
            5)
            .outcome,
        DELIVERY_REFUSED);
    assert_string_equal(verdicts.why[1], "Mixpanel refuses it: properties.a: no reason given");
}

static void success_has_to_be_mixpanels(void **state) {
    (void)state;
    assert_int_equal(judge(200, "{\"code\":200,\"num_records_imported\":5,\"status\":\"OK\"}", 5).outcome,
                     DELIVERY_DONE);
    assert_int_equal(judge(200, "<html>log in to this network</html>", 5).outcome, DELIVERY_LATER);
    assert_int_equal(judge(200, "", 5).outcome, DELIVERY_LATER);
    assert_int_equal(judge(413, "{\"code\":413}", 5).outcome, DELIVERY_REFUSED);
    assert_int_equal(judge(401, "{\"code\":401}", 5).outcome, DELIVERY_LATER);
    assert_int_equal(judge(429, "{\"code\":429}", 5).outcome, DELIVERY_LATER);
    assert_int_equal(judge(503, "", 5).outcome, DELIVERY_LATER);
    assert_int_equal(verdicts.count, 0);
}

#define REPLY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_becomes_one_event_with_its_figures),
        cmocka_unit_test(content_is_there_only_where_it_is_asked_for),
        cmocka_unit_test(what_is_unknown_is_left_out),
        cmocka_unit_test(names_tell_kinds_apart),
        cmocka_unit_test(placeholders_are_no_users),
        cmocka_unit_test(time_is_of_the_event_or_now),
        cmocka_unit_test(insert_id_is_stable_and_of_its_own),
        cmocka_unit_test(limits_hold_whatever_is_in_the_metadata),
        REPLY_TEST(partial_success_is_taken_at_its_word),
        REPLY_TEST(verdicts_are_not_used_for_other_events),
        REPLY_TEST(refusal_that_does_not_add_up_is_about_the_request),
        REPLY_TEST(success_has_to_be_mixpanels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
