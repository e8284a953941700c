/* The JSON encoding against the protocol's rules, and what answers mean. Both encodings as a receiver sees them are in the system test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "subscribers/otlp.pb-c.h"
#include "subscribers/otlp_json.h"
#include "subscribers/otlp_send.h"

static void json_is(const ProtobufCMessage *message, const char *expected) {
    json_t *json = otlp_json(message);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void json_follows_the_rules_of_the_protocol(void **state) {
    (void)state;
    unsigned char id[] = {0x01, 0xab, 0xff};
    Otlp__Span span = OTLP__SPAN__INIT;
    json_is(&span.base, "{}");
    span.trace_id = (ProtobufCBinaryData){.len = 3, .data = id};
    span.name = "a \"b\"";
    span.kind = 3;
    span.start_time_unix_nano = UINT64_MAX;
    json_is(
        &span.base,
        "{\"traceId\":\"01abff\",\"name\":\"a \\\"b\\\"\",\"kind\":3,\"startTimeUnixNano\":\"18446744073709551615\"}");
    Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
    value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
    value.int_value = INT64_MIN;
    json_is(&value.base, "{\"intValue\":\"-9223372036854775808\"}");
    value.int_value = 0; /* chosen, though it is nothing */
    json_is(&value.base, "{\"intValue\":\"0\"}");
    value.value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
    value.bool_value = false;
    json_is(&value.base, "{\"boolValue\":false}");
    value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    value.string_value = "";
    json_is(&value.base, "{\"stringValue\":\"\"}");
    uint64_t counts[] = {0, 2};
    double bounds[] = {0.5};
    Otlp__HistogramPoint point = OTLP__HISTOGRAM_POINT__INIT;
    point.count = 2;
    point.if_sum_case = OTLP__HISTOGRAM_POINT__IF_SUM_SUM;
    point.bucket_counts = counts;
    point.n_bucket_counts = 2;
    point.explicit_bounds = bounds;
    point.n_explicit_bounds = 1;
    json_is(&point.base, "{\"count\":\"2\",\"sum\":0.0,\"bucketCounts\":[\"0\",\"2\"],\"explicitBounds\":[0.5]}");
}

static void only_what_may_pass_is_tried_again(void **state) {
    (void)state;
    for (long status = 100; status < 600; status++) {
        const delivery_outcome outcome = otlp_outcome(status);
        const bool later = status == 429 || status == 502 || status == 503 || status == 504;
        const bool misled =
            status / 100 == 3 || status == 401 || status == 403 || status == 404 || status == 405 || status == 415;
        assert_int_equal(outcome, status / 100 == 2 ? DELIVERY_DONE
                                  : later           ? DELIVERY_LATER
                                  : misled          ? DELIVERY_BROKEN
                                                    : DELIVERY_REFUSED);
    }
    assert_int_equal(otlp_outcome(0), DELIVERY_LATER);
}

static int64_t rejected(const char *type, const char *body, size_t size, const char *expected) {
    http_reply reply = {.status = 200, .body = body, .body_size = size};
    strcpy(reply.content_type, type);
    char *why;
    const int64_t count = otlp_rejected(&reply, &why);
    if (expected)
        assert_string_equal(why, expected);
    else
        assert_null(why);
    free(why);
    return count;
}

#define JSON(text) "application/json", text, sizeof text - 1
#define PROTOBUF(text) "application/x-protobuf", text, sizeof text - 1

static void partial_success_is_read_in_both_encodings(void **state) {
    (void)state;
    assert_int_equal(rejected(PROTOBUF(""), NULL), 0);
    assert_int_equal(rejected(PROTOBUF("\x0a\x06\x08\x05\x12\x02no"), "no"), 5);
    assert_int_equal(rejected(PROTOBUF("\x0a\x04\x12\x02hm"), "hm"), 0); /* a warning */
    assert_int_equal(rejected(PROTOBUF("\x0a\xff\xff"), NULL), 0);       /* damaged */
    assert_int_equal(rejected(JSON("{}"), NULL), 0);
    assert_int_equal(rejected(JSON("{\"partialSuccess\":{}}"), NULL), 0);
    assert_int_equal(rejected(JSON("{\"partialSuccess\":{\"rejectedSpans\":\"7\",\"errorMessage\":\"no\"}}"), "no"), 7);
    assert_int_equal(rejected(JSON("{\"partialSuccess\":{\"rejectedDataPoints\":7}}"), NULL), 7);
    assert_int_equal(rejected(JSON("{\"partialSuccess\":{\"rejectedSpans\":-7,\"errorMessage\":4}}"), NULL), 0);
    assert_int_equal(rejected(JSON("<html>"), NULL), 0);
    assert_int_equal(rejected(JSON("[1]"), NULL), 0);
    assert_int_equal(rejected("text/html", "\x0a\x06\x08\x05\x12\x02no", 8, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_follows_the_rules_of_the_protocol),
        cmocka_unit_test(only_what_may_pass_is_tried_again),
        cmocka_unit_test(partial_success_is_read_in_both_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
