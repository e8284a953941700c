/* steno-webhook: POSTs events as JSON. Decides what a request looks like; delivery.c decides when it is sent, again or not at all.
 * Invariant: the id and the body of a request follow from its events alone, so that a receiver can tell a repetition.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema/buffer.h"
#include "schema/clean.h"
#include "schema/json_text.h"
#include "schema/utf8.h"
#include "subscribers/delivery.h"
#include "subscribers/event_line.h"
#include "subscribers/http_post.h"
#include "subscribers/secret_file.h"
#include "subscribers/webhook_sign.h"

#define TIMEOUT_SECONDS_DEFAULT 30
#define TIMEOUT_SECONDS_MAX 3600
#define BATCH_MAX 1000
#define BATCH_MS_DEFAULT 1000
#define BATCH_MS_MAX 3600000
/* Of events in a request, encoded: what common servers take without being told. */
#define BATCH_BYTES (1u << 20)
#define SECRET_VARIABLE "STENO_WEBHOOK_SECRET"

enum {
    OPTION_BATCH = PROGRAM_OWN_OPTION,
    OPTION_BATCH_MS,
    OPTION_NDJSON,
    OPTION_HEADER,
    OPTION_HEADER_FILE,
    OPTION_SECRET_FILE,
    OPTION_GZIP,
    OPTION_TIMEOUT,
};

static const struct option OPTIONS[] = {
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"batch-ms", required_argument, NULL, OPTION_BATCH_MS},
    {"ndjson", no_argument, NULL, OPTION_NDJSON},
    {"header", required_argument, NULL, OPTION_HEADER},
    {"header-file", required_argument, NULL, OPTION_HEADER_FILE},
    {"secret-file", required_argument, NULL, OPTION_SECRET_FILE},
    {"gzip", no_argument, NULL, OPTION_GZIP},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {0},
};

static const char HELP[] =
    "  URL                  where to POST to: https://… (http:// where the way there is safe)\n"
    "  --batch N            up to N events a request, as a JSON array (default: one a request, as an object)\n"
    "  --batch-ms MS        how long the first event of a batch waits for others (default: 1000)\n"
    "  --ndjson             one event a line instead of an array\n"
    "  --header 'NAME: V'   a header of every request; may be repeated. Others see it in ps\n"
    "  --header-file FILE   headers, one a line: for those that are secret\n"
    "  --secret-file FILE   sign with the secret in FILE, or with each where there are several lines\n"
    "                       (default: $STENO_WEBHOOK_SECRET; without one, requests are not signed)\n"
    "  --gzip               compress the bodies\n"
    "  --timeout SECONDS    how long a request may take (default: 30)\n";

static const char NOTES[] =
    "An event may come twice, never not at all: webhook-id is the same for each try. What the receiver refuses\n"
    "(400, 413, 422) goes to $STATE/dead-letters/NAME.jsonl; after 410 steno-webhook ends; all else is tried\n"
    "again for ever. TOPIC '' is every event: the attempts and the chunks of streams, too.\n";

typedef struct webhook {
    http_post *post;
    webhook_secrets secrets;
    const char *header_lines[HTTP_POST_HEADERS_MAX];
    size_t header_count;
    const char *header_file, *secret_file;
    int64_t batch, batch_ms, timeout_seconds;
    bool ndjson, gzip;
    buffer body;
} webhook;

/* A request for each chunk of each stream is what somebody has to ask for. */
static const char *const TOPICS[] = {"success.", "failure.", NULL};

static bool take_option(int option, const char *value, void *own);

static const program PROGRAM = {
    .name = "steno-webhook",
    .synopsis = "[OPTION...] URL [TOPIC...]",
    .about = "POSTs each event as JSON, with its journal offset and its topic, in order.",
    .help = HELP,
    .notes = NOTES,
    .options = OPTIONS,
    .take_option = take_option,
    .arguments = 1,
    .topics = TOPICS,
};

/* ---- the command line ---- */

static bool take_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *out) {
    return program_number(text, min, max, out) ||
           program_complain_usage(&PROGRAM, "%s %s: give a number from %" PRId64 " to %" PRId64, option, text, min,
                                  max);
}

static bool take_option(int option, const char *value, void *own) {
    webhook *self = own;
    switch (option) {
    case OPTION_BATCH: return take_number("--batch", value, 1, BATCH_MAX, &self->batch);
    case OPTION_BATCH_MS: return take_number("--batch-ms", value, 0, BATCH_MS_MAX, &self->batch_ms);
    case OPTION_NDJSON: self->ndjson = true; return true;
    case OPTION_HEADER:
        if (self->header_count == HTTP_POST_HEADERS_MAX)
            return program_complain_usage(&PROGRAM, "--header: at most %d", HTTP_POST_HEADERS_MAX);
        self->header_lines[self->header_count++] = value;
        return true;
    case OPTION_HEADER_FILE: self->header_file = value; return true;
    case OPTION_SECRET_FILE: self->secret_file = value; return true;
    case OPTION_GZIP: self->gzip = true; return true;
    default: return take_number("--timeout", value, 1, TIMEOUT_SECONDS_MAX, &self->timeout_seconds);
    }
}

