#include "subscribers/otlp_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "schema/clean.h"
#include "subscribers/otlp_arena.h"
#include "subscribers/otlp_preset.h"
#include "subscribers/program.h"
#include "subscribers/secret_file.h"

#define ENDPOINT_DEFAULT "http://localhost:4318"
#define TIMEOUT_MS_DEFAULT 10000
#define TIMEOUT_MS_MAX 3600000
#define METRICS_MS_DEFAULT 60000
#define METRICS_MS_MAX 86400000

static const struct {
    const char *name; /* within its variables */
    const char *path; /* below the general endpoint */
} SIGNALS[OTLP_SIGNALS] = {[OTLP_TRACES] = {"TRACES", "v1/traces"}, [OTLP_METRICS] = {"METRICS", "v1/metrics"}};

static char *copy(const char *text) { return otlp_memory(strdup(text)); }

/* A variable's value; NULL where it is empty, which is the same as unset. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* OTEL_EXPORTER_OTLP_TRACES_X, else OTEL_EXPORTER_OTLP_X. *name, 64 bytes, says which it was. */
static const char *signal_variable(otlp_signal signal, const char *rest, bool general, char *name) {
    snprintf(name, 64, "OTEL_EXPORTER_OTLP_%s_%s", SIGNALS[signal].name, rest);
    const char *value = variable(name);
    if (value || !general) return value;
    snprintf(name, 64, "OTEL_EXPORTER_OTLP_%s", rest);
    return variable(name);
}

/* ---- lists of name=value, percent-encoded, separated by commas (W3C Baggage) ---- */

