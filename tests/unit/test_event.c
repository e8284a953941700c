/* Tests of schema/event.c, draft.c, value.c, json.c, msgpack_check.c and control.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/control.h"
#include "schema/event.h"
#include "schema/identity.h"
#include "schema/json.h"
#include "schema/msgpack_check.h"
#include "schema/utf8.h"

static steno_event *decode(const void *body, size_t size) {
    steno_event *event;
    steno_error error = {0};
    if (steno_event_decode(body, size, &event, &error)) fail_msg("%s", error.message);
    return event;
}

static void written_fields_are_read_back(void **state) {
    (void)state;
    steno_draft *draft = steno_draft_new();
    for (int round = 0; round < 2; round++) { /* the second round uses the warm buffer */
        steno_draft_start(draft);
        steno_draft_string(draft, "event", "success");
        steno_draft_int(draft, "minus", -5);
        steno_draft_int(draft, "large", INT64_MAX);
        steno_draft_double(draft, "half", 0.5);
        steno_draft_bool(draft, "yes", true);
        steno_draft_nil(draft, "nothing");
        steno_draft_string(draft, "absent", NULL);
        steno_draft_bytes(draft, "bytes", "a\0b", 3);
        steno_draft_json(draft, "messages", "[{\"role\":\"user\",\"content\":\"h\\u00e9\\u0000\"}]", 43);
        steno_draft_map_begin(draft, "app");
        steno_draft_string(draft, "name", "test");
        steno_draft_map_end(draft);
        steno_draft_array_begin(draft, "rows");
        steno_draft_int(draft, NULL, 1);
        steno_draft_int(draft, NULL, 2);
        steno_draft_array_end(draft);
        const void *body;
        size_t size;
        assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
        steno_event *event = decode(body, size);
        assert_int_equal(steno_event_kind_of(event), STENO_SUCCESS);
        assert_int_equal(steno_value_int(steno_event_get(event, "minus"), 0), -5);
        assert_true(steno_value_int(steno_event_get(event, "large"), 0) == INT64_MAX);
        assert_true(steno_value_double(steno_event_get(event, "half"), 0) == 0.5);
        assert_true(steno_value_bool(steno_event_get(event, "yes"), false));
        assert_int_equal(steno_value_type(steno_event_get(event, "nothing")), STENO_TYPE_NIL);
        assert_int_equal(steno_value_type(steno_event_get(event, "absent")), STENO_TYPE_NIL);
        size_t length;
        assert_memory_equal(steno_value_string(steno_event_get(event, "bytes"), &length), "a\0b", 4);
        assert_int_equal(length, 3);
        const steno_value *message = steno_value_at(steno_event_get(event, "messages"), 0);
        assert_string_equal(steno_value_string(steno_value_get(message, "role"), NULL), "user");
        assert_memory_equal(steno_value_string(steno_value_get(message, "content"), &length), "h\xC3\xA9\0", 5);
        assert_int_equal(length, 4);
        assert_string_equal(steno_value_string(steno_value_get(steno_event_get(event, "app"), "name"), NULL), "test");
        assert_int_equal(steno_value_count(steno_event_get(event, "rows")), 2);
        assert_int_equal(steno_value_int(steno_value_at(steno_event_get(event, "rows"), 1), 0), 2);
        assert_null(steno_event_get(event, "other"));
        steno_event_free(event);
    }
    steno_draft_free(draft);
}

static void earlier_stages_are_read_through_the_later_one(void **state) {
    (void)state;
    steno_draft *first = steno_draft_new(), *second = steno_draft_new();
    const void *body;
    size_t size;
    steno_draft_string(first, "event", "pre_api_call");
    steno_draft_string(first, "model", "gpt-4o");
    steno_draft_string(first, "only_first", "yes");
    assert_int_equal(steno_draft_finish(first, &body, &size, NULL), STENO_OK);
    steno_event *earlier = decode(body, size);
    steno_draft_string(second, "event", "success");
    steno_draft_string(second, "model", "gpt-4o-mini");
    assert_int_equal(steno_draft_finish(second, &body, &size, NULL), STENO_OK);
    steno_event *later = decode(body, size);
    steno_event_join(later, earlier);
    assert_string_equal(steno_event_string(later, "model"), "gpt-4o-mini");
    assert_string_equal(steno_event_string(later, "only_first"), "yes");
    assert_string_equal(steno_event_name(later), "success");
    steno_event_free(later);
    steno_event_free(earlier);
    steno_draft_free(first);
    steno_draft_free(second);
}

