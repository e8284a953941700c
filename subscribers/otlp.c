/* steno-otlp: spans and metrics of the calls, to any OpenTelemetry collector. Decides in which order a batch goes out; what a span says is in otlp_span.c,
 * what the metrics add up in otlp_sums.c, how it is sent in otlp_send.c.
 * Invariants: an event counts as handled only when its span was taken (or put aside), and its figures are in the file of the sums, or, as deltas, were taken.
 */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "subscribers/clock.h"
#include "subscribers/otlp_config.h"
#include "subscribers/otlp_log.h"
#include "subscribers/otlp_send.h"
#include "subscribers/otlp_state.h"
#include "subscribers/otlp_traces.h"

/* As many as the batch processors of OpenTelemetry's SDKs have. */
#define BATCH_EVENTS 512
/* A Collector takes 20 MiB; the spans of a batch can be larger than its events where several kinds of attributes are asked for. */
#define BATCH_BYTES (4u << 20)
#define BATCH_MS 1000
/* Metrics that were not taken are tried again after so long at the most. */
#define METRICS_RETRY_MS 30000
#define SECONDS_MAX 86400

enum {
    OPTION_TO = PROGRAM_OWN_OPTION,
    OPTION_ENDPOINT,
    OPTION_HEADER,
    OPTION_HEADER_FILE,
    OPTION_PROTOCOL,
    OPTION_JSON,
    OPTION_COMPRESSION,
    OPTION_GZIP,
    OPTION_TIMEOUT,
    OPTION_SIGNALS,
    OPTION_CONTENT,
    OPTION_SEMCONV,
    OPTION_ATTRIBUTES,
    OPTION_ATTEMPTS,
    OPTION_TEMPORALITY,
    OPTION_INTERVAL,
    OPTION_SERVICE,
};

static const struct option OPTIONS[] = {
    {"to", required_argument, NULL, OPTION_TO},
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"header", required_argument, NULL, OPTION_HEADER},
    {"header-file", required_argument, NULL, OPTION_HEADER_FILE},
    {"protocol", required_argument, NULL, OPTION_PROTOCOL},
    {"json", no_argument, NULL, OPTION_JSON},
    {"compression", required_argument, NULL, OPTION_COMPRESSION},
    {"gzip", no_argument, NULL, OPTION_GZIP},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"signals", required_argument, NULL, OPTION_SIGNALS},
    {"content", no_argument, NULL, OPTION_CONTENT},
    {"semconv", required_argument, NULL, OPTION_SEMCONV},
    {"attributes", required_argument, NULL, OPTION_ATTRIBUTES},
    {"attempts", required_argument, NULL, OPTION_ATTEMPTS},
    {"temporality", required_argument, NULL, OPTION_TEMPORALITY},
    {"metrics-interval", required_argument, NULL, OPTION_INTERVAL},
    {"service", required_argument, NULL, OPTION_SERVICE},
    {NULL, 0, NULL, 0},
};

static bool take_option(int option, const char *value, void *own);

static const char *const TOPICS[] = {"success.", "failure.", "post_api_call.", NULL};
static const char *const TOPICS_CALLS[] = {"success.", "failure.", NULL};

