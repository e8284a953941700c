/* subscribers/control_client.c against a daemon that answers late, wrongly, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "subscribers/steno_subscriber.h"
#include "tests/unit/fake_daemon.h"

/* A call on a thread of its own, while the test plays the daemon. */
typedef struct call {
    steno_control *control;
    const char *verb;
    int64_t echo, echoed, timeout_ms;
    steno_status status;
    steno_error error;
    pthread_t thread;
    volatile bool done;
} call;

static void *call_main(void *ctx) {
    call *self = ctx;
    steno_draft *draft = steno_draft_new();
    const steno_value *reply;
    steno_draft_start(draft);
    steno_draft_string(draft, "verb", self->verb);
    steno_draft_int(draft, "echo", self->echo);
    self->status = steno_control_call(self->control, draft, self->timeout_ms, &reply, &self->error);
    self->echoed = steno_value_int(steno_value_get(reply, "echo"), -1);
    steno_draft_free(draft);
    __atomic_store_n(&self->done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void call_while_pumping(call *self, fake_daemon *fake) {
    self->done = false;
    if (!self->verb) self->verb = "ping";
    pthread_create(&self->thread, NULL, call_main, self);
    while (!__atomic_load_n(&self->done, __ATOMIC_SEQ_CST)) {
        if (fake) fake_pump(fake);
        usleep(500);
    }
    pthread_join(self->thread, NULL);
}

static steno_control *control_of(fake_daemon *fake) {
    steno_control *control;
    assert_int_equal(steno_control_new(fake->dir, &control, NULL), STENO_OK);
    return control;
}

static void reply_reaches_its_caller(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    call ping = {.control = control_of(fake), .echo = 41, .timeout_ms = 10000};
    call_while_pumping(&ping, fake);
    assert_int_equal(ping.status, STENO_OK);
    assert_int_equal(ping.echoed, 41);
    steno_control_free(ping.control);
    fake_free(fake);
}

static void late_reply_is_never_taken_for_the_next_one(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    call first = {.control = control_of(fake), .echo = 1, .timeout_ms = 300};
    fake->hold_one = true; /* is sent just before the second one's */
    call_while_pumping(&first, fake);
    assert_int_equal(first.status, STENO_TIMEOUT);
    call second = {.control = first.control, .echo = 2, .timeout_ms = 10000};
    call_while_pumping(&second, fake);
    assert_int_equal(fake->requests, 2);
    assert_int_equal(second.status, STENO_OK);
    assert_int_equal(second.echoed, 2);
    steno_control_free(first.control);
    fake_free(fake);
}

static void refusal_has_code_and_message(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    call wrong = {.control = control_of(fake), .verb = "dance", .timeout_ms = 10000};
    call_while_pumping(&wrong, fake);
    assert_int_equal(wrong.status, STENO_FAILED);
    assert_string_equal(wrong.error.type, "unknown_verb");
    assert_non_null(strstr(wrong.error.message, "no such verb"));
    steno_control_free(wrong.control);
    fake_free(fake);
}

static void garbage_is_passed_over(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    fake->garbage = 3;
    call ping = {.control = control_of(fake), .echo = 7, .timeout_ms = 10000};
    call_while_pumping(&ping, fake);
    assert_int_equal(ping.status, STENO_OK);
    assert_int_equal(ping.echoed, 7);
    steno_control_free(ping.control);
    fake_free(fake);
}

static void absent_daemon_is_a_timeout_and_gets_no_old_requests(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_control *control = control_of(fake);
    zmq_close(fake->router);
    char path[128];
    snprintf(path, sizeof path, "%s/control", fake->dir);
    unlink(path);
    for (int64_t i = 0; i < 5; i++) {
        call absent = {.control = control, .echo = i, .timeout_ms = 20};
        call_while_pumping(&absent, NULL);
        assert_int_equal(absent.status, STENO_TIMEOUT);
        assert_non_null(strstr(absent.error.message, "is it running?"));
    }
    fake->router = zmq_socket(fake->context, ZMQ_ROUTER);
    fake_restart(fake);
    call back = {.control = control, .echo = 99, .timeout_ms = 10000};
    call_while_pumping(&back, fake);
    assert_int_equal(back.status, STENO_OK);
    assert_int_equal(back.echoed, 99);
    assert_int_equal(fake->requests, 1);
    steno_control_free(control);
    fake_free(fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_reaches_its_caller),
        cmocka_unit_test(late_reply_is_never_taken_for_the_next_one),
        cmocka_unit_test(refusal_has_code_and_message),
        cmocka_unit_test(garbage_is_passed_over),
        cmocka_unit_test(absent_daemon_is_a_timeout_and_gets_no_old_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