static void json_deeper_than_the_limit_becomes_text(void **state) {
    (void)state;
    enum { LEVELS = 200 };
    char json[2 * LEVELS + 2];
    memset(json, '[', LEVELS);
    json[LEVELS] = '1';
    memset(json + LEVELS + 1, ']', LEVELS);
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", "success");
    steno_draft_json(draft, "deep", json, 2 * LEVELS + 1);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_event *event = decode(body, size);
    const steno_value *value = steno_event_get(event, "deep");
    unsigned level = 1;
    while (steno_value_type(value) == STENO_TYPE_ARRAY) {
        level++;
        value = steno_value_at(value, 0);
    }
    assert_int_equal(level, STENO_EVENT_DEPTH_MAX);
    size_t length;
    const char *text = steno_value_string(value, &length);
    assert_int_equal(length, 2 * (LEVELS - STENO_EVENT_DEPTH_MAX + 1) + 1);
    assert_int_equal(text[length / 2], '1');
    steno_event_free(event);
    steno_draft_free(draft);
}

static void invalid_utf8_is_repaired_when_written(void **state) {
    (void)state;
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", "success");
    steno_draft_string(draft, "text", "good \xC3\xA9, bad \xC3(, \xFF, \xED\xA0\x80");
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_event *event = decode(body, size);
    assert_string_equal(steno_event_string(event, "text"),
                        "good \xC3\xA9, bad \xEF\xBF\xBD(, \xEF\xBF\xBD, \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    steno_event_free(event);
    steno_draft_free(draft);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t valid;
    } cases[] = {
        {"plain ascii, more than eight", 28},
        {"\xC3\xA9", 2},
        {"\xE2\x82\xAC", 3},
        {"\xF0\x9F\x98\x80", 4},
        {"\xC0\x80", 0},         /* overlong */
        {"\xE0\x80\x80", 0},     /* overlong */
        {"\xF0\x80\x80\x80", 0}, /* overlong */
        {"\xED\xA0\x80", 0},     /* surrogate */
        {"\xF4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"ab\xE2\x82", 2},       /* cut */
        {"\x80", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(utf8_valid_prefix(cases[i].text, strlen(cases[i].text)), cases[i].valid);
}

/* Text is looked at by words: what is not ASCII is found at each place in and around one. */
static void utf8_is_checked_at_every_place(void **state) {
    (void)state;
    char text[36];
    for (size_t size = 4; size <= sizeof text; size++)
        for (size_t at = 0; at + 4 <= size; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, "\xF0\x9F\x98\x80", 4);
            assert_int_equal(utf8_valid_prefix(text, size), size);
            for (size_t cut = at; cut < size; cut++)
                assert_int_equal(utf8_valid_prefix(text, cut), cut < at + 4 ? at : cut);
            for (size_t wrong = 0; wrong < 4; wrong++) {
                memcpy(text + at, "\xF0\x9F\x98\x80", 4);
                text[at + wrong] = wrong ? 'a' : '\xFF';
                assert_int_equal(utf8_valid_prefix(text, size), at);
            }
        }
}

/* Hostile bytes, each with the status that answers them. */
static void hostile_msgpack_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        steno_status status;
    } cases[] = {
        {"", 0, STENO_CORRUPT},
        {"\xC1", 1, STENO_CORRUPT}, /* never used */
        {"\xC0", 1, STENO_CORRUPT}, /* nil, no map */
        {"\xA0", 1, STENO_CORRUPT}, /* an empty string */
        {"\x80", 1, STENO_CORRUPT}, /* a map without `event` */
        {"\x81\xA5"
         "event",
         7, STENO_CORRUPT}, /* cut before the value */
        {"\x81\xA5"
         "event\x01",
         8, STENO_CORRUPT}, /* no string */
        {"\x81\xA5"
         "event\xA6sucess",
         14, STENO_CORRUPT}, /* mistyped: no such event, and no dot in it */
        {"\x81\xA5"
         "event\xA7success\x00",
         16, STENO_CORRUPT},                            /* a byte too many */
        {"\xDF\xFF\xFF\xFF\xFF", 5, STENO_CORRUPT},     /* a map of 4 billion entries */
        {"\xDD\x7F\xFF\xFF\xFF\x00", 6, STENO_CORRUPT}, /* an array of 2 billion elements */
        {"\xDB\xFF\xFF\xFF\xFFxx", 7, STENO_CORRUPT},   /* a string of 4 GB */
        {"\x81\xA5"
         "event\xA7succ\xFFss",
         15, STENO_CORRUPT}, /* not UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        steno_event *event;
        steno_error error;
        assert_int_equal(steno_event_decode(cases[i].bytes, cases[i].size, &event, &error), cases[i].status);
        assert_null(event);
        assert_int_not_equal(strlen(error.message), 0);
    }
    /* Keys and timestamps that other languages' decoders do not take, on any level, and those that they do. */
    static const struct {
        const char *bytes;
        size_t size;
        steno_status status;
    } strict[] = {
        {"\x81\xC0\x01", 3, STENO_CORRUPT},      /* nil */
        {"\x81\xC3\x01", 3, STENO_CORRUPT},      /* true */
        {"\x81\x80\x01", 3, STENO_CORRUPT},      /* a map */
        {"\x81\x91\x01\x01", 4, STENO_CORRUPT},  /* an array */
        {"\x81\xC4\x01k\x01", 5, STENO_CORRUPT}, /* bytes */
        {"\x81\xD4\x05k\x01", 5, STENO_CORRUPT}, /* an extension */
        {"\x92\x01\x82\xA1k\xC0\xC0\x01", 8, STENO_CORRUPT},
        {"\xD4\xFF\x01", 3, STENO_CORRUPT}, /* a timestamp of one byte */
        {"\xC7\x00\xFF", 3, STENO_CORRUPT},
        {"\xD7\xFF\xFF\xFF\xFF\xFF\x00\x00\x00\x00", 10, STENO_CORRUPT}, /* of more nanoseconds than a second has */
        {"\xD6\xFF\xFF\xFF\xFF\xFF", 6, STENO_OK},
        {"\xD7\xFF\xEE\x6B\x27\xFF\xFF\xFF\xFF\xFF", 10, STENO_OK},
        {"\xD7\xFF\xEE\x6B\x28\x00\xFF\xFF\xFF\xFF", 10, STENO_CORRUPT},
        {"\xC7\x0C\xFF\x3B\x9A\xC9\xFF\x80\x00\x00\x00\x00\x00\x00\x00", 15, STENO_OK},
        {"\xC7\x0C\xFF\x3B\x9A\xCA\x00\x80\x00\x00\x00\x00\x00\x00\x00", 15, STENO_CORRUPT},
        {"\xC7\x00\x05", 3, STENO_OK}, /* another extension may be anything */
        {"\x81\x05\xC0", 3, STENO_OK}, /* a number */
        {"\x81\xFF\xC0", 3, STENO_OK},
        {"\x81\xCD\x01\x02\xC0", 5, STENO_OK},
        {"\x81\xA1k\x82\x05\x91\xC0\xA0\xC2", 9, STENO_OK},
    };
    for (size_t i = 0; i < sizeof strict / sizeof *strict; i++) {
        steno_error error;
        if (msgpack_check(strict[i].bytes, strict[i].size, STENO_EVENT_DEPTH_MAX, 100, &error) != strict[i].status)
            fail_msg("case %zu", i);
    }
    char deep[64];
    memset(deep, '\x91', sizeof deep);
    deep[sizeof deep - 1] = 0;
    steno_error error;
    assert_int_equal(msgpack_check(deep, sizeof deep, STENO_EVENT_DEPTH_MAX, 1000, &error), STENO_LIMIT);
    /* An array of 100 integers is 101 values. */
    char wide[103] = "\xDC\x00\x64";
    assert_int_equal(msgpack_check(wide, sizeof wide, STENO_EVENT_DEPTH_MAX, 101, &error), STENO_OK);
    assert_int_equal(msgpack_check(wide, sizeof wide, STENO_EVENT_DEPTH_MAX, 100, &error), STENO_LIMIT);
}

/* Whatever the bytes, decoding ends with a status. Runs under the sanitizers. */
static void damaged_events_never_crash_the_decoder(void **state) {
    (void)state;
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", "success");
    static const char messages[] = "[{\"role\":\"user\",\"content\":[1,2.5,null,true,{}]}]";
    steno_draft_json(draft, "messages", messages, strlen(messages));
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    unsigned char *copy = malloc(size);
    unsigned accepted = 0;
    for (size_t at = 0; at < size; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(copy, body, size);
            copy[at] = (unsigned char)byte;
            steno_event *event;
            if (!steno_event_decode(copy, size, &event, NULL)) {
                free(steno_event_json(event));
                steno_event_validate(event, NULL);
                steno_event_free(event);
                accepted++;
            }
        }
    assert_true(accepted >= size); /* the undamaged one, once for each place */
    for (size_t cut = 0; cut < size; cut++) {
        steno_event *event;
        assert_int_not_equal(steno_event_decode(body, cut, &event, NULL), STENO_OK);
    }
    free(copy);
    steno_draft_free(draft);
}

static void json_and_msgpack_are_the_same_value(void **state) {
    (void)state;
    static const char text[] =
        "{\"event\":\"app.note\",\"a\":[1,-2,3.5,1e-06,true,false,null,\"\\u00fc\"],\"m\":{\"k\":{}}}";
    json_t *in = json_parse(text, strlen(text), NULL);
    steno_draft *draft = steno_draft_new();
    const char *key;
    json_t *value;
    json_object_foreach(in, key, value) draft_json(draft, key, value);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_event *event = decode(body, size);
    assert_int_equal(steno_event_kind_of(event), STENO_CUSTOM);
    json_t *out = value_to_json(steno_event_value(event));
    assert_true(json_equal(in, out));
    char *line = steno_event_json(event);
    assert_null(strchr(line, '\n'));
    free(line);
    json_decref(in);
    json_decref(out);
    steno_event_free(event);
    steno_draft_free(draft);
}

static void what_json_lacks_gets_a_form_in_it(void **state) {
    (void)state;
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", "app.note");
    steno_draft_double(draft, "nan", NAN);
    steno_draft_double(draft, "infinity", INFINITY);
    steno_draft_bytes(draft, "bytes", "Man\xFF", 4);
    steno_draft_raw(draft, "map", "\x81\x01\x02", 3);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_event *event = decode(body, size);
    char *json = steno_event_json(event);
    assert_string_equal(
        json, "{\"event\":\"app.note\",\"nan\":null,\"infinity\":null,\"bytes\":\"TWFu/w==\",\"map\":{\"1\":2}}");
    free(json);
    steno_event_free(event);
    steno_draft_free(draft);
}

static steno_status validate(const char *json, char *message) {
    steno_draft *draft = steno_draft_new();
    json_t *parsed = json_parse(json, strlen(json), NULL);
    const char *key;
    json_t *value;
    json_object_foreach(parsed, key, value) draft_json(draft, key, value);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_event *event = decode(body, size);
    steno_error error = {0};
    steno_status status = steno_event_validate(event, &error);
    strcpy(message, error.message);
    steno_event_free(event);
    json_decref(parsed);
    steno_draft_free(draft);
    return status;
}

static void validation_names_the_field_that_is_wrong(void **state) {
    (void)state;
    char message[STENO_ERROR_MESSAGE_BYTES];
    assert_int_equal(validate("{\"event\":\"success\",\"call_id\":\"x\",\"user\":null,\"extra\":[1]}", message),
                     STENO_OK);
    assert_int_equal(validate("{\"event\":\"alert.budget\"}", message), STENO_OK);
    assert_int_equal(validate("{\"event\":\"success\"}", message), STENO_INVALID);
    assert_non_null(strstr(message, "call_id"));
    assert_int_equal(validate("{\"event\":\"success\",\"call_id\":\"x\",\"user\":5}", message), STENO_INVALID);
    assert_non_null(strstr(message, "`user` must be a string"));
    assert_int_equal(validate("{\"event\":\"success\",\"call_id\":\"x\",\"tags\":[\"a\",1]}", message), STENO_INVALID);
    assert_non_null(strstr(message, "tags"));
    assert_int_equal(validate("{\"event\":\"success\",\"call_id\":\"x\",\"metadata\":[]}", message), STENO_INVALID);
    assert_int_equal(validate("{\"event\":\"success\",\"call_id\":\"x\",\"time\":\"now\"}", message), STENO_INVALID);
}

static void topic_is_made_of_event_provider_and_model(void **state) {
    (void)state;
    static const struct {
        const char *provider, *model, *topic;
    } cases[] = {
        {"openai", "gpt-4.1-mini", "success.openai.gpt-4.1-mini"},
        {NULL, NULL, "success.unknown.unknown"},
        {"my.proxy", "meta/llama 3\n", "success.my_proxy.meta/llama_3_"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        steno_draft *draft = steno_draft_new();
        steno_draft_string(draft, "event", "success");
        steno_draft_string(draft, "provider", cases[i].provider);
        steno_draft_string(draft, "model", cases[i].model);
        const void *body;
        size_t size;
        steno_draft_finish(draft, &body, &size, NULL);
        steno_event *event = decode(body, size);
        char topic[STENO_TOPIC_BYTES];
        steno_event_topic(event, topic);
        assert_string_equal(topic, cases[i].topic);
        steno_event_free(event);
        steno_draft_free(draft);
    }
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", "success");
    char model[1000];
    memset(model, 'm', sizeof model);
    for (size_t i = 200; i + 1 < sizeof model; i += 2) memcpy(model + i, "\xC3\xA9", 2);
    steno_draft_string_n(draft, "model", model, sizeof model);
    const void *body;
    size_t size;
    steno_draft_finish(draft, &body, &size, NULL);
    steno_event *event = decode(body, size);
    char topic[STENO_TOPIC_BYTES];
    steno_event_topic(event, topic);
    assert_in_range(strlen(topic), STENO_TOPIC_BYTES - 3, STENO_TOPIC_BYTES - 1);
    assert_int_equal(utf8_valid_prefix(topic, strlen(topic)), strlen(topic));
    steno_event_free(event);
    steno_draft_free(draft);
}

static void names_are_the_five_or_have_a_dot(void **state) {
    (void)state;
    assert_true(steno_event_name_valid("pre_api_call"));
    assert_true(steno_event_name_valid("alert.budget"));
    assert_false(steno_event_name_valid("sucess"));
    assert_false(steno_event_name_valid("Alert.budget"));
    assert_false(steno_event_name_valid(".budget"));
    assert_false(steno_event_name_valid("budget."));
    assert_string_equal(steno_event_kind_log_type(STENO_FAILURE), "failed_api_call");
}

static void a_draft_remembers_its_first_failure(void **state) {
    (void)state;
    steno_draft *draft = steno_draft_new();
    steno_draft_json(draft, "x", "{oops", 5);
    steno_draft_string(draft, "event", "success");
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_INVALID);
    steno_draft_start(draft);
    steno_draft_string(draft, "event", "success");
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_draft_free(draft);
}

static void call_ids_are_uuids_of_version_7(void **state) {
    (void)state;
    char one[IDENTITY_TEXT_BYTES], two[IDENTITY_TEXT_BYTES];
    identity_call_id(one);
    identity_call_id(two);
    assert_int_equal(strlen(one), 36);
    assert_int_equal(one[14], '7');
    assert_non_null(strchr("89ab", one[19]));
    assert_string_not_equal(one, two);
    assert_memory_equal(one, two, 8); /* the time, up to about a minute */
}

static void control_replies_carry_the_id_of_their_request(void **state) {
    (void)state;
    steno_draft *draft = steno_draft_new(), *reply = steno_draft_new();
    steno_draft_string(draft, "verb", "ping");
    steno_draft_int(draft, "id", 77);
    const void *body;
    size_t size;
    steno_draft_finish(draft, &body, &size, NULL);
    control_message *request, *answer;
    assert_int_equal(control_decode(body, size, &request, NULL), STENO_OK);
    assert_string_equal(control_string(request, "verb"), "ping");
    control_reply_error(reply, request, "invalid", "no");
    steno_draft_finish(reply, &body, &size, NULL);
    assert_int_equal(control_decode(body, size, &answer, NULL), STENO_OK);
    assert_false(steno_value_bool(control_get(answer, "ok"), true));
    assert_int_equal(steno_value_int(control_get(answer, "id"), 0), 77);
    assert_string_equal(steno_value_string(steno_value_get(control_get(answer, "error"), "code"), NULL), "invalid");
    control_free(request);
    control_free(answer);
    steno_draft_free(draft);
    steno_draft_free(reply);
    assert_int_equal(control_decode("\x90", 1, &answer, NULL), STENO_CORRUPT);
    assert_true(control_name_valid("my-handler_2.x"));
    assert_false(control_name_valid(""));
    assert_false(control_name_valid("a b"));
}

static void fields_are_found_however_many_there_are(void **state) {
    (void)state;
    for (int count = 1; count <= 100; count++) {
        const void *body;
        size_t size;
        char name[32];
        steno_draft *draft = steno_draft_new();
        steno_draft_string(draft, "event", "test.event");
        steno_draft_string(draft, "", "empty");
        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "field_%d", i);
            steno_draft_int(draft, name, i);
        }
        assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
        steno_event *event = decode(body, size);
        for (int i = 0; i < count + 100; i++) {
            snprintf(name, sizeof name, "field_%d", i);
            assert_int_equal(steno_value_int(steno_event_get(event, name), -1), i < count ? i : -1);
        }
        assert_string_equal(steno_event_string(event, ""), "empty");
        assert_null(steno_event_get(event, "f"));
        steno_event_free(event);
        steno_draft_free(draft);
    }
    /* {"event": "a.b", "x": 1, "x": 2, 7: 3} */
    static const char twice[] = "\x84\xa5"
                                "event\xa3"
                                "a.b\xa1x\x01\xa1x\x02\x07\x03";
    steno_event *event = decode(twice, sizeof twice - 1);
    assert_int_equal(steno_value_int(steno_event_get(event, "x"), 0), 1);
    steno_event_free(event);
}

