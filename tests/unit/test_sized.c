/* schema/sized.c: structs of another version than the library's, by themselves and through each function that takes or fills one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/steno.h"
#include "schema/sized.h"
#include "subscribers/steno_subscriber.h"

typedef struct settings {
    size_t size;
    int64_t first, second;
} settings;

static steno_status take(settings *mine, const void *given, steno_error *error) {
    *mine = (settings){.first = -1, .second = -2};
    return sized_take(mine, sizeof *mine, given, "settings", "SETTINGS_INIT", error);
}

static void what_an_older_struct_lacks_takes_its_default(void **state) {
    (void)state;
    const size_t older[] = {16, 7};
    settings mine;
    assert_int_equal(take(&mine, older, NULL), STENO_OK);
    assert_int_equal(mine.first, 7);
    assert_int_equal(mine.second, -2);
    assert_int_equal(mine.size, sizeof mine);
}

static void a_struct_of_the_same_version_is_taken_whole(void **state) {
    (void)state;
    settings mine;
    assert_int_equal(take(&mine, &(settings){.size = sizeof mine, .second = 8}, NULL), STENO_OK);
    assert_int_equal(mine.first, 0);
    assert_int_equal(mine.second, 8);
}

static void a_newer_struct_is_taken_while_what_is_new_is_0(void **state) {
    (void)state;
    size_t newer[] = {40, 7, 8, 0, 0};
    settings mine;
    steno_error error;
    assert_int_equal(take(&mine, newer, &error), STENO_OK);
    assert_int_equal(mine.second, 8);
    assert_int_equal(mine.size, sizeof mine);
    ((uint8_t *)newer)[39] = 1;
    assert_int_equal(take(&mine, newer, &error), STENO_INVALID);
    assert_int_equal(mine.first, -1);
    assert_string_equal(error.message,
                        "settings.size is 40, here it is 24, and something is set that is only in the newer one: use a "
                        "library as new as the header that this was built with, or leave it 0");
}

static void a_size_that_no_version_has_is_refused_before_anything_is_read(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 8, 12, 23, 25, SIZED_BYTES_MAX + 8, SIZE_MAX, SIZE_MAX - 7};
    settings mine;
    steno_error error;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t *only = malloc(sizeof *only); /* what is read beyond is a finding of the sanitizer */
        *only = sizes[i];
        assert_int_equal(take(&mine, only, &error), STENO_INVALID);
        assert_non_null(strstr(error.message, "which is no version's (here it is 24): begin with SETTINGS_INIT"));
        sized_give(only, &mine, sizeof mine);
        assert_int_equal(*only, sizes[i]);
        free(only);
    }
}

static void what_is_filled_in_ends_with_the_size_of_the_one_who_asks(void **state) {
    (void)state;
    const settings mine = {.size = sizeof mine, .first = 7, .second = 8};
    const size_t untouched = 99;
    size_t theirs[] = {16, 1, untouched, untouched, untouched};
    sized_give(theirs, &mine, sizeof mine);
    assert_memory_equal(theirs, ((size_t[]){16, 7, untouched, untouched, untouched}), sizeof theirs);
    theirs[0] = sizeof mine;
    sized_give(theirs, &mine, sizeof mine);
    assert_memory_equal(theirs, ((size_t[]){24, 7, 8, untouched, untouched}), sizeof theirs);
    theirs[0] = 32; /* a newer one: what we do not know of is nothing */
    sized_give(theirs, &mine, sizeof mine);
    assert_memory_equal(theirs, ((size_t[]){32, 7, 8, 0, untouched}), sizeof theirs);
}

/* ---- the functions of the two libraries ---- */

static char folder[] = "/tmp/steno-sized-XXXXXX";
static steno_client *client; /* for those that want one */

static steno_status take_config(const void *given, steno_error *error) {
    steno_client *made;
    const steno_status status = steno_client_new(given, &made, error);
    if (!status) steno_client_free(made);
    return status;
}

static steno_status take_hooks(const void *given, steno_error *error) {
    return steno_client_add_hooks(client, given, error);
}

static steno_status take_cache(const void *given, steno_error *error) {
    return steno_client_set_cache(client, given, error);
}

static steno_status take_cost(const void *given, steno_error *error) {
    steno_cost cost;
    return steno_cost_of(NULL, given, &cost, error);
}

static steno_status take_subscriber(const void *given, steno_error *error) {
    steno_subscriber *made;
    const steno_status status = steno_subscriber_new(given, &made, error);
    if (!status) steno_subscriber_free(made);
    return status;
}

