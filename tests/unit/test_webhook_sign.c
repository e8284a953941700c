/* The oracle is the vector of the specification's own libraries; the system test verifies what is sent with Python's hmac. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "subscribers/webhook_sign.h"

#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME 1614265330
static const char BODY[] = "{\"test\": 2432232314}";
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

/* libraries/go/webhook_test.go of github.com/standard-webhooks/standard-webhooks */
static void signature_is_that_of_the_specification(void **state) {
    (void)state;
    webhook_secrets secrets = {0};
    char out[WEBHOOK_SIGNATURE_BYTES];
    assert_int_equal(webhook_secret_add(&secrets, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL), STENO_OK);
    assert_true(webhook_sign(&secrets, ID, TIME, BODY, strlen(BODY), out));
    assert_string_equal(out, SIGNATURE);
    secrets.count = 0;
    assert_true(webhook_sign(&secrets, ID, TIME, BODY, strlen(BODY), out));
    assert_string_equal(out, "");
}

static void each_secret_signs(void **state) {
    (void)state;
    webhook_secrets secrets = {0};
    char out[WEBHOOK_SIGNATURE_BYTES], old[WEBHOOK_SIGNATURE_BYTES];
    assert_int_equal(webhook_secret_add(&secrets, "the old one", NULL), STENO_OK);
    assert_true(webhook_sign(&secrets, ID, TIME, BODY, strlen(BODY), old));
    assert_int_equal(webhook_secret_add(&secrets, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL), STENO_OK);
    assert_true(webhook_sign(&secrets, ID, TIME, BODY, strlen(BODY), out));
    assert_memory_equal(out, old, strlen(old));
    assert_string_equal(out + strlen(old), " " SIGNATURE);
    assert_int_equal(webhook_secret_add(&secrets, "three", NULL), STENO_OK);
    assert_int_equal(webhook_secret_add(&secrets, "four", NULL), STENO_OK);
    assert_true(webhook_sign(&secrets, ID, TIME, BODY, strlen(BODY), out));
    assert_int_equal(webhook_secret_add(&secrets, "five", NULL), STENO_LIMIT);
}

static void secrets_are_base64_after_their_prefix_only(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t size; /* 0: refused */
        const char *bytes;
    } cases[] = {{"whsec_aGVsbG8=", 5, "hello"},
                 {"whsec_aGVsbG8", 5, "hello"},
                 {"whsec_aGVsbG8h", 6, "hello!"},
                 {"aGVsbG8=", 8, "aGVsbG8="},
                 {"pass word", 9, "pass word"},
                 {"whsec_", 0, NULL},
                 {"", 0, NULL},
                 {"whsec_a", 0, NULL},
                 {"whsec_a=Vs", 0, NULL},
                 {"whsec_====", 0, NULL},
                 {"whsec_hush hush!", 0, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        webhook_secrets secrets = {0};
        steno_error error;
        steno_status status = webhook_secret_add(&secrets, cases[i].text, &error);
        assert_int_equal(status, cases[i].size ? STENO_OK : STENO_INVALID);
        assert_int_equal(secrets.count, cases[i].size > 0);
        assert_int_equal(cases[i].size ? secrets.list[0].size : 0, cases[i].size);
        if (cases[i].size) assert_memory_equal(secrets.list[0].bytes, cases[i].bytes, cases[i].size);
        if (!cases[i].size) assert_null(strstr(error.message, "hush"));
    }
}

static void secrets_have_a_largest_size(void **state) {
    (void)state;
    webhook_secrets secrets = {0};
    char text[1000];
    memset(text, 'A', sizeof text);
    text[WEBHOOK_SECRET_BYTES_MAX] = '\0';
    assert_int_equal(webhook_secret_add(&secrets, text, NULL), STENO_OK);
    text[WEBHOOK_SECRET_BYTES_MAX] = 'A';
    text[WEBHOOK_SECRET_BYTES_MAX + 1] = '\0';
    assert_int_equal(webhook_secret_add(&secrets, text, NULL), STENO_INVALID);
    /* 683 characters are 512 bytes. */
    memcpy(text, "whsec_", 6);
    memset(text + 6, 'A', 700);
    text[6 + 683] = '\0';
    assert_int_equal(webhook_secret_add(&secrets, text, NULL), STENO_OK);
    assert_int_equal(secrets.list[1].size, WEBHOOK_SECRET_BYTES_MAX);
    text[6 + 683] = 'A';
    text[6 + 684] = '\0';
    assert_int_equal(webhook_secret_add(&secrets, text, NULL), STENO_INVALID);
}

/* An event of `call` (NULL: none) at `offset`; its body stays in the draft. */
static steno_event *event_of(steno_draft *draft, const char *call, uint64_t offset) {
    const void *body;
    size_t size;
    steno_event *event;
    steno_draft_start(draft);
    steno_draft_string(draft, "event", "success");
    if (call) steno_draft_string(draft, "call_id", call);
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    assert_int_equal(steno_event_decode(body, size, &event, NULL), STENO_OK);
    steno_event_set_offset(event, offset);
    return event;
}

static void id_is_of_offsets_and_call_and_has_no_dots(void **state) {
    (void)state;
    char out[WEBHOOK_ID_BYTES], long_call[129];
    memset(long_call, 'x', 128);
    long_call[128] = '\0';
    steno_draft *drafts[] = {steno_draft_new(), steno_draft_new(), steno_draft_new(), steno_draft_new()};
    const steno_event *events[] = {event_of(drafts[0], "0192-ab", 7), event_of(drafts[1], "a.b c\n", 9),
                                   event_of(drafts[2], NULL, 10), event_of(drafts[3], long_call, UINT64_MAX)};
    webhook_id(events, 1, out);
    assert_string_equal(out, "7_0192-ab");
    webhook_id(events, 2, out);
    assert_string_equal(out, "7-9_0192-ab");
    webhook_id(events + 1, 1, out);
    assert_string_equal(out, "9_a_b_c_");
    webhook_id(events + 2, 1, out);
    assert_string_equal(out, "10");
    webhook_id(events + 3, 1, out);
    assert_int_equal(strlen(out), 20 + 1 + 64);
    for (size_t i = 0; i < 4; i++) {
        steno_event_free((steno_event *)(uintptr_t)events[i]);
        steno_draft_free(drafts[i]);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_that_of_the_specification),     cmocka_unit_test(each_secret_signs),
        cmocka_unit_test(secrets_are_base64_after_their_prefix_only), cmocka_unit_test(secrets_have_a_largest_size),
        cmocka_unit_test(id_is_of_offsets_and_call_and_has_no_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