static char *read_file(const char *name, const char *suffix, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, STENO_SOURCE_DIR "/schema/vectors/%s.%s", name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is missing", path);
    char *bytes = malloc(1 << 16);
    *size = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    return bytes;
}

/* The .msgpack files are made by Python's msgpack from the .json files. */
static void golden_vectors_hold_both_ways(void **state) {
    (void)state;
    static const char *const names[] = {"pre_api_call", "stream_event", "post_api_call",
                                        "success",      "failure",      "custom"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t json_size, size;
        char *text = read_file(names[i], "json", &json_size), *bytes = read_file(names[i], "msgpack", &size);
        json_t *expected = json_parse(text, json_size, NULL);
        assert_non_null(expected);
        steno_event *event = decode(bytes, size);
        steno_error error;
        if (steno_event_validate(event, &error)) fail_msg("%s: %s", names[i], error.message);
        if (steno_event_kind_of(event) != STENO_CUSTOM) assert_string_equal(steno_event_name(event), names[i]);
        json_t *got = value_to_json(steno_event_value(event));
        assert_true(json_equal(got, expected));

        steno_draft *draft = steno_draft_new();
        const char *key;
        json_t *value;
        json_object_foreach(expected, key, value) draft_json(draft, key, value);
        const void *body;
        size_t body_size;
        assert_int_equal(steno_draft_finish(draft, &body, &body_size, NULL), STENO_OK);
        /* Equal to the letter but for the head of the map, whose count a draft writes with 16 bits. */
        assert_int_equal(body_size - 3, size - ((uint8_t)bytes[0] == 0xDE ? 3 : 1));
        assert_memory_equal((const char *)body + 3, bytes + (size - (body_size - 3)), body_size - 3);
        steno_draft_free(draft);
        json_decref(got);
        json_decref(expected);
        steno_event_free(event);
        free(text);
        free(bytes);
    }
}

