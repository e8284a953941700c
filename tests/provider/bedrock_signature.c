/* Checking a signature of version 4, from what AWS documents of it. It shares nothing with the client that signs: it is what finds that one's mistakes.
 */
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "tests/provider/bedrock.h"

#define WRONG_SIGNATURE                                                                                                \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " \
    "and signing method. Consult the service documentation for details."
#define HASH_BYTES 32
/* How far off a request's clock may be. */
#define CLOCK_SECONDS 300

static void hash_of(const void *bytes, size_t size, char out[2 * HASH_BYTES + 1]) {
    unsigned char hash[HASH_BYTES];
    EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < HASH_BYTES; i++) sprintf(out + 2 * i, "%02x", hash[i]);
}

/* key = HMAC(key, text) */
static void turn(unsigned char *key, const char *text) {
    unsigned char next[HASH_BYTES];
    HMAC(EVP_sha256(), key, HASH_BYTES, (const unsigned char *)text, strlen(text), next, NULL);
    memcpy(key, next, HASH_BYTES);
}

/* The URI's path, every byte but letters, digits, "-._~" and '/' as %XX: also the '%' of escapes. */
static void write_path(FILE *to, const char *uri) {
    for (; *uri && *uri != '?'; uri++)
        if (isalnum((unsigned char)*uri) || *uri == '-' || *uri == '.' || *uri == '_' || *uri == '~' || *uri == '/')
            fputc(*uri, to);
        else
            fprintf(to, "%%%02X", (unsigned char)*uri);
}

/* name:value of each signed header. False: one is not there. */
static bool write_headers(FILE *to, struct MHD_Connection *connection, const char *names) {
    char *copy = strdup(names), *rest = copy;
    bool all = copy;
    for (char *name; all && (name = strsep(&rest, ";"));) {
        const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
        if (value) fprintf(to, "%s:%s\n", name, value); /* clients of tests send no spaces that would have to go */
        all = value;
    }
    free(copy);
    return all;
}

/* The canonical request, hashed. */
static bool hash_request(const exchange *with, const char *names, char out[2 * HASH_BYTES + 1]) {
    char *text = NULL, body[2 * HASH_BYTES + 1];
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to) return false;
    hash_of(with->body_text, with->body_size, body);
    fputs("POST\n", to);
    write_path(to, with->uri);
    fputs("\n\n", to); /* no query */
    bool good = write_headers(to, with->connection, names);
    fprintf(to, "\n%s\n%s", names, body);
    fclose(to);
    if (good) hash_of(text, size, out);
    free(text);
    return good;
}

static bool is_signed(const char *names, const char *name) {
    size_t size = strlen(name);
    for (; (names = strstr(names, name)); names += size)
        if (names[size] == ';' || !names[size]) return true;
    return false;
}

/* Everything that must be signed, if it is there. */
static bool covers(const exchange *with, const char *names) {
    static const char *const needed[] = {"content-type", "x-amz-security-token"};
    for (size_t i = 0; i < 2; i++)
        if (MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, needed[i]) && !is_signed(names, needed[i]))
            return false;
    return is_signed(names, "host") && is_signed(names, "x-amz-date");
}

static bool is_now(const char *date) {
    struct tm then = {0};
    char *end = strptime(date, "%Y%m%dT%H%M%SZ", &then);
    return end && !*end && labs((long)(timegm(&then) - time(NULL))) <= CLOCK_SECONDS;
}

static void sign(const char *day, const char *date, const char *hash, char out[2 * HASH_BYTES + 1]) {
    unsigned char key[HASH_BYTES];
    static const char first[] = "AWS4" BEDROCK_SECRET;
    char text[256];
    HMAC(EVP_sha256(), first, (int)strlen(first), (const unsigned char *)day, strlen(day), key, NULL);
    turn(key, BEDROCK_REGION);
    turn(key, "bedrock");
    turn(key, "aws4_request");
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s/%s/bedrock/aws4_request\n%s", date, day, BEDROCK_REGION,
             hash);
    turn(key, text);
    for (int i = 0; i < HASH_BYTES; i++) sprintf(out + 2 * i, "%02x", key[i]);
}

const char *bedrock_check_signature(const exchange *with) {
    const char *header = MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, "Authorization"),
               *date = MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, "X-Amz-Date");
    char key_id[64], day[16], region[64], service[32], names[256], given[80], hash[2 * HASH_BYTES + 1],
        expected[2 * HASH_BYTES + 1];
    if (!header || !date ||
        sscanf(header,
               "AWS4-HMAC-SHA256 Credential=%63[^/]/%15[^/]/%63[^/]/%31[^/]/aws4_request, SignedHeaders=%255[^,], "
               "Signature=%79s",
               key_id, day, region, service, names, given) != 6)
        return "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters, and a date.";
    if (strcmp(key_id, BEDROCK_KEY_ID)) return "The security token included in the request is invalid.";
    if (!is_now(date) || strncmp(date, day, 8) || strlen(day) != 8) return "Signature expired: it is another time here";
    if (strcmp(region, BEDROCK_REGION) || strcmp(service, "bedrock"))
        return "Credential should be scoped to a valid region.";
    if (!covers(with, names) || !hash_request(with, names, hash)) return WRONG_SIGNATURE;
    sign(day, date, hash, expected);
    return strcmp(given, expected) ? WRONG_SIGNATURE : NULL;
}
