/* Signing: the request in its canonical form, hashed, and that signed with a key made from the secret, the day, the region and the service. */
#include "client/aws_sign.h"

#include <ctype.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema/buffer.h"

#define HEX_BYTES (2 * SHA256_DIGEST_LENGTH + 1)
/* "20150830T123600Z" with its NUL; the first eight are the day. */
#define DATE_BYTES 17
#define DAY_CHARACTERS 8

/* The parts of a URL; owned by curl. */
typedef struct parts {
    char *host, *port, *path, *query;
} parts;

static void parts_free(parts *self) {
    curl_free(self->host);
    curl_free(self->port);
    curl_free(self->path);
    curl_free(self->query);
}

/* Taken apart as curl does when it sends it. */
static bool take_apart(const char *url, parts *out) {
    *out = (parts){0};
    CURLU *parsed = curl_url();
    bool good = parsed && !curl_url_set(parsed, CURLUPART_URL, url, 0) &&
                !curl_url_get(parsed, CURLUPART_HOST, &out->host, 0) &&
                !curl_url_get(parsed, CURLUPART_PATH, &out->path, CURLU_URLENCODE);
    if (good) {
        curl_url_get(parsed, CURLUPART_PORT, &out->port, CURLU_NO_DEFAULT_PORT);
        curl_url_get(parsed, CURLUPART_QUERY, &out->query, CURLU_URLENCODE);
    }
    curl_url_cleanup(parsed);
    return good;
}

static void write_hex(const unsigned char hash[SHA256_DIGEST_LENGTH], char out[HEX_BYTES]) {
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void hash_hex(const void *bytes, size_t size, char out[HEX_BYTES]) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(bytes ? bytes : "", size, hash);
    write_hex(hash, out);
}

static bool add(buffer *to, const char *text) { return buffer_add(to, text, strlen(text)); }

/* ---- the canonical request ---- */

/* The path as it is sent, encoded once more. */
static bool add_path(buffer *to, const char *path) {
    for (; *path; path++) {
        char code[4];
        bool plain = isalnum((unsigned char)*path) || strchr("-._~/", *path);
        snprintf(code, sizeof code, plain ? "%c" : "%%%02X", (unsigned char)*path);
        if (!add(to, code)) return false;
    }
    return true;
}

/* By name, which ends at `end`, then by what follows. */
static int compare(const char *a, const char *b, const char *end) {
    size_t size_a = strcspn(a, end), size_b = strcspn(b, end);
    int order = memcmp(a, b, size_a < size_b ? size_a : size_b);
    if (order) return order;
    return size_a == size_b ? strcmp(a + size_a, b + size_b) : size_a < size_b ? -1 : 1;
}

static int compare_parameters(const void *a, const void *b) {
    return compare(*(char *const *)a, *(char *const *)b, "=");
}

static int compare_lines(const void *a, const void *b) { return compare(*(char *const *)a, *(char *const *)b, ":"); }

/* The parameters in their order, each with a '='. Cuts `query` up. */
static bool add_query(buffer *to, char *query) {
    char *parameters[AWS_QUERY_PARAMETERS_MAX];
    size_t count = 0;
    for (char *one; query && (one = strsep(&query, "&"));) {
        if (!*one) continue;
        if (count == AWS_QUERY_PARAMETERS_MAX) return false;
        parameters[count++] = one;
    }
    qsort(parameters, count, sizeof *parameters, compare_parameters);
    for (size_t i = 0; i < count; i++)
        if ((i && !add(to, "&")) || !add(to, parameters[i]) || (!strchr(parameters[i], '=') && !add(to, "=")))
            return false;
    return true;
}

static bool is_named(const char *line, const char *name) {
    size_t size = strlen(name);
    return !strncasecmp(line, name, size) && line[size] == ':';
}

static bool is_signed(const char *line) {
    const char *colon = strchr(line, ':');
    if (!colon || !colon[1 + strspn(colon + 1, " \t")]) return false; /* curl takes a header without a value for none */
    return is_named(line, "Content-Type") || !strncasecmp(line, "X-Amz-", 6);
}

/* "Name:  a   b " as "name:a b", owned by the caller; NULL when memory is short. */
static char *canonical_line(const char *line) {
    char *out = malloc(strlen(line) + 1), *to = out;
    const char *value = strchr(line, ':') + 1;
    if (!out) return NULL;
    while (line < value) *to++ = (char)tolower((unsigned char)*line++);
    for (value += strspn(value, " \t"); *value; value++) {
        bool space = isspace((unsigned char)*value);
        if (space && (!value[1] || isspace((unsigned char)value[1]))) continue;
        *to++ = *value;
    }
    *to = '\0';
    return out;
}

/* The signed headers in their order. */
typedef struct signed_headers {
    char *lines[AWS_SIGNED_HEADERS_MAX + 1];
    size_t count;
} signed_headers;

static void signed_headers_free(signed_headers *self) {
    for (size_t i = 0; i < self->count; i++) free(self->lines[i]);
}

static bool add_line(signed_headers *self, char *line) {
    if (line && self->count <= AWS_SIGNED_HEADERS_MAX) {
        self->lines[self->count++] = line;
        return true;
    }
    free(line);
    return false;
}