static steno_status add_headers(webhook *self, steno_error *error) {
    for (size_t i = 0; i < self->header_count; i++)
        if (http_post_header(self->post, self->header_lines[i], error)) return error->status;
    if (!self->header_file) return STENO_OK;
    secret_lines file;
    steno_status status = secret_file_read(self->header_file, &file, error);
    for (size_t i = 0; i < file.count && !status; i++) status = http_post_header(self->post, file.lines[i], error);
    secret_lines_free(&file);
    return status;
}

static steno_status add_secrets(webhook *self, steno_error *error) {
    const char *variable = getenv(SECRET_VARIABLE);
    secret_lines lines = {0};
    steno_status status = STENO_OK;
    if (self->secret_file)
        status = secret_file_read(self->secret_file, &lines, error);
    else if (variable && *variable)
        status = secret_lines_parse(variable, "$" SECRET_VARIABLE, &lines, error);
    for (size_t i = 0; i < lines.count && !status; i++)
        status = webhook_secret_add(&self->secrets, lines.lines[i], error);
    secret_lines_free(&lines);
    return status;
}

static steno_status set_up(webhook *self, const char *url, steno_error *error) {
    steno_status status = http_post_new(url, self->timeout_seconds * 1000, &self->post, error);
    if (!status) status = add_headers(self, error);
    if (!status) status = add_secrets(self, error);
    if (!status) http_post_gzip(self->post, self->gzip);
    return status;
}

/* ---- the body ---- */

static bool add_text(buffer *to, const char *text) { return buffer_add(to, text, strlen(text)); }

/* The event as an object, its offset and its topic as the last fields: a field of the event's own by that name gives way. */
static bool add_event(buffer *to, const steno_event *event) {
    size_t size;
    cleanup_free char *line = event_line(event, &size);
    if (!line || !buffer_add(to, line, size - strlen("}\n")) || !add_text(to, ",\"topic\":")) return false;
    char topic[STENO_TOPIC_BYTES];
    steno_event_topic(event, topic);
    json_t *text = json_stringn(topic, utf8_valid_prefix(topic, strlen(topic)));
    bool added = text && json_text_add(to, text);
    json_decref(text);
    return added && add_text(to, "}");
}

static bool make_body(webhook *self, const steno_event *const *events, size_t count) {
    const bool array = self->batch && !self->ndjson;
    buffer_clear(&self->body);
    bool fine = !array || add_text(&self->body, "[");
    for (size_t i = 0; i < count && fine; i++) {
        if (array && i) fine = add_text(&self->body, ",\n");
        fine = fine && add_event(&self->body, events[i]);
        if (self->ndjson) fine = fine && add_text(&self->body, "\n");
    }
    return fine && (!array || add_text(&self->body, "]"));
}

/* ---- delivering ---- */

static delivery_result judge(const webhook *self, const http_reply *reply) {
    delivery_result result = http_post_judge(self->post, reply);
    if (reply->status != 410) return result;
    return delivery_say(
        DELIVERY_BROKEN,
        "%s: answered 410 Gone: it wants no more events. steno-webhook ends: take it out of stenod.ini, if it is there",
        http_post_url(self->post));
}

static delivery_result deliver(const steno_event *const *events, size_t count, void *own) {
    webhook *self = own;
    if (!make_body(self, events, count)) return delivery_say(DELIVERY_LATER, "no memory for a request");
    char id[WEBHOOK_ID_BYTES], signature[WEBHOOK_SIGNATURE_BYTES];
    const int64_t now = time(NULL);
    webhook_id(events, count, id);
    if (!webhook_sign(&self->secrets, id, now, self->body.bytes, self->body.size, signature))
        return delivery_say(DELIVERY_LATER, "the request could not be signed");
    char id_line[WEBHOOK_ID_BYTES + 16], time_line[48], signature_line[WEBHOOK_SIGNATURE_BYTES + 24];
    snprintf(id_line, sizeof id_line, "webhook-id: %s", id);
    snprintf(time_line, sizeof time_line, "webhook-timestamp: %" PRId64, now);
    snprintf(signature_line, sizeof signature_line, "webhook-signature: %s", signature);
    const char *extra[] = {id_line, time_line, self->secrets.count ? signature_line : NULL, NULL};
    http_reply reply;
    http_post_send(self->post, self->ndjson ? "application/x-ndjson" : "application/json", self->body.bytes,
                   self->body.size, extra, &reply);
    return judge(self, &reply);
}

int main(int argc, char **argv) {
    webhook self = {.batch_ms = BATCH_MS_DEFAULT, .timeout_seconds = TIMEOUT_SECONDS_DEFAULT};
    steno_subscriber_config config;
    const char *url;
    int ended = program_parse(&PROGRAM, argc, argv, &self, &config, &url);
    if (ended >= 0) return ended;
    steno_error error;
    if (set_up(&self, url, &error)) {
        program_complain_usage(&PROGRAM, "%s", error.message);
        ended = PROGRAM_USAGE;
    } else {
        const delivery what = {.program = &PROGRAM,
                               .batch_events = self.batch ? (size_t)self.batch : 1,
                               .batch_bytes = BATCH_BYTES,
                               .batch_ms = self.batch > 1 ? self.batch_ms : 0,
                               .deliver = deliver,
                               .self = &self};
        ended = delivery_run(&what, &config);
    }
    http_post_free(self.post);
    buffer_free(&self.body);
    explicit_bzero(&self.secrets, sizeof self.secrets);
    return ended;
}
