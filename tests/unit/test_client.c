/* Tests of the client's small rooms: requests, usage, failures, masks, the table of providers, and emit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/failure.h"
#include "client/mask.h"
#include "client/providers/table.h"
#include "client/request.h"
#include "client/usage.h"
#include "schema/spool.h"

static void a_request_keeps_its_first_error(void **state) {
    (void)state;
    steno_request *request = steno_request_new("gpt-4o");
    assert_int_equal(steno_request_set_json(request, "tools", "[{]"), STENO_INVALID);
    assert_int_equal(steno_request_set_string(request, "model", "other"), STENO_INVALID);
    assert_int_equal(steno_request_set_string(request, "seed", "ok"), STENO_OK);
    assert_non_null(strstr(request->error.message, "tools"));
    assert_non_null(strstr(request->error.message, "line 1"));
    steno_request_free(request);
    request = steno_request_new("gpt-4o");
    assert_int_equal(steno_request_set_timeout_ms(request, 0), STENO_INVALID);
    assert_int_equal(steno_request_set_double(request, "temperature", 0.0 / 0.0), STENO_INVALID);
    assert_int_equal(steno_request_add_message_json(request, "[]"), STENO_INVALID);
    assert_int_equal(steno_request_set_string(request, "messages", "x"), STENO_OK);
    assert_int_equal(steno_request_add_message(request, "user", "x"), STENO_INVALID);
    steno_request_free(request);
}

static void what_is_null_is_told_and_not_read(void **state) {
    (void)state;
    steno_request *request = steno_request_new(NULL);
    assert_string_equal(steno_request_model(request), "");
    assert_int_equal(steno_request_add_message(request, "user", NULL), STENO_INVALID);
    assert_string_equal(request->error.message, "steno_request_add_message was given NULL");
    assert_int_equal(steno_request_add_message(request, NULL, "x"), STENO_INVALID);
    assert_int_equal(steno_request_add_message_json(request, NULL), STENO_INVALID);
    assert_int_equal(steno_request_add_tool_result(request, NULL, "x"), STENO_INVALID);
    assert_int_equal(steno_request_add_response(request, NULL), STENO_INVALID);
    assert_int_equal(steno_request_add_input(request, NULL), STENO_INVALID);
    assert_int_equal(steno_request_set_json(request, "tools", NULL), STENO_INVALID);
    assert_int_equal(steno_request_set_json(request, NULL, "1"), STENO_INVALID);
    assert_int_equal(steno_request_set_string(request, "stop", NULL), STENO_INVALID);
    assert_int_equal(steno_request_set_int(request, NULL, 1), STENO_INVALID);
    assert_int_equal(steno_request_set_double(request, NULL, 0.0 / 0.0), STENO_INVALID);
    assert_int_equal(steno_request_set_bool(request, NULL, true), STENO_INVALID);
    assert_int_equal(steno_request_set_metadata(request, "team", NULL), STENO_INVALID);
    assert_int_equal(steno_request_set_metadata_json(request, NULL, "1"), STENO_INVALID);
    assert_int_equal(steno_request_add_tag(request, NULL), STENO_INVALID);
    assert_int_equal(steno_request_set_header(request, "X-Team", NULL), STENO_INVALID);
    assert_int_equal(steno_request_set_model(request, NULL), STENO_INVALID);
    assert_int_equal(steno_request_add_fallback(request, NULL), STENO_INVALID);
    assert_null(steno_request_get_json(request, NULL));
    assert_int_equal(json_object_size(request->params) + json_object_size(request->headers), 0);
    steno_request_free(request);
}

/* What getenv says of a variable that is not set may be handed on. */
static void a_label_that_is_null_is_none(void **state) {
    (void)state;
    steno_request *request = steno_request_new("gpt-4o");
    const char *const values[] = {NULL, "x", NULL};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(steno_request_set_user(request, values[i]), STENO_OK);
        assert_int_equal(steno_request_set_session_id(request, values[i]), STENO_OK);
        assert_int_equal(steno_request_set_trace_id(request, values[i]), STENO_OK);
        assert_int_equal(steno_request_set_parent_id(request, values[i]), STENO_OK);
        assert_int_equal(steno_request_set_api_key(request, values[i]), STENO_OK);
        assert_int_equal(steno_request_set_base_url(request, values[i]), STENO_OK);
        assert_int_equal(json_object_size(request->params), values[i] ? 1 : 0);
        assert_int_equal(!request->user, !values[i]);
        assert_int_equal(!request->api_key, !values[i]);
    }
    assert_int_equal(request->error.status, STENO_OK);
    steno_request_free(request);
}

