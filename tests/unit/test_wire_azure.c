/* Tests of client/providers/azure.c: where Azure has OpenAI's operations, and what it adds to their replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/failure.h"
#include "client/providers/azure.h"
#include "client/usage.h"
#include "tests/unit/wire_check.h"

static const wire_ask chat = {.kind = CALL_CHAT, .model = "my-gpt"};

#define BASE "https://res.openai.azure.com"

static void every_form_of_base_leads_to_the_operation(void **state) {
    (void)state;
    static const struct {
        call_kind kind;
        const char *base, *version, *model, *path;
    } cases[] = {
        /* v1 */
        {CALL_CHAT, BASE, NULL, "m", "/openai/v1/chat/completions"},
        {CALL_CHAT, BASE, "", "m", "/openai/v1/chat/completions"},
        {CALL_TEXT, BASE, NULL, "m", "/openai/v1/completions"},
        {CALL_EMBEDDING, BASE, NULL, "m", "/openai/v1/embeddings"},
        {CALL_CHAT, BASE "/openai", NULL, "m", "/v1/chat/completions"},
        {CALL_CHAT, BASE "/openai/v1", NULL, "m", "/chat/completions"},
        {CALL_CHAT, BASE, "v1", "m", "/openai/v1/chat/completions"},
        {CALL_CHAT, BASE, "preview", "m", "/openai/v1/chat/completions?api-version=preview"},
        /* a base that says v1 has no date, whatever is left in the environment */
        {CALL_CHAT, BASE "/openai/v1", "2024-10-21", "m", "/chat/completions"},
        /* dated */
        {CALL_CHAT, BASE, "2024-10-21", "m", "/openai/deployments/m/chat/completions?api-version=2024-10-21"},
        {CALL_EMBEDDING, BASE "/openai", "2024-10-21", "m", "/deployments/m/embeddings?api-version=2024-10-21"},
        {CALL_CHAT, BASE, "2025-01-01-preview", "a b/c",
         "/openai/deployments/a%20b%2Fc/chat/completions?api-version=2025-01-01-preview"},
        {CALL_CHAT, BASE, "x&y", "m", "/openai/deployments/m/chat/completions?api-version=x%26y"},
        {CALL_CHAT, BASE "/openai/deployments/m", "2024-10-21", "m", "/chat/completions?api-version=2024-10-21"},
        {CALL_CHAT, BASE "/openai/deployments/m", NULL, "m", "/chat/completions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const wire_ask ask = {.kind = cases[i].kind, .model = cases[i].model, .version = cases[i].version};
        char path[WIRE_PATH_BYTES];
        assert_true(wire_azure.path(&ask, cases[i].base, path));
        assert_string_equal(path, cases[i].path);
    }
}

static void responses_are_at_no_deployment(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {BASE, NULL, "/openai/v1/responses"},
        {BASE "/openai", NULL, "/v1/responses"},
        {BASE "/openai/v1", NULL, "/responses"},
        {BASE, "preview", "/openai/v1/responses?api-version=preview"},
        {BASE, "2025-04-01-preview", "/openai/responses?api-version=2025-04-01-preview"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const wire_ask ask = {.model = "m", .version = cases[i][1]};
        char path[WIRE_PATH_BYTES];
        assert_true(azure_responses_path(&ask, cases[i][0], path));
        assert_string_equal(path, cases[i][2]);
    }
}

static void a_path_that_is_too_long_is_refused(void **state) {
    (void)state;
    char model[WIRE_PATH_BYTES + 1], path[WIRE_PATH_BYTES];
    memset(model, 'm', sizeof model - 1);
    model[sizeof model - 1] = '\0';
    const wire_ask ask = {.model = model, .version = "2024-10-21"}, version = {.model = "m", .version = model};
    assert_false(wire_azure.path(&ask, BASE, path));
    assert_false(wire_azure.path(&version, BASE, path));
}

