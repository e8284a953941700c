/* What the tests of caches share: a folder that goes with the test, a clock that the test moves, and a stopwatch. */
#ifndef TEST_CACHE_CHECK_H
#define TEST_CACHE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cache.h"

/* cmocka's set-up and teardown: the folder, and the caches' clock back to the system's. */
int check_begin(void **state);
int check_end(void **state);
/* "/tmp/…"; borrowed. */
const char *check_folder(void);
/* The caches' clocks, all of them, go forward (or back). */
void check_clock_move(int64_t ms);

/* Milliseconds of a clock that nobody moves. */
int64_t check_now_ms(void);
/* The child's exit code; the test fails where it did not exit by itself. */
int check_child_code(int pid);

/* The hit's text is this one; frees it. */
void check_hit(cache *self, const char *key, const char *text);
void check_miss(cache *self, const char *key);
bool check_is_there(cache *self, const char *key);
void check_put(cache *self, const char *key, const char *text);
/* Puts until it is there: where others were in the way for too long, nothing is kept, and the cache rests for a while. */
void check_put_among_others(cache *self, const char *key, const char *text);
/* An answer that tells by every byte which key and size it is for. Owned by the caller (free). */
char *check_text(const char *key, size_t size);
/* False for any other bytes than check_text gives. */
bool check_text_is_right(const char *key, const char *text, size_t size);

#endif
