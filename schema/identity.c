/* Identifiers and the clock. Randomness comes from the kernel; there is no state that a fork could share. */
#include "schema/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static void random_bytes(uint8_t *out, size_t size) {
    /* getrandom(2) gives up to 256 bytes whole once the pool is ready; it cannot fail otherwise with these arguments. */
    while (getrandom(out, size, 0) != (ssize_t)size) {
    }
}

void identity_random(uint8_t out[16]) {
    random_bytes(out, 16);
    out[6] = (uint8_t)((out[6] & 0x0F) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3F) | 0x80);
}

void identity_call_id(char out[IDENTITY_TEXT_BYTES]) {
    uint8_t id[16];
    random_bytes(id, sizeof id);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = (uint8_t)((id[6] & 0x0F) | 0x70);
    id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = digits[id[i] >> 4];
        *p++ = digits[id[i] & 15];
    }
    *p = '\0';
}

double identity_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
