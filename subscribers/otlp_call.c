#include "subscribers/otlp_call.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "schema/clean.h"
#include "subscribers/call_cost.h"
#include "subscribers/otlp_names.h"

/* The year 2262: beyond it nanoseconds do not fit. */
#define SECONDS_MAX 9.2e9

CLEANUP_FUNCTION(clean_url, CURLU, curl_url_cleanup)
CLEANUP_FUNCTION(clean_text, char, curl_free)

uint64_t otlp_nanoseconds(const steno_value *seconds) {
    const double value = steno_value_double(seconds, 0);
    return value > 0 && value < SECONDS_MAX ? (uint64_t)llround(value * 1e6) * 1000 : 0;
}

int64_t otlp_usage(const otlp_call *call, const char *name) {
    const steno_value *value = steno_value_get(call->usage, name);
    const steno_type type = steno_value_type(value);
    const int64_t count = type == STENO_TYPE_INT || type == STENO_TYPE_DOUBLE ? steno_value_int(value, -1) : -1;
    return count < 0 || count > OTLP_TOKENS_MAX ? -1 : count;
}

const char *otlp_error_summary(otlp_arena *arena, const char *type, int64_t http_status) {
    return http_status > 0 ? otlp_arena_format(arena, "%s, HTTP %" PRId64, type, http_status) : type;
}

static void read_server(otlp_arena *arena, otlp_call *out) {
    const char *base = steno_event_string(out->event, "api_base");
    cleanup(clean_url) CURLU *url = base && *base ? curl_url() : NULL;
    cleanup(clean_text) char *host = NULL;
    cleanup(clean_text) char *port = NULL;
    if (!url || curl_url_set(url, CURLUPART_URL, base, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0))
        return;
    const size_t length = strlen(host);
    char *address = otlp_arena_text(arena, host);
    if (*address == '[' && length > 2) {
        address[length - 1] = '\0';
        address++;
    }
    out->address = address;
    if (!curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) out->port = strtol(port, NULL, 10);
    /* One wire, two services. */
    if (!strcmp(out->provider, "gcp.gemini") && strstr(address, "aiplatform.googleapis.com"))
        out->provider = "gcp.vertex_ai";
}

static void read_times(otlp_call *out) {
    const steno_event *event = out->event;
    const uint64_t made = otlp_nanoseconds(steno_event_get(event, "time"));
    const uint64_t first = otlp_nanoseconds(steno_event_get(event, "completion_start_time"));
    out->start_ns = otlp_nanoseconds(steno_event_get(event, "start_time"));
    out->end_ns = otlp_nanoseconds(steno_event_get(event, "end_time"));
    const bool known = out->start_ns && out->end_ns >= out->start_ns;
    if (!out->end_ns) out->end_ns = made ? made : out->start_ns;
    if (!out->start_ns) out->start_ns = out->end_ns;
    if (out->end_ns < out->start_ns) out->end_ns = out->start_ns; /* the clock was set back meanwhile */
    out->seconds = (double)(out->end_ns - out->start_ns) / 1e9;
    if (!known || out->seconds > OTLP_CALL_SECONDS_MAX) out->seconds = -1;
    out->first_chunk_seconds = first >= out->start_ns && first ? (double)(first - out->start_ns) / 1e9 : -1;
}

static void read_error(otlp_call *out) {
    const steno_value *error = steno_event_get(out->event, "error");
    if (!out->failed) return;
    const char *type = steno_value_string(steno_value_get(error, "type"), NULL);
    out->error_type = type && *type ? type : "_OTHER";
    out->error_message = steno_value_string(steno_value_get(error, "message"), NULL);
    out->error_status = steno_value_int(steno_value_get(error, "status"), 0);
}

bool otlp_call_read(otlp_arena *arena, const steno_event *event, steno_prices *prices, otlp_call *out) {
    const steno_event_kind kind = steno_event_kind_of(event);
    const char *call_id = steno_event_string(event, "call_id");
    if ((kind != STENO_SUCCESS && kind != STENO_FAILURE) || !call_id) return false;
    const double cost_usd = call_cost_of(event, prices).usd;
    *out = (otlp_call){
        .event = event,
        .failed = kind == STENO_FAILURE,
        .stream = steno_value_bool(steno_event_get(event, "stream"), false),
        .cache_hit = steno_value_bool(steno_event_get(event, "cache_hit"), false),
        .call_id = call_id,
        .operation = otlp_operation(steno_event_string(event, "call_type")),
        .provider = otlp_provider(steno_event_string(event, "provider")),
        .model = steno_event_string(event, "model"),
        .params = steno_event_get(event, "optional_params"),
        .response = steno_event_get(event, "response"),
        .usage = steno_event_get(event, "usage"),
        .cost_usd = isnan(cost_usd) ? -1 : cost_usd,
    };
    if (out->cache_hit) out->usage = NULL;
    out->embedding = !strcmp(out->operation, "embeddings");
    out->response_model = steno_value_string(steno_value_get(out->response, "model"), NULL);
    read_times(out);
    read_error(out);
    read_server(arena, out);
    return true;
}
