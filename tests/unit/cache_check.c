/* See cache_check.h. */
#include "cache_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/cache_kind.h"

#define TRIES_MAX 100

static char folder[64];
static _Atomic int64_t moved_ms;

static int64_t real_ms(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t moved_clock_ms(clockid_t which) { return real_ms(which) + moved_ms; }

int check_begin(void **state) {
    (void)state;
    cache_clock_ms = moved_clock_ms;
    moved_ms = 0;
    strcpy(folder, "/tmp/steno-cache-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int check_end(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

const char *check_folder(void) { return folder; }
void check_clock_move(int64_t ms) { moved_ms += ms; }
int64_t check_now_ms(void) { return real_ms(CLOCK_MONOTONIC); }

int check_child_code(int pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status)) fail_msg("the child was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

void check_hit(cache *self, const char *key, const char *text) {
    cache_hit hit;
    if (!cache_get(self, key, &hit)) fail_msg("%s is not there", key);
    assert_string_equal(hit.text, text);
    assert_int_equal(hit.size, strlen(text));
    free(hit.text);
}

void check_miss(cache *self, const char *key) {
    cache_hit hit = {.text = (char *)1, .size = 1, .stored_ms = 1};
    if (cache_get(self, key, &hit)) fail_msg("%s is there: %.100s", key, hit.text);
    assert_null(hit.text);
    assert_int_equal(hit.size, 0);
    assert_int_equal(hit.stored_ms, 0);
}

bool check_is_there(cache *self, const char *key) {
    cache_hit hit;
    bool there = cache_get(self, key, &hit);
    if (there && !check_text_is_right(key, hit.text, hit.size)) {
        fprintf(stderr, "%s has another's text, or half a one\n", key);
        abort(); /* of children and threads too */
    }
    free(hit.text);
    return there;
}

void check_put(cache *self, const char *key, const char *text) { cache_put(self, key, text, strlen(text), 0); }

void check_put_among_others(cache *self, const char *key, const char *text) {
    for (int i = 0; i < TRIES_MAX; i++) {
        cache_hit hit;
        check_put(self, key, text);
        const bool there = cache_get(self, key, &hit);
        free(hit.text);
        if (there) return;
        check_clock_move(CACHE_REST_MS);
    }
    fail_msg("%s is never there", key);
}

static char byte_at(const char *key, size_t size, size_t at) {
    return (char)((unsigned char)key[at % strlen(key)] + size * 31 + at / 7);
}

char *check_text(const char *key, size_t size) {
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) text[i] = byte_at(key, size, i);
    text[size] = '\0';
    return text;
}

bool check_text_is_right(const char *key, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] != byte_at(key, size, i)) return false;
    return size && text[size] == '\0';
}