static bool collect(signed_headers *out, const parts *url, const struct curl_slist *headers) {
    char *host = NULL;
    if (asprintf(&host, "host:%s%s%s", url->host, url->port ? ":" : "", url->port ? url->port : "") < 0) return false;
    if (!add_line(out, host)) return false;
    for (; headers; headers = headers->next)
        if (is_signed(headers->data) && !add_line(out, canonical_line(headers->data))) return false;
    qsort(out->lines, out->count, sizeof *out->lines, compare_lines);
    return true;
}

/* "content-type;host;x-amz-date" */
static bool add_names(buffer *to, const signed_headers *headers) {
    for (size_t i = 0; i < headers->count; i++)
        if ((i && !add(to, ";")) || !buffer_add(to, headers->lines[i], strcspn(headers->lines[i], ":"))) return false;
    return true;
}

static bool add_canonical(buffer *to, const aws_request *request, parts *url, const signed_headers *headers) {
    char body[HEX_BYTES];
    hash_hex(request->body, request->size, body);
    bool good = add(to, request->method) && add(to, "\n") && add_path(to, url->path) && add(to, "\n") &&
                add_query(to, url->query) && add(to, "\n");
    for (size_t i = 0; good && i < headers->count; i++) good = add(to, headers->lines[i]) && add(to, "\n");
    return good && add(to, "\n") && add_names(to, headers) && add(to, "\n") && add(to, body);
}

/* ---- the signature ---- */

static void sign(unsigned char key[SHA256_DIGEST_LENGTH], size_t key_size, const char *text) {
    unsigned char out[SHA256_DIGEST_LENGTH];
    HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), out, NULL);
    memcpy(key, out, sizeof out);
}

/* `scope`: "20150830/us-east-1/bedrock/aws4_request". */
static bool write_signature(const aws_credentials *with, const char *service, const char *date, const char *scope,
                            const buffer *canonical, char out[HEX_BYTES]) {
    char day[DAY_CHARACTERS + 1], hash[HEX_BYTES], *text = NULL, *first = NULL;
    unsigned char key[SHA256_DIGEST_LENGTH];
    memcpy(day, date, DAY_CHARACTERS);
    day[DAY_CHARACTERS] = '\0';
    hash_hex(canonical->bytes, canonical->size, hash);
    bool good = asprintf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash) >= 0;
    good = asprintf(&first, "AWS4%s", with->secret) >= 0 && good;
    if (good) {
        HMAC(EVP_sha256(), first, (int)strlen(first), (unsigned char *)day, DAY_CHARACTERS, key, NULL);
        sign(key, sizeof key, with->region);
        sign(key, sizeof key, service);
        sign(key, sizeof key, "aws4_request");
        sign(key, sizeof key, text);
        write_hex(key, out);
        explicit_bzero(first, strlen(first));
    }
    free(text);
    free(first);
    return good;
}

/* ---- the headers ---- */

static bool append(struct curl_slist **list, const char *text) {
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer) *list = longer;
    return longer;
}

static bool append_header(struct curl_slist **list, const char *name, const char *value) {
    char *line = NULL;
    bool good = asprintf(&line, "%s: %s", name, value) >= 0 && append(list, line);
    free(line);
    return good;
}

/* The headers without those of an earlier signature, and with the new ones but the last. */
static bool begin_headers(struct curl_slist **out, const struct curl_slist *from, const char *date, const char *token) {
    for (; from; from = from->next) {
        const char *line = from->data;
        bool old =
            is_named(line, "Authorization") || is_named(line, "X-Amz-Date") || is_named(line, "X-Amz-Security-Token");
        if (!old && !append(out, line)) return false;
    }
    return append_header(out, "X-Amz-Date", date) && (!token || append_header(out, "X-Amz-Security-Token", token));
}

static bool add_authorization(const aws_credentials *with, const aws_request *request, const char *date, parts *url,
                              struct curl_slist **headers) {
    buffer canonical = {0}, names = {0};
    signed_headers lines = {0};
    char *scope = NULL, *value = NULL, signature[HEX_BYTES];
    bool good =
        collect(&lines, url, *headers) && add_canonical(&canonical, request, url, &lines) &&
        add_names(&names, &lines) &&
        asprintf(&scope, "%.*s/%s/%s/aws4_request", DAY_CHARACTERS, date, with->region, request->service) >= 0 &&
        write_signature(with, request->service, date, scope, &canonical, signature) &&
        asprintf(&value, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", with->key_id, scope,
                 names.bytes, signature) >= 0 &&
        append_header(headers, "Authorization", value);
    signed_headers_free(&lines);
    buffer_free(&canonical);
    buffer_free(&names);
    free(scope);
    free(value);
    return good;
}

steno_status aws_sign(const aws_credentials *with, const aws_request *request, time_t now, struct curl_slist **headers,
                      steno_error *error) {
    parts url;
    struct tm moment;
    char date[DATE_BYTES];
    struct curl_slist *list = NULL;
    steno_status status = aws_credentials_check(with, true, true, error);
    if (status) return status;
    if (!take_apart(request->url, &url)) {
        parts_free(&url);
        return steno_fail(error, STENO_INVALID, "cannot sign the request: %s is not a URL", request->url);
    }
    gmtime_r(&now, &moment);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &moment);
    if (begin_headers(&list, *headers, date, with->session_token) &&
        add_authorization(with, request, date, &url, &list)) {
        curl_slist_free_all(*headers);
        *headers = list;
    } else {
        curl_slist_free_all(list);
        status = steno_fail(error, STENO_NO_MEMORY, "no memory, or too many headers, to sign the request");
    }
    parts_free(&url);
    return status;
}