static void error_messages_are_cut_between_characters(void **state) {
    (void)state;
    char text[2 * STENO_ERROR_MESSAGE_BYTES];
    memset(text, 'a', sizeof text);
    for (size_t i = 1; i + 1 < sizeof text; i += 2) memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof text - 1] = '\0';
    steno_error error;
    steno_fail(&error, STENO_INVALID, "%s", text);
    assert_in_range(strlen(error.message), STENO_ERROR_MESSAGE_BYTES - 3, STENO_ERROR_MESSAGE_BYTES - 1);
    assert_int_equal(utf8_valid_prefix(error.message, strlen(error.message)), strlen(error.message));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_fields_are_read_back),
        cmocka_unit_test(earlier_stages_are_read_through_the_later_one),
        cmocka_unit_test(json_deeper_than_the_limit_becomes_text),
        cmocka_unit_test(invalid_utf8_is_repaired_when_written),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(utf8_is_checked_at_every_place),
        cmocka_unit_test(hostile_msgpack_is_refused),
        cmocka_unit_test(damaged_events_never_crash_the_decoder),
        cmocka_unit_test(json_and_msgpack_are_the_same_value),
        cmocka_unit_test(what_json_lacks_gets_a_form_in_it),
        cmocka_unit_test(validation_names_the_field_that_is_wrong),
        cmocka_unit_test(topic_is_made_of_event_provider_and_model),
        cmocka_unit_test(names_are_the_five_or_have_a_dot),
        cmocka_unit_test(a_draft_remembers_its_first_failure),
        cmocka_unit_test(call_ids_are_uuids_of_version_7),
        cmocka_unit_test(control_replies_carry_the_id_of_their_request),
        cmocka_unit_test(fields_are_found_however_many_there_are),
        cmocka_unit_test(golden_vectors_hold_both_ways),
        cmocka_unit_test(error_messages_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
