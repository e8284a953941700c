/* The fixture, and reading the spool. */
#include "tests/unit/call_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/spool.h"

void open_client(fixture *self, size_t async_max) {
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.dir = self->dir;
    config.app_name = "test";
    config.api_key = KEY;
    config.base_url = script_server_url(self->server);
    config.timeout_ms = PATIENCE_MS;
    config.async_max = async_max;
    if (steno_client_new(&config, &self->client, &error)) fail_msg("%s", error.message);
}

int call_set_up(void **state) {
    fixture *self = calloc(1, sizeof *self);
    strcpy(self->dir, "/tmp/steno-calls-XXXXXX");
    if (!mkdtemp(self->dir)) return -1;
    snprintf(self->spool, sizeof self->spool, "%s/spool", self->dir);
    self->server = script_server_start();
    open_client(self, 0);
    *state = self;
    return 0;
}

int call_tear_down(void **state) {
    fixture *self = *state;
    char command[64];
    steno_client_free(self->client);
    script_server_stop(self->server);
    snprintf(command, sizeof command, "rm -r %s", self->dir);
    int failed = system(command);
    free(self);
    return failed;
}

/* ---- the events ---- */

typedef struct visit {
    const char *spool;
    json_t *events;
} visit;

static void read_publisher(const uint8_t publisher[SPOOL_PUBLISHER_BYTES], void *ctx) {
    visit *self = ctx;
    spool_reader *reader;
    spool_record record;
    assert_int_equal(spool_reader_open(self->spool, publisher, 1, &reader, NULL), STENO_OK);
    while (spool_read(reader, &record, NULL) == STENO_OK) {
        steno_event *event;
        steno_error error;
        if (steno_event_decode(record.bytes, record.size, &event, &error)) fail_msg("%s", error.message);
        if (steno_event_validate(event, &error)) fail_msg("%s", error.message);
        char *text = steno_event_json(event);
        json_array_append_new(self->events, json_loads(text, 0, NULL));
        free(text);
        steno_event_free(event);
    }
    spool_reader_close(reader);
}

json_t *read_events(const fixture *self) {
    visit all = {.spool = self->spool, .events = json_array()};
    assert_int_equal(spool_each(self->spool, read_publisher, &all, NULL, NULL), STENO_OK);
    return all.events;
}

const json_t *member(const json_t *object, const char *name) { return json_object_get(object, name); }

const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(member(object, name));
    return text ? text : "";
}

void sequence(const json_t *events, char *out, size_t room) {
    size_t count = json_array_size(events);
    for (size_t i = 0; i < count && i + 1 < room; i++) {
        const char *name = text_of(json_array_get(events, i), "event");
        *out++ = !strcmp(name, "pre_api_call")    ? 'p'
                 : !strcmp(name, "stream_event")  ? 'c'
                 : !strcmp(name, "post_api_call") ? 'o'
                 : !strcmp(name, "success")       ? 'S'
                 : !strcmp(name, "failure")       ? 'F'
                                                  : '?';
    }
    *out = '\0';
}

void expect_sequence(const json_t *events, const char *expected) {
    char names[512];
    sequence(events, names, sizeof names);
    assert_string_equal(names, expected);
}

/* ---- requests and replies ---- */

steno_request *chat(const char *model, const char *prompt) {
    steno_request *request = steno_request_new(model);
    steno_request_add_message(request, "user", prompt);
    return request;
}

void say(fixture *self, const char *reply) { script_server_say(self->server, reply, strlen(reply), 0, false); }

steno_error perform(fixture *self, steno_request *request, bool streamed, steno_response **out) {
    steno_error error;
    steno_response *response;
    steno_status status = streamed ? steno_complete_stream(self->client, request, NULL, NULL, &response, &error)
                                   : steno_complete(self->client, request, &response, &error);
    assert_int_equal(status, error.status);
    if (out)
        *out = response;
    else
        steno_response_free(response);
    steno_request_free(request);
    return error;
}
