/* Events of calls that were made with another SDK: what is common to all events is added where it is missing, then they go the way of all. */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/mask.h"
#include "client/providers/table.h"
#include "schema/clean.h"
#include "schema/identity.h"
#include "schema/json.h"

CLEANUP_FUNCTION(clean_event, steno_event, steno_event_free)
CLEANUP_FUNCTION(clean_draft, steno_draft, steno_draft_free)
CLEANUP_FUNCTION(clean_json, json_t, json_decref)

/* What was corrupt in itself is an invalid argument of ours. */
static steno_status invalid(steno_error *error) {
    if (error) error->status = STENO_INVALID;
    return STENO_INVALID;
}

static bool missing(const steno_event *event, const char *name) {
    return steno_value_type(steno_event_get(event, name)) == STENO_TYPE_NIL;
}

/* "groq/llama-3" without a provider: the name says it. */
static const provider *provider_in_model(const steno_event *event, const char **model) {
    const char *asked = steno_event_string(event, "model");
    const provider *found = NULL;
    const wire *by;
    if (!asked || !strchr(asked, '/') || !missing(event, "provider")) return NULL;
    return provider_find(asked, false, &found, &by, model, NULL) ? NULL : found;
}

/* The event's own fields, but for nil ones that get a value and those that are changed. */
static void copy_fields(const steno_event *event, const char *model, steno_draft *to) {
    const steno_value *map = steno_event_value(event);
    for (size_t i = 0; i < steno_value_count(map); i++) {
        const char *name = steno_value_key_at(map, i);
        const steno_value *value = steno_value_at(map, i);
        if (!name || steno_value_type(value) == STENO_TYPE_NIL) continue;
        if (!strcmp(name, "api_key") && steno_value_type(value) == STENO_TYPE_STRING) {
            char masked[MASK_KEY_BYTES];
            mask_key(steno_value_string(value, NULL), masked);
            steno_draft_string(to, name, masked);
        } else if (!strcmp(name, "model") && model) {
            steno_draft_string(to, name, model);
        } else {
            steno_draft_value(to, name, value);
        }
    }
}

static void add_missing(const steno_client *client, const steno_event *event, const provider *found, steno_draft *to) {
    double now = identity_now();
    if (missing(event, "v")) steno_draft_int(to, "v", STENO_EVENT_VERSION);
    if (missing(event, "time")) steno_draft_double(to, "time", now);
    if (missing(event, "app")) client_write_app(client, to);
    if (found) steno_draft_string(to, "provider", found->name);
    if (steno_event_kind_of(event) == STENO_CUSTOM) return;
    if (missing(event, "log_event_type"))
        steno_draft_string(to, "log_event_type", steno_event_kind_log_type(steno_event_kind_of(event)));
    if (missing(event, "call_id")) {
        char call_id[IDENTITY_TEXT_BYTES];
        identity_call_id(call_id);
        steno_draft_string(to, "call_id", call_id);
    }
}

steno_status steno_emit(steno_client *client, steno_draft *event, steno_receipt *receipt, steno_error *error) {
    const void *body;
    size_t size;
    cleanup(clean_event) steno_event *given = NULL;
    cleanup(clean_event) steno_event *whole = NULL;
    cleanup(clean_draft) steno_draft *draft = steno_draft_new();
    if (!draft) return steno_fail(error, STENO_NO_MEMORY, "no memory for an event");
    steno_status status = steno_draft_finish(event, &body, &size, error);
    if (!status) status = steno_event_decode(body, size, &given, error);
    if (status) return status == STENO_CORRUPT ? invalid(error) : status;
    const char *model = NULL;
    const provider *found = provider_in_model(given, &model);
    copy_fields(given, model, draft);
    add_missing(client, given, found, draft);
    if ((status = steno_draft_finish(draft, &body, &size, error))) return status;
    if ((status = steno_event_decode(body, size, &whole, error)) || (status = steno_event_validate(whole, error)))
        return status;
    const char *key = steno_value_string(steno_event_get(given, "api_key"), NULL);
    mask_bytes(key, (void *)(uintptr_t)body, size);
    return publisher_publish(client->publisher, body, size, receipt, error);
}

steno_status steno_emit_json(steno_client *client, const char *json, size_t size, steno_receipt *receipt,
                             steno_error *error) {
    cleanup(clean_json) json_t *parsed = json_parse(json, size, error);
    if (!parsed) return invalid(error);
    if (!json_is_object(parsed))
        return steno_fail(error, STENO_INVALID,
                          "an event is a JSON object with a field `event`, this is something else");
    cleanup(clean_draft) steno_draft *draft = steno_draft_new();
    if (!draft) return steno_fail(error, STENO_NO_MEMORY, "no memory for an event");
    const char *name;
    json_t *value;
    json_object_foreach(parsed, name, value) draft_json(draft, name, value);
    return steno_emit(client, draft, receipt, error);
}
