/* Identifiers and the clock: random publishers, time-ordered call ids (UUIDv7, RFC 9562), Unix seconds. */
#ifndef STENO_IDENTITY_H
#define STENO_IDENTITY_H

#include <stdint.h>

#define IDENTITY_TEXT_BYTES 37 /* 8-4-4-4-12 and NUL */

/* 16 random bytes (UUIDv4). */
void identity_random(uint8_t out[16]);
/* A UUIDv7 as text. Two of one process in one millisecond are still different, but not ordered. */
void identity_call_id(char out[IDENTITY_TEXT_BYTES]);
/* Unix seconds, now. */
double identity_now(void);

#endif