static void the_body_is_openais_with_the_deployment_for_the_model(void **state) {
    (void)state;
    wire_ask streamed = chat;
    streamed.stream = true;
    wire_check_body(&chat, &wire_azure,
                    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"seed\":1,\"data_sources\":[]}",
                    "{\"model\":\"my-gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"seed\":1,"
                    "\"data_sources\":[]}");
    wire_check_body(
        &streamed, &wire_azure, "{\"messages\":[]}",
        "{\"model\":\"my-gpt\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
}

#define SAFE "{\"hate\":{\"filtered\":false,\"severity\":\"safe\"}}"

static void a_reply_keeps_what_the_filters_said(void **state) {
    (void)state;
    wire_check_reply(&chat, &wire_azure,
                     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-2024-11-20\",\"choices\":[{"
                     "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\","
                     "\"content_filter_results\":" SAFE "}],\"prompt_filter_results\":[{\"prompt_index\":0}],"
                     "\"usage\":{\"prompt_tokens\":1}}",
                     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-2024-11-20\",\"choices\":[{"
                     "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\","
                     "\"content_filter_results\":" SAFE "}],\"prompt_filter_results\":[{\"prompt_index\":0}]}");
}

static void a_stream_begins_with_a_chunk_without_choices(void **state) {
    (void)state;
    static const char *const records[] = {
        "{\"id\":\"\",\"object\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}",
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null,\"content_filter_results\":{}}],"
        "\"usage\":null}",
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},"
        "\"content_filter_results\":" SAFE "}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
        /* filters that come late */
        "{\"choices\":[{\"index\":0,\"finish_reason\":null,\"content_filter_results\":" SAFE
        ",\"content_filter_offsets\":{\"check_offset\":1}}]}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}", NULL};
    wire_check_stream(
        &chat, &wire_azure, records,
        "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\",\"prompt_filter_results\":[{\"prompt_"
        "index\":0}],"
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\","
        "\"content_filter_results\":" SAFE ",\"content_filter_offsets\":{\"check_offset\":1}}],"
        "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}");
}

static void expect_failure(int status, const char *body, const char *type, const char *word) {
    json_t *json = json_loads(body, 0, NULL);
    steno_error error;
    assert_non_null(json);
    failure_from_reply(&error, status, json, body);
    assert_string_equal(error.type, type);
    if (!strstr(error.message, word)) fail_msg("\"%s\" does not say \"%s\"", error.message, word);
    json_decref(json);
}

static void azures_errors_have_their_types(void **state) {
    (void)state;
    expect_failure(400,
                   "{\"error\":{\"message\":\"The response was filtered\",\"type\":null,\"param\":\"prompt\",\"code\":"
                   "\"content_filter\",\"status\":400,\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}}}",
                   "ContentPolicy", "filtered");
    expect_failure(400,
                   "{\"error\":{\"code\":null,\"message\":\"No.\",\"innererror\":{\"code\":"
                   "\"ResponsibleAIPolicyViolation\"}}}",
                   "ContentPolicy", "No.");
    expect_failure(400, "{\"error\":{\"code\":\"x\",\"message\":\"y\",\"innererror\":7}}", "BadRequest", "y");
    expect_failure(401, "{\"error\":{\"code\":\"401\",\"message\":\"Access denied\"}}", "Authentication", "denied");
    expect_failure(401, "{\"statusCode\":401,\"message\":\"Unauthorized. Access token is missing\"}", "Authentication",
                   "missing");
    expect_failure(404, "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"no such deployment\"}}", "NotFound",
                   "deployment");
    expect_failure(429, "{\"error\":{\"code\":\"429\",\"message\":\"Requests have exceeded\"}}", "RateLimit",
                   "exceeded");
    static const char *const records[] = {
        "{\"choices\":[],\"prompt_filter_results\":[]}",
        "{\"error\":{\"code\":\"content_filter\",\"message\":\"The response was filtered\"}}", NULL};
    wire_check_stream_fails(&chat, &wire_azure, records, "ContentPolicy");
}

/* Bedrock's errors in one piece; those in streams are in test_wire_bedrock.c. */
static void awss_errors_have_their_types(void **state) {
    (void)state;
    expect_failure(403, "{\"message\":\"The security token included in the request is expired\"}", "Authentication",
                   "expired");
    expect_failure(403, "{\"Message\":\"User: x is not authorized to perform: bedrock:InvokeModel\"}",
                   "PermissionDenied", "not authorized");
    expect_failure(403, "{\"message\":\"The request signature we calculated does not match the signature\"}",
                   "Authentication", "signature");
    expect_failure(400, "{\"message\":\"Input is too long for requested model.\"}", "ContextWindowExceeded", "long");
    expect_failure(424, "{\"message\":\"The model failed\"}", "InternalServer", "failed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_base_leads_to_the_operation),
        cmocka_unit_test(responses_are_at_no_deployment),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(the_body_is_openais_with_the_deployment_for_the_model),
        cmocka_unit_test(a_reply_keeps_what_the_filters_said),
        cmocka_unit_test(a_stream_begins_with_a_chunk_without_choices),
        cmocka_unit_test(azures_errors_have_their_types),
        cmocka_unit_test(awss_errors_have_their_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