static const program PROGRAM = {
    .name = "steno-otlp",
    .synopsis = "[OPTION...] [TOPIC...]",
    .about = "Sends a span for each call, and metrics of them, to an OpenTelemetry collector over OTLP/HTTP.",
    .help = "  --endpoint URL       the collector's base URL; /v1/traces and /v1/metrics come below it\n"
            "                       (default: http://localhost:4318)\n"
            "  --to WHERE           langfuse or phoenix: address and key out of their own variables, traces alone,\n"
            "                       with the attributes that they read\n"
            "  --header 'NAME: V'   a header of every request; may be repeated. Others see it in ps\n"
            "  --header-file FILE   headers, one a line: for those that are secret\n"
            "  --protocol WHAT      http/protobuf or http/json (default: http/protobuf); --json is the latter\n"
            "  --compression WHAT   gzip or none (default: none); --gzip is the former\n"
            "  --timeout SECONDS    of a request (default: 10)\n"
            "  --signals LIST       traces, metrics (default: traces,metrics)\n"
            "  --content            send what was asked and answered, too; it is private otherwise\n"
            "  --semconv RELEASE    names of the GenAI conventions: genai-0.1 or 1.41 (default: genai-0.1)\n"
            "  --attributes LIST    also: langfuse, openinference\n"
            "  --attempts WHICH     spans for the attempts of a call: failed, all or none (default: failed)\n"
            "  --temporality WHAT   of the metrics: cumulative or delta (default: cumulative)\n"
            "  --metrics-interval SECONDS\n"
            "                       between two exports of cumulative metrics (default: 60)\n"
            "  --service NAME       service.name (default: the name of the app that made the call)\n",
    .notes =
        "The variables of OpenTelemetry count where there is no option: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS,\n"
        "_PROTOCOL, _COMPRESSION, _TIMEOUT, _CERTIFICATE, each also for TRACES or METRICS alone; OTEL_SERVICE_NAME,\n"
        "OTEL_RESOURCE_ATTRIBUTES, OTEL_METRIC_EXPORT_INTERVAL, and more: steno-otlp(1).\n",
    .options = OPTIONS,
    .take_option = take_option,
    .topics = TOPICS,
};

typedef struct exporter {
    otlp_config config;
    const char *dir;
    steno_prices *prices;
    otlp_sender *traces, *metrics; /* NULL: not wanted */
    otlp_sums sums;
    otlp_state *state; /* NULL: deltas, which live from one request to the next */
    uint64_t sent_from,
        sent_to;  /* the spans of these events were taken, and the batch was not done for another reason */
    int64_t due;  /* when cumulative metrics go out next */
    bool unsent;  /* something was counted since they last did */
    bool unsaved; /* something was counted that is not in the file of the sums */
    bool trouble; /* they were not taken the last time, and that was said */
    uint64_t in_hand[BATCH_EVENTS]; /* marks of the batch that was counted last */
    size_t in_hand_count;
} exporter;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- counting ---- */

static uint64_t mark_of(const steno_event *event) {
    const char *call_id = steno_event_string(event, "call_id");
    return XXH3_64bits_withSeed(call_id, call_id ? strlen(call_id) : 0, steno_event_offset(event));
}

/* Is it of the batch that was counted last? Delivery gives that again, whole or in parts, until it is taken, whatever becomes of the log meanwhile. */
static bool is_in_hand(const exporter *self, const steno_event *event) {
    const uint64_t mark = mark_of(event);
    for (size_t i = 0; i < self->in_hand_count; i++)
        if (self->in_hand[i] == mark) return true;
    return false;
}

static void take_in_hand(exporter *self, const steno_event *const *events, size_t amount) {
    self->in_hand_count = amount;
    for (size_t i = 0; i < amount; i++) self->in_hand[i] = mark_of(events[i]);
    self->sent_from = self->sent_to = 0;
}

/* Done: all is counted, and on the disk where it has to be. */
static delivery_result count(exporter *self, const steno_event *const *events, size_t amount) {
    otlp_sums *sums = &self->sums;
    if (!is_in_hand(self, events[0])) {
        if (steno_event_offset(events[0]) <= sums->offset &&
            !otlp_log_is_same(self->dir, sums->offset, sums->call_id)) {
            program_say(&PROGRAM, "the log is another one: its events are counted from the first");
            sums->offset = 0;
        }
        const uint64_t before = sums->offset;
        for (size_t i = 0; i < amount; i++) otlp_sums_add(sums, events[i]);
        take_in_hand(self, events, amount);
        if (sums->offset != before) self->unsent = self->unsaved = true;
    }
    steno_error error;
    if (self->state && self->unsaved && otlp_state_save(self->state, sums, &error))
        return delivery_say(DELIVERY_LATER, "%s", error.message);
    self->unsaved = false;
    return DELIVERED;
}

/* ---- sending ---- */