static int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void decode_percent(char *text) {
    char *to = text;
    for (; *text; text++) {
        const int high = *text == '%' ? digit(text[1]) : -1, low = high >= 0 ? digit(text[2]) : -1;
        if (low >= 0 && high + low > 0) { /* no NUL */
            *to++ = (char)(high << 4 | low);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    for (size_t end = strlen(text); end && strchr(" \t", text[end - 1]); end--) text[end - 1] = '\0';
    return text;
}

/* Calls `take` with each pair. */
static steno_status each_pair(const char *list, const char *what,
                              steno_status (*take)(void *ctx, char *key, char *value, steno_error *error), void *ctx,
                              steno_error *error) {
    cleanup_free char *text = copy(list);
    char *rest = text, *item;
    while ((item = strsep(&rest, ","))) {
        item = trim(item);
        if (!*item) continue;
        char *equals = strchr(item, '=');
        if (!equals || equals == item)
            return steno_fail(error, STENO_INVALID, "%s: it is a list of name=value, separated by commas", what);
        *equals = '\0';
        char *key = trim(item), *value = trim(equals + 1);
        decode_percent(key);
        decode_percent(value);
        const steno_status status = take(ctx, key, value, error);
        if (status) return status;
    }
    return STENO_OK;
}

/* ---- headers ---- */

/* The header's place in the list: that of an earlier one of the same name, which it replaces, else a new one; NULL: it is full. */
static char **header_place(otlp_route *self, const char *line) {
    const size_t name = strcspn(line, ":");
    for (size_t i = 0; i < self->header_count; i++) {
        char **each = &self->headers[i];
        if (strncasecmp(*each, line, name) || (*each)[name] != ':') continue;
        free(*each);
        return each;
    }
    return self->header_count < OTLP_HEADERS_MAX ? &self->headers[self->header_count++] : NULL;
}

/* A whole line, "Name: value"; http_post_header looks at what is in it. */
static steno_status add_line(otlp_route *self, const char *line, steno_error *error) {
    char **place = header_place(self, line);
    if (!place) return steno_fail(error, STENO_LIMIT, "more than %d headers", OTLP_HEADERS_MAX);
    *place = copy(line);
    return STENO_OK;
}

static steno_status add_header(void *route, char *key, char *value, steno_error *error) {
    cleanup_free char *line = NULL;
    if (asprintf(&line, "%s: %s", key, value) < 0) otlp_memory(NULL);
    return add_line(route, line, error);
}

static steno_status add_file(otlp_route *route, const char *path, steno_error *error) {
    secret_lines file = {0};
    steno_status status = secret_file_read(path, &file, error);
    for (size_t i = 0; !status && i < file.count; i++) status = add_line(route, file.lines[i], error);
    secret_lines_free(&file);
    return status;
}

/* ---- one signal's route ---- */

static char *below(const char *endpoint, const char *path) {
    char *url;
    const size_t length = strlen(endpoint);
    if (asprintf(&url, "%s%s%s", endpoint, length && endpoint[length - 1] == '/' ? "" : "/", path) < 0)
        otlp_memory(NULL);
    return url;
}

static steno_status set_url(otlp_route *route, otlp_signal signal, const otlp_options *options,
                            const otlp_preset *preset) {
    char name[64];
    const char *own = preset ? NULL : signal_variable(signal, "ENDPOINT", false, name);
    const char *general = preset ? preset->endpoint : variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (options->endpoint)
        route->url = below(options->endpoint, SIGNALS[signal].path);
    else if (own)
        route->url = copy(own);
    else
        route->url = below(general ? general : ENDPOINT_DEFAULT, SIGNALS[signal].path);
    return STENO_OK;
}

static steno_status set_format(otlp_route *route, otlp_signal signal, const otlp_options *options, bool preset,
                               steno_error *error) {
    char name[64];
    const char *protocol = options->protocol, *where = "--protocol";
    if (!protocol && !preset) protocol = signal_variable(signal, "PROTOCOL", true, name), where = name;
    if (protocol && strcmp(protocol, "http/protobuf") && strcmp(protocol, "http/json"))
        return steno_fail(error, STENO_INVALID, "%s %s: it can be http/protobuf or http/json%s", where, protocol,
                          strcmp(protocol, "grpc") ? "" : "; a collector's port for HTTP is 4318");
    route->json = protocol && !strcmp(protocol, "http/json");
    const char *compression = options->compression;
    where = "--compression";
    if (!compression) compression = signal_variable(signal, "COMPRESSION", true, name), where = name;
    if (compression && strcmp(compression, "gzip") && strcmp(compression, "none"))
        return steno_fail(error, STENO_INVALID, "%s %s: it can be gzip or none", where, compression);
    route->gzip = compression && !strcmp(compression, "gzip");
    return STENO_OK;
}

static steno_status set_timeout(otlp_route *route, otlp_signal signal, const otlp_options *options,
                                steno_error *error) {
    char name[64];
    const char *timeout = signal_variable(signal, "TIMEOUT", true, name);
    route->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
    if (options->timeout_ms || !timeout) return STENO_OK;
    if (!program_number(timeout, 1, TIMEOUT_MS_MAX, &route->timeout_ms))
        return steno_fail(error, STENO_INVALID, "%s %s: it is a number of milliseconds from 1 to %d", name, timeout,
                          TIMEOUT_MS_MAX);
    return STENO_OK;
}

static steno_status set_headers(otlp_route *route, otlp_signal signal, const otlp_options *options,
                                const otlp_preset *preset, steno_error *error) {
    char name[64];
    steno_status status = add_line(route, "User-Agent: Steno-OTLP-Exporter-C/" STENO_BUILD_VERSION, error);
    const char *list = preset ? NULL : signal_variable(signal, "HEADERS", true, name);
    if (!status && list) status = each_pair(list, name, add_header, route, error);
    for (size_t i = 0; !status && preset && i < preset->header_count; i++) {
        char *value = copy(preset->headers[i].value);
        status = add_header(route, preset->headers[i].key, value, error);
        free(value);
    }
    for (size_t i = 0; !status && i < options->header_count; i++) status = add_line(route, options->headers[i], error);
    if (!status && options->header_file) status = add_file(route, options->header_file, error);
    return status;
}

/* A file that a variable names. One that cannot be read would be found out with each request only. */
static steno_status set_file(const char **out, otlp_signal signal, const char *rest, steno_error *error) {
    char name[64];
    *out = signal_variable(signal, rest, true, name);
    if (!*out || !access(*out, R_OK)) return STENO_OK;
    return steno_fail(error, STENO_INVALID, "%s %s: %s", name, *out, strerror(errno));
}

static steno_status set_tls(otlp_route *route, otlp_signal signal, const otlp_preset *preset, steno_error *error) {
    if (preset) return STENO_OK;
    steno_status status = set_file(&route->trusted, signal, "CERTIFICATE", error);
    if (!status) status = set_file(&route->certificate, signal, "CLIENT_CERTIFICATE", error);
    if (!status) status = set_file(&route->key, signal, "CLIENT_KEY", error);
    return status;
}

static steno_status set_route(otlp_route *route, otlp_signal signal, const otlp_options *options,
                              const otlp_preset *preset, steno_error *error) {
    steno_status status = set_url(route, signal, options, preset);
    if (!status) status = set_format(route, signal, options, preset != NULL, error);
    if (!status) status = set_timeout(route, signal, options, error);
    if (!status) status = set_headers(route, signal, options, preset, error);
    if (!status) status = set_tls(route, signal, preset, error);
    return status;
}

/* ---- what is sent ---- */

/* Words of a list, each of which switches something on. */
static bool switch_on(const char *list, const char *const *words, bool *const *switches, size_t count) {
    cleanup_free char *text = copy(list);
    char *rest = text, *item;
    while ((item = strsep(&rest, ","))) {
        size_t i = 0;
        item = trim(item);
        while (i < count && strcmp(words[i], item)) i++;
        if (i == count) return false;
        *switches[i] = true;
    }
    return true;
}

static steno_status set_signals(otlp_config *self, const otlp_options *options, const otlp_preset *preset,
                                steno_error *error) {
    static const char *const words[] = {"traces", "metrics"};
    bool *const switches[] = {&self->routes[OTLP_TRACES].on, &self->routes[OTLP_METRICS].on};
    const char *list = options->signals ? options->signals : preset ? "traces" : "traces,metrics";
    if (switch_on(list, words, switches, OTLP_SIGNALS)) return STENO_OK;
    return steno_fail(error, STENO_INVALID, "--signals %s: it can be traces, metrics or traces,metrics", list);
}

/* The words of OpenTelemetry's own instrumentations, and true. */
static bool wants_content(const char *text) {
    return text && (!strcasecmp(text, "true") || !strcasecmp(text, "SPAN_ONLY") || !strcasecmp(text, "SPAN_AND_EVENT"));
}

static steno_status set_mapping(otlp_config *self, const otlp_options *options, const otlp_preset *preset,
                                steno_error *error) {
    static const char *const attempts[] = {
        [OTLP_ATTEMPTS_FAILED] = "failed", [OTLP_ATTEMPTS_ALL] = "all", [OTLP_ATTEMPTS_NONE] = "none"};
    static const char *const words[] = {"langfuse", "openinference"};
    otlp_mapping *mapping = &self->mapping;
    bool *const switches[] = {&mapping->langfuse, &mapping->openinference};
    mapping->content = options->content || wants_content(getenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"));
    if (options->semconv && !otlp_semconv_parse(options->semconv, &mapping->semconv))
        return steno_fail(error, STENO_INVALID, "--semconv %s: it can be genai-0.1 or 1.41", options->semconv);
    const char *list = options->attributes ? options->attributes : preset ? preset->attributes : NULL;
    if (list && !switch_on(list, words, switches, 2))
        return steno_fail(error, STENO_INVALID, "--attributes %s: it can be langfuse, openinference or both", list);
    if (!options->attempts) return STENO_OK;
    for (int i = 0; i < 3; i++)
        if (!strcmp(attempts[i], options->attempts)) {
            mapping->attempts = (otlp_attempts)i;
            return STENO_OK;
        }
    return steno_fail(error, STENO_INVALID, "--attempts %s: it can be failed, all or none", options->attempts);
}

static steno_status set_metrics(otlp_config *self, const otlp_options *options, steno_error *error) {
    const char *wanted = options->temporality, *where = "--temporality";
    const char *interval = variable("OTEL_METRIC_EXPORT_INTERVAL");
    if (!wanted) wanted = variable(where = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
    if (wanted && strcasecmp(wanted, "cumulative") && strcasecmp(wanted, "delta") && strcasecmp(wanted, "lowmemory"))
        return steno_fail(error, STENO_INVALID, "%s %s: it can be cumulative or delta", where, wanted);
    self->delta = wanted && strcasecmp(wanted, "cumulative");
    self->metrics_ms = options->metrics_ms ? options->metrics_ms : METRICS_MS_DEFAULT;
    if (options->metrics_ms || !interval) return STENO_OK;
    if (!program_number(interval, 1, METRICS_MS_MAX, &self->metrics_ms))
        return steno_fail(error, STENO_INVALID, "OTEL_METRIC_EXPORT_INTERVAL %s: it is a number of milliseconds",
                          interval);
    return STENO_OK;
}

static steno_status set_resource_pair(void *set, char *key, char *value, steno_error *error) {
    otlp_resource_set *self = set;
    (void)error;
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp(self->items[i].key, key)) {
            free(self->items[i].value);
            self->items[i].value = copy(value);
            return STENO_OK;
        }
    self->items = otlp_memory(realloc(self->items, (self->count + 1) * sizeof *self->items));
    self->items[self->count++] = (otlp_pair){.key = copy(key), .value = copy(value)};
    return STENO_OK;
}

static steno_status set_resource(otlp_config *self, const otlp_options *options, const otlp_preset *preset,
                                 steno_error *error) {
    const char *list = variable("OTEL_RESOURCE_ATTRIBUTES");
    const char *service = options->service ? options->service : variable("OTEL_SERVICE_NAME");
    steno_status status = STENO_OK;
    if (preset && preset->project) {
        char key[] = "openinference.project.name", *value = copy(preset->project);
        status = set_resource_pair(&self->resource, key, value, error);
        free(value);
    }
    if (!status && list)
        status = each_pair(list, "OTEL_RESOURCE_ATTRIBUTES", set_resource_pair, &self->resource, error);
    if (!status && service) {
        char key[] = "service.name", *value = copy(service);
        status = set_resource_pair(&self->resource, key, value, error);
        free(value);
    }
    return status;
}

steno_status otlp_config_make(const otlp_options *options, otlp_config *out, steno_error *error) {
    otlp_preset preset = {0};
    const otlp_preset *given = options->to ? &preset : NULL;
    *out = (otlp_config){0};
    steno_status status = options->to ? otlp_preset_make(options->to, &preset, error) : STENO_OK;
    if (!status) status = set_signals(out, options, given, error);
    if (!status) status = set_mapping(out, options, given, error);
    if (!status) status = set_metrics(out, options, error);
    if (!status) status = set_resource(out, options, given, error);
    for (otlp_signal signal = OTLP_TRACES; !status && signal < OTLP_SIGNALS; signal++)
        if (out->routes[signal].on) status = set_route(&out->routes[signal], signal, options, given, error);
    otlp_preset_free(&preset);
    if (status) otlp_config_free(out);
    return status;
}

void otlp_config_free(otlp_config *config) {
    for (size_t i = 0; i < OTLP_SIGNALS; i++) {
        free(config->routes[i].url);
        for (size_t h = 0; h < config->routes[i].header_count; h++) free(config->routes[i].headers[h]);
    }
    for (size_t i = 0; i < config->resource.count; i++) {
        free(config->resource.items[i].key);
        free(config->resource.items[i].value);
    }
    free(config->resource.items);
    *config = (otlp_config){0};
}
