/* Replies of the import API, which are JSON: {code, status, num_records_imported, error, failed_records: [{index, field, message}]}. */
#include "subscribers/mixpanel_reply.h"

#include <stdio.h>
#include <string.h>

#include "schema/json.h"
#include "schema/utf8.h"

/* The words of one failed record; never "". */
static void set_why(char out[MIXPANEL_WHY_BYTES], const json_t *record) {
    const char *field = json_string_value(json_object_get(record, "field"));
    const char *message = json_string_value(json_object_get(record, "message"));
    snprintf(out, MIXPANEL_WHY_BYTES, "Mixpanel refuses it: %s: %s", field ? field : "event",
             message ? message : "no reason given");
    out[utf8_valid_prefix(out, strlen(out))] = '\0';
}

/* Fills in the verdicts. False: the reply does not add up. */
static bool take_records(const json_t *reply, const uint64_t *offsets, size_t count, mixpanel_verdicts *out) {
    const json_t *records = json_object_get(reply, "failed_records"),
                 *imported = json_object_get(reply, "num_records_imported");
    if (!json_array_size(records) || !json_is_integer(imported) || count > MIXPANEL_EVENTS_MAX) return false;
    size_t failed = 0, each;
    json_t *record;
    for (size_t i = 0; i < count; i++) out->why[i][0] = '\0';
    memcpy(out->offsets, offsets, count * sizeof *offsets);
    json_array_foreach(records, each, record) {
        const json_t *index = json_object_get(record, "index");
        json_int_t at = json_is_integer(index) ? json_integer_value(index) : -1;
        if (at < 0 || (size_t)at >= count) return false;
        failed += !out->why[at][0];
        if (!out->why[at][0]) set_why(out->why[at], record);
    }
    return json_integer_value(imported) == (json_int_t)(count - failed);
}

static bool is_success(const json_t *reply) {
    return json_integer_value(json_object_get(reply, "code")) == 200 ||
           json_is_integer(json_object_get(reply, "num_records_imported"));
}

delivery_result mixpanel_judge(const http_post *post, const http_reply *reply, const uint64_t *offsets, size_t count,
                               mixpanel_verdicts *out) {
    delivery_result result = http_post_judge(post, reply);
    out->count = out->asked = 0;
    const bool taken = result.outcome == DELIVERY_DONE;
    if (!taken && reply->status != 400) return result;
    json_t *json = json_parse(reply->body, reply->body_size, NULL);
    if (taken && !is_success(json)) /* somebody on the way, who says yes to everything */
        result = delivery_say(DELIVERY_LATER, "%s: answered %ld, but not in Mixpanel's words", http_post_url(post),
                              reply->status);
    if (!taken && take_records(json, offsets, count, out))
        out->count = count;
    else if (!taken)
        result.outcome = DELIVERY_LATER;
    json_decref(json);
    return result;
}

bool mixpanel_verdict_on(mixpanel_verdicts *self, const uint64_t *offsets, size_t count, delivery_result *result) {
    size_t first = 0, failed = 0;
    while (first < self->count && self->offsets[first] != offsets[0]) first++;
    const bool covered =
        first + count <= self->count && count && !memcmp(self->offsets + first, offsets, count * sizeof *offsets);
    if (!covered) {
        self->count = 0;
        return false;
    }
    for (size_t i = first; i < first + count; i++) failed += self->why[i][0] != '\0';
    *result = DELIVERED;
    if (failed && count == 1) *result = delivery_say(DELIVERY_REFUSED, "%s", self->why[first]);
    if (failed && count > 1)
        *result = delivery_say(DELIVERY_REFUSED, "Mixpanel refuses %zu of %zu events", failed, count);
    if (!failed || count == 1) self->asked += count;
    if (self->asked == self->count) self->count = 0;
    return true;
}