/* Each with all sizes from none to far beyond its own, after it has been seen to work with its own. */
static void every_function_keeps_the_rule(void **state) {
    (void)state;
    const steno_config config = STENO_CONFIG_INIT;
    const steno_hooks hooks = {STENO_HOOKS_INIT};
    const steno_cache_config cache = {.size = sizeof cache, .url = "memory:"};
    const steno_subscriber_config subscriber = STENO_SUBSCRIBER_CONFIG_INIT;
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.model = "gpt-4o-mini";
    ask.usage.prompt_tokens = ask.usage.completion_tokens = 1;
    const struct {
        const void *given;
        size_t size, enough; /* bytes: so that what is missing is not what it needs */
        steno_status (*take)(const void *, steno_error *);
        const char *begin;
    } cases[] = {
        {&config, sizeof config, offsetof(steno_config, app_version), take_config, "begin with STENO_CONFIG_INIT"},
        {&hooks, sizeof hooks, offsetof(steno_hooks, pre_api_call), take_hooks, "begin with STENO_HOOKS_INIT"},
        {&cache, sizeof cache, offsetof(steno_cache_config, ttl_ms), take_cache, "begin with STENO_CACHE_CONFIG_INIT"},
        {&subscriber, sizeof subscriber, offsetof(steno_subscriber_config, topics), take_subscriber,
         "begin with STENO_SUBSCRIBER_CONFIG_INIT"},
        {&ask, sizeof ask, offsetof(steno_cost_ask, usage.total_tokens), take_cost, "begin with STENO_COST_ASK_INIT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t sizes[] = {cases[i].enough, cases[i].size - 8, cases[i].size, cases[i].size + 8, SIZED_BYTES_MAX};
        const size_t nonsense[] = {0, 3, sizeof(size_t), cases[i].size - 1, cases[i].size + 1, SIZE_MAX};
        steno_error error;
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            uint8_t *bytes = calloc(1, sizes[j]);
            memcpy(bytes, cases[i].given, sizes[j] < cases[i].size ? sizes[j] : cases[i].size);
            memcpy(bytes, &sizes[j], sizeof sizes[j]);
            if (cases[i].take(bytes, &error)) fail_msg("case %zu, size %zu: %s", i, sizes[j], error.message);
            if (sizes[j] > cases[i].size) {
                bytes[sizes[j] - 1] = 1;
                assert_int_equal(cases[i].take(bytes, &error), STENO_INVALID);
                assert_non_null(strstr(error.message, "only in the newer one"));
            }
            free(bytes);
        }
        for (size_t j = 0; j < sizeof nonsense / sizeof *nonsense; j++) {
            size_t *bytes = malloc(sizeof *bytes);
            *bytes = nonsense[j];
            assert_int_equal(cases[i].take(bytes, &error), STENO_INVALID);
            if (!strstr(error.message, cases[i].begin)) fail_msg("%s", error.message);
            free(bytes);
        }
    }
}

static void null_is_no_struct(void **state) {
    (void)state;
    steno_error error;
    assert_int_equal(take_hooks(NULL, &error), STENO_INVALID);
    assert_string_equal(error.message, "there is no steno_hooks: NULL was given");
    assert_int_equal(take_cache(NULL, NULL), STENO_INVALID);
    assert_int_equal(take_cost(NULL, NULL), STENO_INVALID);
    assert_int_equal(take_config(NULL, NULL), STENO_OK); /* the defaults */
    assert_int_equal(take_subscriber(NULL, NULL), STENO_OK);
}

static void what_a_cost_ask_lacks_is_unknown_and_not_0(void **state) {
    (void)state;
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.model = "gpt-4o-mini";
    ask.usage.prompt_tokens = ask.usage.completion_tokens = ask.usage.reasoning_tokens = 1000;
    ask.size = offsetof(steno_cost_ask, usage.total_tokens);
    steno_cost cost;
    assert_int_equal(steno_cost_of(NULL, &ask, &cost, NULL), STENO_OK);
    for (size_t i = 0; i < cost.items_count; i++) assert_string_not_equal(cost.items[i].component, "reasoning");
}

static void counts_are_written_as_far_as_they_are_asked_for(void **state) {
    (void)state;
    steno_subscriber *subscriber;
    assert_int_equal(steno_subscriber_new(NULL, &subscriber, NULL), STENO_OK);
    steno_subscriber_counts counts;
    memset(&counts, 0x55, sizeof counts);
    counts.size = offsetof(steno_subscriber_counts, missed);
    steno_subscriber_get_counts(subscriber, &counts);
    assert_int_equal(counts.size, offsetof(steno_subscriber_counts, missed));
    assert_int_equal(counts.delivered, 0);
    assert_int_equal(counts.malformed, 0);
    assert_int_equal(counts.missed, 0x5555555555555555);
    assert_int_equal(counts.moved, 0x5555555555555555);
    steno_subscriber_free(subscriber);
}

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder) || setenv("STENO_DIR", folder, 1)) return -1;
    return steno_client_new(NULL, &client, NULL) ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    steno_client_free(client);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_older_struct_lacks_takes_its_default),
        cmocka_unit_test(a_struct_of_the_same_version_is_taken_whole),
        cmocka_unit_test(a_newer_struct_is_taken_while_what_is_new_is_0),
        cmocka_unit_test(a_size_that_no_version_has_is_refused_before_anything_is_read),
        cmocka_unit_test(what_is_filled_in_ends_with_the_size_of_the_one_who_asks),
        cmocka_unit_test(every_function_keeps_the_rule),
        cmocka_unit_test(null_is_no_struct),
        cmocka_unit_test(what_a_cost_ask_lacks_is_unknown_and_not_0),
        cmocka_unit_test(counts_are_written_as_far_as_they_are_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