/* As after steno_request_new without memory: setters need no check of their own. */
static void without_a_request_everything_says_so(void **state) {
    (void)state;
    const steno_status none = STENO_NO_MEMORY;
    assert_int_equal(steno_request_add_message(NULL, "user", "x"), none);
    assert_int_equal(steno_request_add_message_json(NULL, "{}"), none);
    assert_int_equal(steno_request_add_tool_result(NULL, "id", "x"), none);
    assert_int_equal(steno_request_add_response(NULL, NULL), none);
    assert_int_equal(steno_request_add_input(NULL, "x"), none);
    assert_int_equal(steno_request_set_json(NULL, "tools", "[]"), none);
    assert_int_equal(steno_request_set_string(NULL, "stop", "x"), none);
    assert_int_equal(steno_request_set_int(NULL, "seed", 1), none);
    assert_int_equal(steno_request_set_double(NULL, "temperature", 1), none);
    assert_int_equal(steno_request_set_bool(NULL, "store", true), none);
    assert_int_equal(steno_request_set_metadata(NULL, "a", "b"), none);
    assert_int_equal(steno_request_set_metadata_json(NULL, "a", "1"), none);
    assert_int_equal(steno_request_add_tag(NULL, "x"), none);
    assert_int_equal(steno_request_set_user(NULL, "x"), none);
    assert_int_equal(steno_request_set_session_id(NULL, "x"), none);
    assert_int_equal(steno_request_set_trace_id(NULL, "x"), none);
    assert_int_equal(steno_request_set_parent_id(NULL, "x"), none);
    assert_int_equal(steno_request_set_header(NULL, "X-Team", "x"), none);
    assert_int_equal(steno_request_set_model(NULL, "x"), none);
    assert_int_equal(steno_request_set_api_key(NULL, "x"), none);
    assert_int_equal(steno_request_set_base_url(NULL, "x"), none);
    assert_int_equal(steno_request_set_timeout_ms(NULL, 1), none);
    assert_int_equal(steno_request_set_try_timeout_ms(NULL, 1), none);
    assert_int_equal(steno_request_set_retries(NULL, 1), none);
    assert_int_equal(steno_request_set_drop_params(NULL, true), none);
    assert_int_equal(steno_request_set_privacy(NULL, STENO_NO_EVENTS), none);
    assert_int_equal(steno_request_add_fallback(NULL, "x"), none);
    assert_int_equal(steno_request_set_cache(NULL, STENO_CACHE_ON, 0), none);
    assert_null(steno_request_get_json(NULL, "tools"));
    assert_null(steno_request_model(NULL));
    char dir[] = "/tmp/steno-none-XXXXXX", command[64];
    assert_non_null(mkdtemp(dir));
    steno_config config = STENO_CONFIG_INIT;
    config.dir = dir;
    steno_client *client;
    steno_response *response;
    steno_error error;
    assert_int_equal(steno_client_new(&config, &client, &error), STENO_OK);
    assert_int_equal(steno_complete(client, NULL, &response, &error), none);
    assert_null(response);
    assert_int_equal(steno_complete_async(client, NULL, NULL, NULL, NULL, &error), none);
    steno_client_free(client);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void any_parameter_passes_through(void **state) {
    (void)state;
    steno_request *request = steno_request_new("gpt-4o");
    steno_request_add_message(request, "user", "bad \xFF byte");
    steno_request_set_json(request, "tools", "[{\"type\":\"function\"}]");
    steno_request_set_int(request, "seed", 7);
    steno_request_set_bool(request, "store", false);
    steno_request_set_double(request, "temperature", 0.5);
    steno_request_set_user(request, "alice");
    char *body = json_dumps(request->params, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        body, "{\"messages\":[{\"content\":\"bad \xEF\xBF\xBD byte\",\"role\":\"user\"}],\"seed\":7,\"store\":false,"
              "\"temperature\":0.5,\"tools\":[{\"type\":\"function\"}],\"user\":\"alice\"}");
    free(body);
    assert_int_equal(request->error.status, STENO_OK);
    steno_request_free(request);
}

static void failures_get_their_type_and_keep_the_message(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        const char *type;
        bool retryable;
        const char *message;
    } cases[] = {
        {401, "{\"error\":{\"message\":\"Incorrect API key\",\"code\":\"invalid_api_key\"}}", "Authentication", false,
         "Incorrect API key"},
        {403, "{\"error\":{\"message\":\"no access\"}}", "PermissionDenied", false, "no access"},
        {404, "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}", "NotFound", false,
         "no such model"},
        {400, "{\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\"}}", "BadRequest", false, "bad"},
        {400, "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}", "ContextWindowExceeded",
         false, "too long"},
        {400, "{\"error\":{\"message\":\"This model's maximum context length is 10\"}}", "ContextWindowExceeded", false,
         NULL},
        {400, "{\"error\":{\"message\":\"filtered\",\"code\":\"content_filter\"}}", "ContentPolicy", false, "filtered"},
        {429, "{\"error\":{\"message\":\"slow down\"}}", "RateLimit", true, "slow down"},
        {429, "{\"error\":{\"message\":\"no credit\",\"code\":\"insufficient_quota\"}}", "RateLimit", false,
         "no credit"},
        {408, "", "Timeout", true, "HTTP 408"},
        {500, "{\"error\":{\"message\":\"oops\"}}", "InternalServer", true, "oops"},
        {502, "<html>bad gateway</html>", "ServiceUnavailable", true, "HTTP 502: <html>bad gateway</html>"},
        {503, "{\"error\":\"loading\"}", "ServiceUnavailable", true, "loading"},
        {529, "{\"error\":{\"message\":\"overloaded\"}}", "ServiceUnavailable", true, "overloaded"},
        {422, "{\"detail\":\"wrong shape\"}", "BadRequest", false, "wrong shape"},
        {307, "", "BadRequest", false, NULL},
        {200, "{\"error\":{\"message\":\"in mid-stream\",\"code\":429}}", "RateLimit", true, "in mid-stream"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = json_loads(cases[i].body, JSON_DECODE_ANY, NULL);
        steno_error error;
        failure_from_reply(&error, cases[i].status, json, cases[i].body);
        assert_string_equal(error.type, cases[i].type);
        assert_int_equal(error.retryable, cases[i].retryable);
        assert_int_equal(error.http_status, cases[i].status);
        if (cases[i].message) assert_string_equal(error.message, cases[i].message);
        json_decref(json);
    }
}

static void secrets_are_masked(void **state) {
    (void)state;
    char key[MASK_KEY_BYTES];
    mask_key("sk-0123456789abcdef", key);
    assert_string_equal(key, "****cdef");
    mask_key("short", key);
    assert_string_equal(key, "****");
    mask_key(NULL, key);
    assert_string_equal(key, "");
    char text[] = "x sk-0123456789abcdef y sk-0123456789abcdef";
    mask_bytes("sk-0123456789abcdef", text, strlen(text));
    assert_string_equal(text, "x ***************cdef y ***************cdef");
    char word[] = "none of it";
    mask_bytes("none", word, strlen(word));
    assert_string_equal(word, "none of it");
    static const char *const urls[][2] = {
        {"https://api.openai.com/v1", "https://api.openai.com/v1"},
        {"https://user:secret@host/v1?key=abc&x=1", "https://host/v1?key=&x="},
        {"http://host:8080/a@b", "http://host:8080/a@b"},
        {"host", "host"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char *masked = mask_url(urls[i][0]);
        assert_string_equal(masked, urls[i][1]);
        free(masked);
    }
}

static void the_model_names_the_provider(void **state) {
    (void)state;
    static const struct {
        const char *asked;
        bool custom_url;
        const char *provider, *model;
        const wire *by;
    } cases[] = {
        {"gpt-4o", false, "openai", "gpt-4o", &wire_openai},
        {"a-model-of-nobody", false, "openai", "a-model-of-nobody", &wire_openai},
        {"groq/meta-llama/llama-4", false, "groq", "meta-llama/llama-4", &wire_openai},
        {"meta-llama/llama-4", true, "openai", "meta-llama/llama-4", &wire_openai},
        {"claude-sonnet-4-5", false, "anthropic", "claude-sonnet-4-5", &wire_anthropic},
        {"claude-sonnet-4-5", true, "openai", "claude-sonnet-4-5", &wire_openai}, /* a gateway */
        {"anthropic/claude-sonnet-4-5", true, "anthropic", "claude-sonnet-4-5", &wire_anthropic},
        {"gemini-2.5-flash", false, "gemini", "gemini-2.5-flash", &wire_gemini},
        {"openai/responses/gpt-5", false, "openai", "gpt-5", &wire_responses},
        {"responses/gpt-5", false, "openai", "gpt-5", &wire_responses},
        {"azure/my-deployment", false, "azure", "my-deployment", &wire_azure},
        {"bedrock/us.amazon.nova-lite-v1:0", false, "bedrock", "us.amazon.nova-lite-v1:0", &wire_bedrock},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const provider *found;
        const wire *by;
        const char *model;
        assert_int_equal(provider_find(cases[i].asked, cases[i].custom_url, &found, &by, &model, NULL), STENO_OK);
        assert_string_equal(found->name, cases[i].provider);
        assert_string_equal(model, cases[i].model);
        assert_ptr_equal(by, cases[i].by);
    }
}

static void what_names_no_provider_is_refused(void **state) {
    (void)state;
    const provider *found;
    const wire *by;
    const char *model;
    steno_error error;
    assert_int_equal(provider_find("opnai/gpt-4o", false, &found, &by, &model, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "opnai"));
    assert_non_null(strstr(error.message, "openrouter"));
    assert_string_equal(found->name, "unknown");
    assert_int_equal(provider_find("", false, &found, &by, &model, &error), STENO_INVALID);
    assert_int_equal(provider_find("groq/", false, &found, &by, &model, &error), STENO_INVALID);
}

/* Emits one event and returns it as the spool has it; the caller frees with steno_event_free. */
static steno_event *emitted(const char *json, steno_status expected, steno_error *error) {
    static char dir[] = "/tmp/steno-emit-XXXXXX", command[64];
    static uint8_t bytes[65536];
    strcpy(dir, "/tmp/steno-emit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    steno_config config = STENO_CONFIG_INIT;
    config.dir = dir;
    config.app_name = "test";
    steno_client *client;
    steno_receipt receipt;
    if (steno_client_new(&config, &client, error)) fail_msg("%s", error->message);
    assert_int_equal(steno_emit_json(client, json, strlen(json), &receipt, error), expected);
    steno_event *event = NULL;
    if (expected == STENO_OK) {
        char spool[64];
        snprintf(spool, sizeof spool, "%s/spool", dir);
        spool_reader *reader;
        spool_record record;
        assert_int_equal(spool_reader_open(spool, receipt.publisher, 1, &reader, NULL), STENO_OK);
        assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
        assert_int_equal(record.seq, receipt.seq);
        memcpy(bytes, record.bytes, record.size);
        assert_int_equal(steno_event_decode(bytes, record.size, &event, NULL), STENO_OK);
        spool_reader_close(reader);
    }
    steno_client_free(client);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    return event;
}

static void an_emitted_event_gets_what_it_lacks(void **state) {
    (void)state;
    steno_error error;
    steno_event *event =
        emitted("{\"event\":\"success\",\"model\":\"groq/llama\",\"api_key\":\"sk-0123456789abcdef\",\"time\":null,"
                "\"note\":\"my key is sk-0123456789abcdef\",\"own\":[1]}",
                STENO_OK, &error);
    assert_string_equal(steno_event_string(event, "provider"), "groq");
    assert_string_equal(steno_event_string(event, "model"), "llama");
    assert_string_equal(steno_event_string(event, "log_event_type"), "successful_api_call");
    assert_string_equal(steno_event_string(event, "api_key"), "****cdef");
    assert_string_equal(steno_event_string(event, "note"), "my key is ***************cdef");
    assert_int_equal(strlen(steno_event_string(event, "call_id")), 36);
    assert_int_equal(steno_value_int(steno_event_get(event, "v"), 0), 1);
    assert_true(steno_value_double(steno_event_get(event, "time"), 0) > 1.6e9);
    assert_string_equal(steno_value_string(steno_value_get(steno_event_get(event, "app"), "name"), NULL), "test");
    assert_int_equal(steno_value_count(steno_event_get(event, "own")), 1);
    assert_int_equal(steno_event_validate(event, &error), STENO_OK);
    steno_event_free(event);
}

static void a_wrong_event_is_refused_with_the_reason(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"event\":\"sucess\"}", "success"},
        {"{}", "`event`"},
        {"{}", "not missing"},
        {"{\"event\":7}", "not something else than a text"},
        {"[]", "JSON object"},
        {"{\"event\":", "line 1"},
        {"{\"event\":\"success\",\"user\":7}", "`user`"},
        {"{\"event\":\"success\",\"start_time\":\"today\"}", "`start_time`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        steno_error error;
        emitted(cases[i][0], STENO_INVALID, &error);
        assert_int_equal(error.status, STENO_INVALID);
        if (!strstr(error.message, cases[i][1])) fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i][1]);
    }
}

static void settings_out_of_range_are_refused(void **state) {
    (void)state;
    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.timeout_ms = -1;
    assert_int_equal(steno_client_new(&config, &client, &error), STENO_INVALID);
    assert_null(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_keeps_its_first_error),
        cmocka_unit_test(what_is_null_is_told_and_not_read),
        cmocka_unit_test(a_label_that_is_null_is_none),
        cmocka_unit_test(without_a_request_everything_says_so),
        cmocka_unit_test(any_parameter_passes_through),
        cmocka_unit_test(failures_get_their_type_and_keep_the_message),
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(the_model_names_the_provider),
        cmocka_unit_test(what_names_no_provider_is_refused),
        cmocka_unit_test(an_emitted_event_gets_what_it_lacks),
        cmocka_unit_test(a_wrong_event_is_refused_with_the_reason),
        cmocka_unit_test(settings_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
