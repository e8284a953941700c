/* Keys never travel: what of a secret may be shown, and wiping it from bytes in which it turns up. */
#ifndef CLIENT_MASK_H
#define CLIENT_MASK_H

#include <stddef.h>

/* "****" and four characters, with NUL. */
#define MASK_KEY_BYTES 9
/* Shorter keys ("none", "test") are no secrets, and wiping them would wipe ordinary words. */
#define MASK_SECRET_BYTES_MIN 12

/* The masked form of a key: "****" and its last four characters, of a short one "****" alone; "" for NULL. */
void mask_key(const char *key, char out[MASK_KEY_BYTES]);
/* Overwrites each occurrence of `key` but its last four characters with '*'. The size stays, so encoded bytes stay well-formed. */
void mask_bytes(const char *key, void *bytes, size_t size);
/* A copy of `url` without user, password and the values of its query. Owned by the caller; NULL when memory is short. */
char *mask_url(const char *url);

#endif
