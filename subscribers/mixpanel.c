/* steno-mixpanel: calls as events of Mixpanel, by its import API. mixpanel_event.c says what an event looks like there, mixpanel_reply.c what an answer
 * means, delivery.c when something is sent, again or not at all.
 */
#include <ctype.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema/buffer.h"
#include "schema/clean.h"
#include "schema/json_text.h"
#include "subscribers/delivery.h"
#include "subscribers/http_post.h"
#include "subscribers/mixpanel_event.h"
#include "subscribers/mixpanel_reply.h"
#include "subscribers/secret_file.h"

#define TIMEOUT_SECONDS_DEFAULT 60
#define TIMEOUT_SECONDS_MAX 3600
#define BATCH_MS_DEFAULT 5000
#define BATCH_MS_MAX 3600000
/* Of events in a batch as they are in the journal, where their content is most of it. */
#define BATCH_BYTES (8u << 20)
#define CREDENTIALS_BYTES_MAX 512
#define PROJECT_BYTES_MAX 32
#define ACCOUNT_VARIABLE "MIXPANEL_SERVICE_ACCOUNT"
#define TOKEN_VARIABLE "MIXPANEL_TOKEN"
#define PROJECT_VARIABLE "MIXPANEL_PROJECT_ID"

enum {
    OPTION_PROJECT = PROGRAM_OWN_OPTION,
    OPTION_CREDENTIALS,
    OPTION_REGION,
    OPTION_URL,
    OPTION_EVENT_NAME,
    OPTION_CONTENT,
    OPTION_BATCH,
    OPTION_BATCH_MS,
    OPTION_TIMEOUT,
};

static const struct option OPTIONS[] = {
    {"project", required_argument, NULL, OPTION_PROJECT},
    {"credentials-file", required_argument, NULL, OPTION_CREDENTIALS},
    {"region", required_argument, NULL, OPTION_REGION},
    {"url", required_argument, NULL, OPTION_URL},
    {"event-name", required_argument, NULL, OPTION_EVENT_NAME},
    {"content", no_argument, NULL, OPTION_CONTENT},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"batch-ms", required_argument, NULL, OPTION_BATCH_MS},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {0},
};

static const char HELP[] =
    "  --credentials-file FILE\n"
    "                       a line USERNAME:SECRET of a service account, or the project's token\n"
    "                       (default: $MIXPANEL_SERVICE_ACCOUNT, else $MIXPANEL_TOKEN)\n"
    "  --project ID         the project; a service account needs it (default: $MIXPANEL_PROJECT_ID)\n"
    "  --region us|eu|in    where the project's data resides (default: us)\n"
    "  --url URL            another server than Mixpanel's own\n"
    "  --event-name NAME    of a call that is over (default: LLM call)\n"
    "  --content            with what was asked and answered: the first 255 characters of each\n"
    "  --batch N            events a request, at most 2000 (default: 2000)\n"
    "  --batch-ms MS        how long the first event of a batch waits for others (default: 5000)\n"
    "  --timeout SECONDS    how long a request may take (default: 60)\n";

static const char NOTES[] =
    "Mixpanel shows an event once even if it comes twice ($insert_id). What it refuses goes to\n"
    "$STATE/dead-letters/NAME.jsonl; everything else is tried again for ever.\n";

typedef struct mixpanel {
    http_post *post;
    steno_prices *prices;
    const char *project, *credentials_file, *host, *url, *call_name;
    bool content;
    int64_t batch, batch_ms, timeout_seconds;
    buffer body;
    uint64_t offsets[MIXPANEL_EVENTS_MAX];
    mixpanel_verdicts verdicts;
} mixpanel;

static const char *const TOPICS[] = {"success.", "failure.", NULL};

static bool take_option(int option, const char *value, void *own);

