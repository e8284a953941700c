/* Tests of client/redis_address.c: URLs as people write them, and errors that keep a password to themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/cache.h"
#include "client/redis_address.h"

static void part_is(const char *part, const char *wanted) {
    if (!wanted)
        assert_null(part);
    else
        assert_string_equal(part, wanted);
}

static void urls_are_read(void **state) {
    (void)state;
    static const struct {
        const char *url, *path, *host, *port, *user, *password, *database;
    } cases[] = {
        {"redis://localhost", NULL, "localhost", "6379", NULL, NULL, NULL},
        {"redis://localhost/", NULL, "localhost", "6379", NULL, NULL, NULL},
        {"redis://localhost:7000/0", NULL, "localhost", "7000", NULL, NULL, NULL},
        {"REDIS://cache.example:7000/12", NULL, "cache.example", "7000", NULL, NULL, "12"},
        {"redis://me:secret@10.0.0.1/3", NULL, "10.0.0.1", "6379", "me", "secret", "3"},
        {"redis://:secret@host", NULL, "host", "6379", NULL, "secret", NULL},
        {"redis://me:p%40ss%2Fw%3Ard@host", NULL, "host", "6379", "me", "p@ss/w:rd", NULL},
        {"redis://[::1]:7000", NULL, "::1", "7000", NULL, NULL, NULL},
        {"unix:///run/redis/redis.sock", "/run/redis/redis.sock", NULL, NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redis_address address;
        steno_error error = {0};
        if (redis_address_read(cases[i].url, &address, &error)) fail_msg("%s: %s", cases[i].url, error.message);
        part_is(address.path, cases[i].path);
        part_is(address.host, cases[i].host);
        part_is(address.port, cases[i].port);
        part_is(address.user, cases[i].user);
        part_is(address.password, cases[i].password);
        part_is(address.database, cases[i].database);
        redis_address_free(&address);
    }
}

static void urls_that_are_none_are_refused_without_being_told(void **state) {
    (void)state;
    static const char *const urls[] = {"",
                                       "localhost:6379",
                                       "http://secret/",
                                       "redis:secret",
                                       "redis://",
                                       "redis:///3",
                                       "redis://:secret@",
                                       "redis://secret@host",
                                       "redis://host:70000",
                                       "redis://host:port",
                                       "redis://host/secret",
                                       "redis://host/123456",
                                       "redis://host/-1",
                                       "redis://host/1/2",
                                       "redis://host?secret=1",
                                       "redis://host/0#secret",
                                       "redis://:secret%0a@host",
                                       "redis://ho st:secret",
                                       "unix://secret/path",
                                       "unix:///",
                                       "unix://",
                                       NULL};
    for (const char *const *url = urls; *url; url++) {
        cache *made = (cache *)1;
        steno_error error = {0};
        if (cache_redis_new(*url, 0, &made, &error) != STENO_INVALID) fail_msg("%s is taken", *url);
        assert_null(made);
        if (!error.message[0] || strstr(error.message, "secret")) fail_msg("%s: %s", *url, error.message);
    }
    char path[300] = "unix:///";
    memset(path + 8, 'x', sizeof path - 9);
    cache *made;
    assert_int_equal(cache_redis_new(path, 0, &made, NULL), STENO_INVALID);
    assert_int_equal(cache_redis_new(NULL, 0, &made, NULL), STENO_INVALID);
}

static void redis_with_tls_is_refused_with_what_to_do(void **state) {
    (void)state;
    cache *made;
    steno_error error = {0};
    assert_int_equal(cache_redis_new("rediss://me:secret@host", 0, &made, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "TLS"));
    assert_non_null(strstr(error.message, "tunnel"));
    assert_null(strstr(error.message, "secret"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(urls_that_are_none_are_refused_without_being_told),
        cmocka_unit_test(redis_with_tls_is_refused_with_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
