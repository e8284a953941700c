/* HMAC-SHA256 by OpenSSL, fed in pieces so that a large body is not copied. */
#include "subscribers/webhook_sign.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "schema/clean.h"

#define PREFIX "whsec_"
#define DIGEST_BYTES 32
/* Base64 of a digest, with its NUL. */
#define DIGEST_TEXT_BYTES 45
/* What of a call id gets into a request's. */
#define ID_CALL_BYTES 64

CLEANUP_FUNCTION(clean_algorithm, EVP_MAC, EVP_MAC_free)
CLEANUP_FUNCTION(clean_mac, EVP_MAC_CTX, EVP_MAC_CTX_free)

/* ---- secrets ---- */

/* Base64 with its padding, or without it. False: it is none, or too long. */
static bool decode(const char *text, webhook_secret *out) {
    unsigned char padded[(WEBHOOK_SECRET_BYTES_MAX + 2) / 3 * 4], bytes[sizeof padded];
    size_t size = strlen(text), full = (size + 3) / 4 * 4;
    if (full > sizeof padded) return false;
    memcpy(padded, text, size);
    memset(padded + size, '=', full - size);
    size_t padding = 0;
    while (padding < full && padded[full - 1 - padding] == '=') padding++;
    /* The library takes '=' anywhere, and counts the padding as bytes. */
    bool form = full && padding <= 2 && !memchr(padded, '=', full - padding);
    int length = form ? EVP_DecodeBlock(bytes, padded, (int)full) : -1;
    if (length <= (int)padding || (size_t)length - padding > sizeof out->bytes) return false;
    out->size = (size_t)length - padding;
    memcpy(out->bytes, bytes, out->size);
    return true;
}

steno_status webhook_secret_add(webhook_secrets *self, const char *text, steno_error *error) {
    if (self->count == WEBHOOK_SECRETS_MAX)
        return steno_fail(error, STENO_LIMIT, "at most %d secrets at a time", WEBHOOK_SECRETS_MAX);
    webhook_secret *secret = &self->list[self->count];
    if (!strncmp(text, PREFIX, strlen(PREFIX))) {
        if (!decode(text + strlen(PREFIX), secret))
            return steno_fail(error, STENO_INVALID, "what follows " PREFIX " must be base64 of 1 to %d bytes",
                              WEBHOOK_SECRET_BYTES_MAX);
    } else {
        secret->size = strlen(text);
        if (!secret->size || secret->size > sizeof secret->bytes)
            return steno_fail(error, STENO_INVALID, "a secret has 1 to %d bytes", WEBHOOK_SECRET_BYTES_MAX);
        memcpy(secret->bytes, text, secret->size);
    }
    self->count++;
    return STENO_OK;
}

/* ---- the request ---- */

void webhook_id(const steno_event *const *events, size_t count, char out[WEBHOOK_ID_BYTES]) {
    const char *call = steno_event_string(events[0], "call_id");
    int length = snprintf(out, WEBHOOK_ID_BYTES, "%" PRIu64, steno_event_offset(events[0]));
    if (count > 1)
        length += snprintf(out + length, WEBHOOK_ID_BYTES - (size_t)length, "-%" PRIu64,
                           steno_event_offset(events[count - 1]));
    if (!call || !*call) return;
    out[length++] = '_';
    /* No dots: the signature is over parts with dots between them. */
    for (int i = 0; call[i] && i < ID_CALL_BYTES; i++)
        out[length++] = isalnum((unsigned char)call[i]) || call[i] == '-' ? call[i] : '_';
    out[length] = '\0';
}

static bool sign_one(EVP_MAC *hmac, const webhook_secret *secret, const char *head, const void *body, size_t size,
                     char out[DIGEST_TEXT_BYTES]) {
    unsigned char digest[DIGEST_BYTES];
    size_t length = 0;
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    cleanup(clean_mac) EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    if (!mac || !EVP_MAC_init(mac, secret->bytes, secret->size, parameters) ||
        !EVP_MAC_update(mac, (const unsigned char *)head, strlen(head)) || !EVP_MAC_update(mac, body, size) ||
        !EVP_MAC_final(mac, digest, &length, sizeof digest) || length != sizeof digest)
        return false;
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
    return true;
}

bool webhook_sign(const webhook_secrets *secrets, const char *id, int64_t timestamp, const void *body, size_t size,
                  char out[WEBHOOK_SIGNATURE_BYTES]) {
    char head[WEBHOOK_ID_BYTES + 24], digest[DIGEST_TEXT_BYTES];
    snprintf(head, sizeof head, "%s.%" PRId64 ".", id, timestamp);
    cleanup(clean_algorithm) EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    out[0] = '\0';
    for (size_t i = 0, at = 0; i < secrets->count; i++) {
        if (!hmac || !sign_one(hmac, &secrets->list[i], head, body, size, digest)) return false;
        at += (size_t)snprintf(out + at, WEBHOOK_SIGNATURE_BYTES - at, "%sv1,%s", i ? " " : "", digest);
    }
    return true;
}