static const program PROGRAM = {
    .name = "steno-mixpanel",
    .synopsis = "[OPTION...] [TOPIC...]",
    .about = "Sends each LLM call to Mixpanel as an event: model, tokens, cost, latency, error, user, tags, metadata.",
    .help = HELP,
    .notes = NOTES,
    .options = OPTIONS,
    .take_option = take_option,
    .topics = TOPICS,
};

/* ---- the command line ---- */

static bool take_region(const char *value, const char **host) {
    static const struct {
        const char *name, *host;
    } regions[] = {{"us", "https://api.mixpanel.com"},
                   {"eu", "https://api-eu.mixpanel.com"},
                   {"in", "https://api-in.mixpanel.com"}};
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        if (!strcmp(value, regions[i].name)) {
            *host = regions[i].host;
            return true;
        }
    return program_complain_usage(&PROGRAM, "--region %s: give us, eu or in", value);
}

static bool take_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *out) {
    return program_number(text, min, max, out) ||
           program_complain_usage(&PROGRAM, "%s %s: give a number from %" PRId64 " to %" PRId64, option, text, min,
                                  max);
}

static bool take_option(int option, const char *value, void *own) {
    mixpanel *self = own;
    switch (option) {
    case OPTION_PROJECT: self->project = value; return true;
    case OPTION_CREDENTIALS: self->credentials_file = value; return true;
    case OPTION_REGION: return take_region(value, &self->host);
    case OPTION_URL: self->url = value; return true;
    case OPTION_EVENT_NAME:
        self->call_name = value;
        return *value || program_complain_usage(&PROGRAM, "--event-name: it is empty");
    case OPTION_CONTENT: self->content = true; return true;
    case OPTION_BATCH: return take_number("--batch", value, 1, MIXPANEL_EVENTS_MAX, &self->batch);
    case OPTION_BATCH_MS: return take_number("--batch-ms", value, 0, BATCH_MS_MAX, &self->batch_ms);
    default: return take_number("--timeout", value, 1, TIMEOUT_SECONDS_MAX, &self->timeout_seconds);
    }
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static steno_status read_credentials(const mixpanel *self, secret_lines *out, steno_error *error) {
    if (self->credentials_file) return secret_file_read(self->credentials_file, out, error);
    if (variable(ACCOUNT_VARIABLE))
        return secret_lines_parse(variable(ACCOUNT_VARIABLE), "$" ACCOUNT_VARIABLE, out, error);
    if (variable(TOKEN_VARIABLE)) return secret_lines_parse(variable(TOKEN_VARIABLE), "$" TOKEN_VARIABLE, out, error);
    return steno_fail(error, STENO_INVALID,
                      "no credentials: give --credentials-file, or set $" ACCOUNT_VARIABLE " or $" TOKEN_VARIABLE);
}

/* Basic authentication: of a service account, or of a project's token without a password. */
static steno_status add_credentials(mixpanel *self, steno_error *error) {
    secret_lines lines = {0};
    steno_status status = read_credentials(self, &lines, error);
    if (status) return status;
    const char *given = lines.count == 1 ? lines.lines[0] : "";
    const bool account = strchr(given, ':') != NULL;
    char plain[CREDENTIALS_BYTES_MAX + 2], line[CREDENTIALS_BYTES_MAX * 2] = "Authorization: Basic ";
    if (!*given || strlen(given) > CREDENTIALS_BYTES_MAX) {
        status = steno_fail(error, STENO_INVALID, "the credentials must be one line of at most %d bytes",
                            CREDENTIALS_BYTES_MAX);
    } else if (account && !self->project) {
        status = steno_fail(error, STENO_INVALID,
                            "a service account needs a project: give --project or set $" PROJECT_VARIABLE);
    } else {
        int length = snprintf(plain, sizeof plain, "%s%s", given, account ? "" : ":");
        EVP_EncodeBlock((unsigned char *)line + strlen(line), (unsigned char *)plain, length);
        status = http_post_header(self->post, line, error);
        if (!http_post_secret(self->post, account ? strchr(given, ':') + 1 : given))
            status = steno_fail(error, STENO_NO_MEMORY, "no memory for the credentials");
    }
    explicit_bzero(plain, sizeof plain);
    explicit_bzero(line, sizeof line);
    secret_lines_free(&lines);
    return status;
}

static steno_status open_post(mixpanel *self, steno_error *error) {
    if (!self->project) self->project = variable(PROJECT_VARIABLE);
    for (const char *p = self->project; p && *p; p++)
        if (!isalnum((unsigned char)*p) || p - self->project >= PROJECT_BYTES_MAX)
            return steno_fail(error, STENO_INVALID, "--project %.40s: it is no project id", self->project);
    const char *base = self->url ? self->url : self->host;
    size_t size = strlen(base);
    while (size && base[size - 1] == '/') size--;
    cleanup_free char *url = NULL;
    if (asprintf(&url, "%.*s/import?strict=1%s%s", (int)size, base, self->project ? "&project_id=" : "",
                 self->project ? self->project : "") < 0)
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a URL");
    steno_status status = http_post_new(url, self->timeout_seconds * 1000, &self->post, error);
    if (!status) http_post_gzip(self->post, true);
    return status ? status : add_credentials(self, error);
}

/* ---- delivering ---- */

static bool make_body(mixpanel *self, const steno_event *const *events, size_t count) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    buffer_clear(&self->body);
    bool fine = buffer_add(&self->body, "[", 1);
    for (size_t i = 0; i < count && fine; i++) {
        const call_cost cost = call_cost_of(events[i], self->prices);
        json_t *json = mixpanel_event(events[i], self->call_name, &cost, self->content,
                                      (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
        fine = json && (!i || buffer_add(&self->body, ",", 1)) && json_text_add(&self->body, json);
        json_decref(json);
    }
    return fine && buffer_add(&self->body, "]", 1);
}

static delivery_result deliver(const steno_event *const *events, size_t count, void *own) {
    mixpanel *self = own;
    delivery_result result;
    for (size_t i = 0; i < count; i++) self->offsets[i] = steno_event_offset(events[i]);
    if (mixpanel_verdict_on(&self->verdicts, self->offsets, count, &result)) return result;
    if (!make_body(self, events, count)) return delivery_say(DELIVERY_LATER, "no memory for a request");
    if (self->body.size > MIXPANEL_REQUEST_BYTES_MAX && count > 1)
        return delivery_say(DELIVERY_REFUSED, "%zu events are too much for one request", count);
    http_reply reply;
    http_post_send(self->post, "application/json", self->body.bytes, self->body.size, NULL, &reply);
    return mixpanel_judge(self->post, &reply, self->offsets, count, &self->verdicts);
}

int main(int argc, char **argv) {
    static mixpanel self = {.host = "https://api.mixpanel.com",
                            .call_name = "LLM call",
                            .batch = MIXPANEL_EVENTS_MAX,
                            .batch_ms = BATCH_MS_DEFAULT,
                            .timeout_seconds = TIMEOUT_SECONDS_DEFAULT};
    steno_subscriber_config config;
    int ended = program_parse(&PROGRAM, argc, argv, &self, &config, NULL);
    if (ended >= 0) return ended;
    steno_error error;
    if (open_post(&self, &error)) {
        program_complain_usage(&PROGRAM, "%s", error.message);
        ended = PROGRAM_USAGE;
    } else if (steno_prices_open(config.dir, &self.prices, &error)) {
        program_say(&PROGRAM, "%s", error.message);
        ended = PROGRAM_FAILED;
    } else {
        const delivery what = {.program = &PROGRAM,
                               .batch_events = (size_t)self.batch,
                               .batch_bytes = BATCH_BYTES,
                               .batch_ms = self.batch_ms,
                               .deliver = deliver,
                               .self = &self};
        ended = delivery_run(&what, &config);
    }
    steno_prices_free(self.prices);
    http_post_free(self.post);
    buffer_free(&self.body);
    return ended;
}