static delivery_result send_traces(exporter *self, const steno_event *const *events, size_t amount) {
    const uint64_t first = steno_event_offset(events[0]), last = steno_event_offset(events[amount - 1]);
    if (self->sent_from && self->sent_from <= first && last <= self->sent_to) return DELIVERED;
    otlp_arena arena = {0};
    size_t spans;
    const Otlp__TraceRequest *request =
        otlp_traces(&arena, events, amount, &self->config.mapping, &self->config.resource, &spans);
    const delivery_result result = request ? otlp_send(self->traces, &request->base) : DELIVERED;
    otlp_arena_clear(&arena);
    if (result.outcome == DELIVERY_DONE) self->sent_from = first, self->sent_to = last;
    return result;
}

static delivery_result send_metrics(exporter *self) {
    otlp_arena arena = {0};
    const uint64_t now = now_ns();
    const Otlp__MetricsRequest *request =
        otlp_sums_request(&self->sums, &arena, self->config.delta ? OTLP_DELTA : OTLP_CUMULATIVE, now);
    delivery_result result = request ? otlp_send(self->metrics, &request->base) : DELIVERED;
    otlp_arena_clear(&arena);
    if (result.outcome == DELIVERY_REFUSED) program_say(&PROGRAM, "metrics were refused: %s", result.why);
    const bool over = result.outcome == DELIVERY_DONE || result.outcome == DELIVERY_REFUSED;
    if (over) self->unsent = false;
    if (over && self->config.delta) otlp_sums_reset(&self->sums, now);
    return result;
}

/* Cumulative metrics when they are due. What is not taken is in the next ones; so the calls go on. */
static delivery_result send_due(exporter *self) {
    if (!self->metrics || self->config.delta || clock_until(self->due) > 0) return DELIVERED;
    const delivery_result result = send_metrics(self);
    const bool later = result.outcome == DELIVERY_LATER;
    const int64_t again = result.retry_after_ms ? result.retry_after_ms : METRICS_RETRY_MS;
    self->due = clock_after(later && again < self->config.metrics_ms ? again : self->config.metrics_ms);
    if (later && !self->trouble) program_say(&PROGRAM, "metrics: %s; they are tried again", result.why);
    if (!later && self->trouble) program_say(&PROGRAM, "metrics are taken again");
    self->trouble = later;
    return result;
}

/* ---- what delivery calls ---- */

static delivery_result deliver(const steno_event *const *events, size_t amount, void *ctx) {
    exporter *self = ctx;
    delivery_result result = self->metrics ? count(self, events, amount) : DELIVERED;
    if (result.outcome == DELIVERY_DONE && self->traces) result = send_traces(self, events, amount);
    if (result.outcome != DELIVERY_DONE) return result;
    if (self->metrics && self->config.delta && self->unsent) {
        result = send_metrics(self);
        if (result.outcome == DELIVERY_REFUSED) result = DELIVERED; /* it is the spans that the events are kept for */
    } else {
        result = send_due(self);
        if (result.outcome != DELIVERY_BROKEN) result = DELIVERED;
    }
    if (result.outcome == DELIVERY_DONE) self->sent_from = self->sent_to = 0;
    return result;
}

static delivery_result idle(void *ctx) {
    delivery_result result = send_due(ctx);
    if (result.outcome == DELIVERY_REFUSED) result = DELIVERED; /* said already */
    return result;
}

/* ---- beginning and ending ---- */

static bool take_seconds(const char *option, const char *value, int64_t *out_ms) {
    int64_t seconds;
    if (!program_number(value, 1, SECONDS_MAX, &seconds))
        return program_complain_usage(&PROGRAM, "%s %s: it is a number of seconds from 1 to %d", option, value,
                                      SECONDS_MAX);
    *out_ms = seconds * 1000;
    return true;
}

