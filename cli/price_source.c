/* Getting a price file. What comes over the network is verified TLS, bounded in size and time, and nothing but text: price_table.h checks it. */
#include "cli/price_source.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/program.h"
#include "client/price_table.h"
#include "schema/clean.h"

#define CONNECT_TIMEOUT_MS 10000
#define REDIRECTS_MAX 5L

CLEANUP_FUNCTION(clean_curl, CURL, curl_easy_cleanup)
CLEANUP_FUNCTION(clean_url, CURLU, curl_url_cleanup)
CLEANUP_FUNCTION(clean_curl_text, char, curl_free)
CLEANUP_FUNCTION(close_file, FILE, fclose)

static int too_large(const char *name) {
    return program_fail("%s: larger than %u MiB: that is no price file", name, PRICE_FILE_BYTES_MAX >> 20);
}

void price_source_release(price_source *source) {
    free(source->name);
    free(source->text);
    *source = (price_source){0};
}

/* Appends, with room for a NUL. False: no memory, or more than a price file has (errno EFBIG). */
static bool append(price_source *to, size_t *capacity, const char *bytes, size_t size) {
    if (size > PRICE_FILE_BYTES_MAX - to->size) {
        errno = EFBIG;
        return false;
    }
    if (to->size + size >= *capacity) {
        const size_t wanted = 2 * (to->size + size) + 4096;
        char *grown = realloc(to->text, wanted);
        if (!grown) return false;
        to->text = grown;
        *capacity = wanted;
    }
    if (size) memcpy(to->text + to->size, bytes, size);
    to->size += size;
    to->text[to->size] = '\0';
    return true;
}

/* ---- files ---- */

static int read_file(const char *path, price_source *out) {
    const bool standard = strcmp(path, "-") == 0;
    cleanup(close_file) FILE *opened = standard ? NULL : fopen(path, "re");
    FILE *in = standard ? stdin : opened;
    char chunk[65536];
    size_t capacity = 0, got;
    out->name = strdup(standard ? "standard input" : path);
    if (!out->name) return program_fail("out of memory");
    if (!in) return program_fail("cannot read %s: %s", path, strerror(errno));
    if (!append(out, &capacity, "", 0)) return program_fail("out of memory");
    while ((got = fread(chunk, 1, sizeof chunk, in)) > 0) {
        errno = 0;
        if (!append(out, &capacity, chunk, got))
            return errno == EFBIG ? too_large(out->name) : program_fail("out of memory");
    }
    return ferror(in) ? program_fail("cannot read %s: %s", out->name, strerror(errno)) : EXIT_FINE;
}

/* ---- the web ---- */

/* Where a reply goes. */
typedef struct reply {
    price_source *to;
    size_t capacity;
    int problem; /* an errno; 0: none */
} reply;

static size_t on_bytes(char *bytes, size_t one, size_t size, void *ctx) {
    reply *self = ctx;
    errno = 0;
    if (append(self->to, &self->capacity, bytes, one * size)) return one * size;
    self->problem = errno ? errno : ENOMEM;
    return 0;
}

/* Names that are always this machine's. */
static bool is_loopback(const char *host) {
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

/* Takes the URL apart: *name is what it is called from now on, *plain that it is not encrypted. */
static int check_url(const char *url, CURLU *parts, char **name, bool *plain) {
    cleanup(clean_curl_text) char *scheme = NULL, *host = NULL, *shown = NULL;
    if (curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0))
        return program_fail("%s: that is no URL", url);
    *plain = strcmp(scheme, "http") == 0;
    if (!*plain && strcmp(scheme, "https") != 0) return program_fail("%s: only https, and http from this machine", url);
    if (curl_url_get(parts, CURLUPART_HOST, &host, 0)) return program_fail("%s: that is no URL", url);
    if (*plain && !is_loopback(host))
        return program_fail("%s: prices from another machine are taken over https only", url);
    /* A password is used, but neither shown nor kept. */
    cleanup(clean_url) CURLU *public = curl_url_dup(parts);
    if (!public || curl_url_set(public, CURLUPART_USER, NULL, 0) || curl_url_set(public, CURLUPART_PASSWORD, NULL, 0) ||
        curl_url_get(public, CURLUPART_URL, &shown, 0) || !(*name = strdup(shown)))
        return program_fail("out of memory");
    return EXIT_FINE;
}

/* False: curl does not know an option, or memory is short. */
static bool set_options(CURL *curl, CURLU *parts, bool plain, int64_t timeout_ms, reply *to, char *error) {
    const char *certificates = getenv("SSL_CERT_FILE");
    bool set = true;
#define SET(option, value) (set = set && curl_easy_setopt(curl, option, value) == CURLE_OK)
    SET(CURLOPT_CURLU, parts);
    SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS));
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)PRICE_FILE_BYTES_MAX);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_USERAGENT, "steno/" STENO_BUILD_VERSION);
    SET(CURLOPT_ERRORBUFFER, error);
    SET(CURLOPT_WRITEFUNCTION, on_bytes);
    SET(CURLOPT_WRITEDATA, to);
    if (plain) SET(CURLOPT_PROXY, ""); /* what stays on this machine has no business with a proxy */
    if (certificates && *certificates) SET(CURLOPT_CAINFO, certificates);
#undef SET
    return set;
}

static int read_url(const char *url, int64_t timeout_ms, price_source *out) {
    char error[CURL_ERROR_SIZE] = "";
    bool plain = false;
    long http_status = 0;
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return program_fail("libcurl cannot be set up");
    cleanup(clean_url) CURLU *parts = curl_url();
    cleanup(clean_curl) CURL *curl = curl_easy_init();
    if (!parts || !curl) return program_fail("out of memory");
    const int failed = check_url(url, parts, &out->name, &plain);
    if (failed) return failed;
    reply to = {.to = out};
    if (!append(out, &to.capacity, "", 0)) return program_fail("out of memory");
    if (!set_options(curl, parts, plain, timeout_ms, &to, error))
        return program_fail("%s: libcurl refuses to fetch it", out->name);
    const CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_FILESIZE_EXCEEDED || to.problem == EFBIG) return too_large(out->name);
    if (to.problem) return program_fail("out of memory");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return program_fail("%s: nothing whole came within %g s: try again, or give more with --timeout", out->name,
                            (double)timeout_ms / 1000);
    if (code) return program_fail("%s: %s", out->name, *error ? error : curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    if (http_status != 200) return program_fail("%s: answered with HTTP status %ld", out->name, http_status);
    return EXIT_FINE;
}

int price_source_read(const char *from, int64_t timeout_ms, price_source *out) {
    *out = (price_source){0};
    return strstr(from, "://") ? read_url(from, timeout_ms, out) : read_file(from, out);
}
