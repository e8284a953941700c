/* Tests of client/aws_sign.c by known answers: AWS's published suite of signatures (service "service", 30 August 2015), and, for what the suite
 * has not (a path with escapes, a port), signatures that botocore made of the same requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/aws_sign.h"

#define NOW 1440938160 /* 20150830T123600Z */

static const aws_credentials example = {
    .key_id = "AKIDEXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", .region = "us-east-1"};
static const aws_credentials temporary = {.key_id = "AKIDEXAMPLE",
                                          .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                          .session_token = "TOKEN",
                                          .region = "us-east-1"};

/* What a header says; NULL if it is not there exactly once. */
static const char *header(const struct curl_slist *headers, const char *name) {
    const char *found = NULL;
    for (; headers; headers = headers->next)
        if (!strncmp(headers->data, name, strlen(name)) && headers->data[strlen(name)] == ':') {
            if (found) return NULL;
            found = headers->data + strlen(name) + 2;
        }
    return found;
}

static void expect(const aws_credentials *with, const aws_request *request, const char *type, const char *names,
                   const char *signature) {
    struct curl_slist *headers = type ? curl_slist_append(NULL, type) : NULL;
    steno_error error;
    if (aws_sign(with, request, NOW, &headers, &error)) fail_msg("%s", error.message);
    char wanted[512];
    snprintf(wanted, sizeof wanted,
             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, "
             "Signature=%s",
             request->service, names, signature);
    assert_string_equal(header(headers, "Authorization"), wanted);
    assert_string_equal(header(headers, "X-Amz-Date"), "20150830T123600Z");
    curl_slist_free_all(headers);
}

#define SUITE "https://example.amazonaws.com"

static void the_published_suite_is_signed_right(void **state) {
    (void)state;
    static const struct {
        const char *method, *url, *body, *type, *names, *signature;
    } cases[] = {
        /* get-vanilla */
        {"GET", SUITE "/", "", NULL, "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", SUITE, "", NULL, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        /* post-vanilla */
        {"POST", SUITE "/", "", NULL, "host;x-amz-date",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        /* get-vanilla-query-order-key-case */
        {"GET", SUITE "/?Param2=value2&Param1=value1", "", NULL, "host;x-amz-date",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        /* post-vanilla-query */
        {"POST", SUITE "/?Param1=value1", "", NULL, "host;x-amz-date",
         "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
        /* post-x-www-form-urlencoded */
        {"POST", SUITE "/", "Param1=value1", "Content-Type: application/x-www-form-urlencoded",
         "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
        /* get-unreserved */
        {"GET", SUITE "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", NULL,
         "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const aws_request request = {"service", cases[i].method, cases[i].url, cases[i].body, strlen(cases[i].body)};
        expect(&example, &request, cases[i].type, cases[i].names, cases[i].signature);
    }
}

static void an_escaped_path_is_escaped_once_more(void **state) {
    (void)state;
    const aws_request colon = {
        "bedrock", "POST",
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse",
        "{\"a\":1}", 7};
    expect(&example, &colon, "Content-Type:  application/json ", "content-type;host;x-amz-date",
           "8a781119d9cde2c8fecabd4b47ac2ca1132990136a96fcf8b7a3d39dba38d195");
    const aws_request arn = {"bedrock", "POST",
                             "https://bedrock-runtime.us-east-1.amazonaws.com/model/"
                             "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F"
                             "us.amazon.nova-lite-v1%3A0/converse-stream",
                             "{\"a\":1}", 7};
    expect(&temporary, &arn, "content-type: application/json", "content-type;host;x-amz-date;x-amz-security-token",
           "ecba48bc688e3331128105503e3acf8b57958dd52eb4cc49c5b1c688bec0584b");
}

static void a_port_belongs_to_the_host(void **state) {
    (void)state;
    const aws_request request = {"bedrock", "POST", "http://127.0.0.1:8931/model/m/converse", NULL, 0};
    expect(&example, &request, NULL, "host;x-amz-date",
           "2d5742f102a03163519728e3beeb488346809d18cfe1834524058ec936f2e11a");
}

static void signing_again_replaces_the_first_signature(void **state) {
    (void)state;
    const aws_request request = {"service", "GET", SUITE "/", NULL, 0};
    struct curl_slist *headers = curl_slist_append(NULL, "User-Agent: x");
    assert_int_equal(aws_sign(&temporary, &request, NOW - 3600, &headers, NULL), STENO_OK);
    assert_string_equal(header(headers, "X-Amz-Security-Token"), "TOKEN");
    assert_int_equal(aws_sign(&example, &request, NOW, &headers, NULL), STENO_OK);
    assert_string_equal(header(headers, "User-Agent"), "x"); /* and it is not signed: a proxy may change it */
    assert_null(header(headers, "X-Amz-Security-Token"));
    assert_string_equal(header(headers, "X-Amz-Date"), "20150830T123600Z");
    assert_non_null(strstr(header(headers, "Authorization"), "Signature=5fa00fa31553b73e"));
    curl_slist_free_all(headers);
}

static void what_cant_be_signed_is_refused_and_leaves_the_headers(void **state) {
    (void)state;
    const aws_request request = {"service", "GET", SUITE "/", NULL, 0}, no_url = {"service", "GET", "::", NULL, 0};
    const aws_credentials no_region = {.key_id = "a", .secret = "b"}, no_secret = {.key_id = "a", .region = "c"};
    struct curl_slist *headers = curl_slist_append(NULL, "User-Agent: x"), *before = headers;
    steno_error error;
    assert_int_equal(aws_sign(&no_region, &request, NOW, &headers, &error), STENO_NOT_FOUND);
    assert_non_null(strstr(error.message, "AWS_REGION"));
    assert_int_equal(aws_sign(&no_secret, &request, NOW, &headers, &error), STENO_NOT_FOUND);
    assert_non_null(strstr(error.message, "AWS_SECRET_ACCESS_KEY"));
    assert_int_equal(aws_sign(&example, &no_url, NOW, &headers, &error), STENO_INVALID);
    assert_ptr_equal(headers, before);
    for (int i = 0; i < 2 * AWS_SIGNED_HEADERS_MAX; i++) headers = curl_slist_append(headers, "X-Amz-Other: 1");
    assert_int_equal(aws_sign(&example, &request, NOW, &headers, &error), STENO_NO_MEMORY);
    curl_slist_free_all(headers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_suite_is_signed_right),
        cmocka_unit_test(an_escaped_path_is_escaped_once_more),
        cmocka_unit_test(a_port_belongs_to_the_host),
        cmocka_unit_test(signing_again_replaces_the_first_signature),
        cmocka_unit_test(what_cant_be_signed_is_refused_and_leaves_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