static bool take_option(int option, const char *value, void *own) {
    otlp_options *options = own;
    switch (option) {
    case OPTION_TO: options->to = value; break;
    case OPTION_ENDPOINT: options->endpoint = value; break;
    case OPTION_HEADER:
        if (options->header_count == OTLP_HEADERS_MAX)
            return program_complain_usage(&PROGRAM, "--header: at most %d", OTLP_HEADERS_MAX);
        options->headers[options->header_count++] = value;
        break;
    case OPTION_HEADER_FILE: options->header_file = value; break;
    case OPTION_PROTOCOL: options->protocol = value; break;
    case OPTION_JSON: options->protocol = "http/json"; break;
    case OPTION_COMPRESSION: options->compression = value; break;
    case OPTION_GZIP: options->compression = "gzip"; break;
    case OPTION_TIMEOUT: return take_seconds("--timeout", value, &options->timeout_ms);
    case OPTION_SIGNALS: options->signals = value; break;
    case OPTION_CONTENT: options->content = true; break;
    case OPTION_SEMCONV: options->semconv = value; break;
    case OPTION_ATTRIBUTES: options->attributes = value; break;
    case OPTION_ATTEMPTS: options->attempts = value; break;
    case OPTION_TEMPORALITY: options->temporality = value; break;
    case OPTION_INTERVAL: return take_seconds("--metrics-interval", value, &options->metrics_ms);
    case OPTION_SERVICE: options->service = value; break;
    default: return false;
    }
    return true;
}

static steno_status open_sender(const exporter *self, otlp_signal signal, otlp_sender **out, steno_error *error) {
    const otlp_route *route = &self->config.routes[signal];
    return route->on ? otlp_sender_new(&PROGRAM, route, out, error) : STENO_OK;
}

/* The sums, as they were left. */
static steno_status open_sums(exporter *self, const char *name, steno_error *error) {
    otlp_sums_begin(&self->sums, self->config.mapping.semconv, &self->config.resource, self->prices, now_ns());
    if (!self->metrics || self->config.delta) return STENO_OK;
    const steno_status status = otlp_state_open(self->dir, name, &self->state, error);
    if (status) return status;
    steno_error why;
    if (!otlp_state_load(self->state, &self->sums, &why) && *why.message) program_say(&PROGRAM, "%s", why.message);
    return STENO_OK;
}

static void close_exporter(exporter *self) {
    otlp_sender_free(self->traces);
    otlp_sender_free(self->metrics);
    otlp_sums_end(&self->sums);
    otlp_state_free(self->state);
    steno_prices_free(self->prices);
    otlp_config_free(&self->config);
}

static int run(exporter *self, steno_subscriber_config *config) {
    const delivery what = {.program = &PROGRAM,
                           .batch_events = BATCH_EVENTS,
                           .batch_bytes = BATCH_BYTES,
                           .batch_ms = BATCH_MS,
                           .deliver = deliver,
                           .idle = idle,
                           .self = self};
    const int status = delivery_run(&what, config);
    /* The last figures. What is not taken is on the disk and goes out next time. */
    self->due = 0;
    if (status == PROGRAM_FINE && self->unsent) send_due(self);
    return status;
}

int main(int argc, char **argv) {
    otlp_options options = {0};
    exporter self = {0};
    steno_subscriber_config config;
    const int ended = program_parse(&PROGRAM, argc, argv, &options, &config, NULL);
    if (ended >= 0) return ended;
    steno_error error;
    if (otlp_config_make(&options, &self.config, &error)) {
        program_complain_usage(&PROGRAM, "%s", error.message);
        return PROGRAM_USAGE;
    }
    const bool attempts = self.config.routes[OTLP_TRACES].on && self.config.mapping.attempts != OTLP_ATTEMPTS_NONE;
    if (config.topics == TOPICS && !attempts) config.topics = TOPICS_CALLS;
    self.dir = config.dir;
    steno_status status = steno_prices_open(config.dir, &self.prices, &error);
    self.config.mapping.prices = self.prices;
    if (!status) status = open_sender(&self, OTLP_TRACES, &self.traces, &error);
    if (!status) status = open_sender(&self, OTLP_METRICS, &self.metrics, &error);
    if (!status) status = open_sums(&self, config.name, &error);
    if (status) program_say(&PROGRAM, "%s", error.message);
    const int exit_status = !status ? run(&self, &config) : status == STENO_INVALID ? PROGRAM_USAGE : PROGRAM_FAILED;
    close_exporter(&self);
    return exit_status;
}
