/* Making and freeing a subscriber: its settings, sockets and memory. Waits for nothing. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#include "schema/clean.h"
#include "schema/sized.h"
#include "subscribers/subscriber_state.h"

#define COMMIT_EVENTS_DEFAULT 100
#define COMMIT_MS_DEFAULT 1000
#define CONNECT_TIMEOUT_MS_DEFAULT 5000

CLEANUP_FUNCTION(clean_subscriber, steno_subscriber, steno_subscriber_free)

static steno_status copy_topics(steno_subscriber *self, const char *const *topics, steno_error *error) {
    size_t count = 0;
    while (topics && topics[count]) count++;
    if (count == 0) return STENO_OK;
    if (count > CONTROL_TOPICS_MAX)
        return steno_fail(error, STENO_INVALID, "%zu topics: at most %d, give shorter prefixes", count,
                          CONTROL_TOPICS_MAX);
    self->topics = calloc(count + 1, sizeof *self->topics);
    if (!self->topics) return steno_fail(error, STENO_NO_MEMORY, "no memory for the topics");
    for (size_t i = 0; i < count; i++) {
        if (strlen(topics[i]) >= STENO_TOPIC_BYTES)
            return steno_fail(error, STENO_INVALID, "topic %.40s…: longer than %d bytes", topics[i],
                              STENO_TOPIC_BYTES - 1);
        self->topics[i] = strdup(topics[i]);
        if (!self->topics[i]) return steno_fail(error, STENO_NO_MEMORY, "no memory for the topics");
    }
    return STENO_OK;
}

static steno_status take_settings(steno_subscriber *self, const steno_subscriber_config *config, steno_error *error) {
    if (config->name && !control_name_valid(config->name))
        return steno_fail(error, STENO_INVALID, "subscriber name %.80s: 1 to %d of [A-Za-z0-9_.-]", config->name,
                          CONTROL_NAME_BYTES - 1);
    if (config->from < STENO_FROM_NOW)
        return steno_fail(error, STENO_INVALID, "from %" PRId64 ": give an offset from 1 on, or STENO_FROM_…",
                          config->from);
    if (config->name) strcpy(self->name, config->name);
    self->from = config->from ? config->from : config->name ? STENO_FROM_BEGINNING : STENO_FROM_NOW;
    self->commit_events = config->commit_events ? config->commit_events : COMMIT_EVENTS_DEFAULT;
    self->commit_ms = config->commit_ms > 0 ? config->commit_ms : COMMIT_MS_DEFAULT;
    self->connect_timeout_ms = config->connect_timeout_ms ? config->connect_timeout_ms : CONNECT_TIMEOUT_MS_DEFAULT;
    self->manual = config->manual;
    self->on_missed = config->on_missed;
    self->on_missed_ctx = config->on_missed_ctx;
    self->on_waiting = config->on_waiting;
    self->on_waiting_ctx = config->on_waiting_ctx;
    self->phase = config->name && !config->from_set ? PHASE_CURSOR : PHASE_NOW;
    return copy_topics(self, config->topics, error);
}

static steno_status open_sockets(steno_subscriber *self, const char *dir, steno_error *error) {
    place where;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    strcpy(self->endpoint, where.control);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake < 0) return steno_fail(error, STENO_SYSTEM, "cannot make an eventfd: %s", strerror(errno));
    self->context = zmq_ctx_new();
    if (!self->context) return steno_fail(error, STENO_SYSTEM, "cannot make a ZeroMQ context: %s", zmq_strerror(errno));
    /* The stream first: what is published while the cursor is asked for is then on it already. */
    status = stream_open(self->context, where.events_out, self->topics, &self->stream, error);
    return status ? status : control_client_open(self->context, where.control, &self->control, error);
}

steno_status steno_subscriber_new(const steno_subscriber_config *given, steno_subscriber **out, steno_error *error) {
    *out = NULL;
    cleanup(clean_subscriber) steno_subscriber *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a subscriber");
    self->wake = self->wake_on = -1;
    self->draft = steno_draft_new();
    if (!self->draft) return steno_fail(error, STENO_NO_MEMORY, "no memory for a subscriber");
    steno_subscriber_config config = STENO_SUBSCRIBER_CONFIG_INIT;
    steno_status status = given ? sized_take(&config, sizeof config, given, "steno_subscriber_config",
                                             "STENO_SUBSCRIBER_CONFIG_INIT", error)
                                : STENO_OK;
    if (!status) status = take_settings(self, &config, error);
    if (!status) status = open_sockets(self, config.dir, error);
    if (status) return status;
    *out = self;
    self = NULL;
    return STENO_OK;
}

void steno_subscriber_free(steno_subscriber *subscriber) {
    if (!subscriber) return;
    steno_event_free(subscriber->event);
    joined_free(subscriber->joined);
    batch_clear(&subscriber->batch);
    stream_item_clear(&subscriber->item);
    stream_free(subscriber->stream);
    steno_control_free(subscriber->control);
    if (subscriber->context) zmq_ctx_term(subscriber->context);
    if (subscriber->wake >= 0) close(subscriber->wake);
    steno_draft_free(subscriber->draft);
    for (char **topic = subscriber->topics; topic && *topic; topic++) free(*topic);
    free(subscriber->topics);
    free(subscriber);
}
