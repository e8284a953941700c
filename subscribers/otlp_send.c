#include "subscribers/otlp_send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/json.h"
#include "subscribers/otlp.pb-c.h"
#include "subscribers/otlp_arena.h"
#include "subscribers/otlp_json.h"

#define TYPE_PROTOBUF "application/x-protobuf"
#define TYPE_JSON "application/json"
#define TYPE_PAGE "text/html"

struct otlp_sender {
    const program *program;
    const otlp_route *route;
    http_post *post;
};

steno_status otlp_sender_new(const program *who, const otlp_route *route, otlp_sender **out, steno_error *error) {
    *out = NULL;
    http_post *post = NULL;
    steno_status status = http_post_new(route->url, route->timeout_ms, &post, error);
    if (!status) status = http_post_tls(post, route->trusted, route->certificate, route->key, error);
    for (size_t i = 0; !status && i < route->header_count; i++)
        status = http_post_header(post, route->headers[i], error);
    if (status) {
        http_post_free(post);
        return status;
    }
    http_post_gzip(post, route->gzip);
    otlp_sender *self = otlp_memory(malloc(sizeof *self));
    *self = (otlp_sender){.program = who, .route = route, .post = post};
    *out = self;
    return STENO_OK;
}

void otlp_sender_free(otlp_sender *self) {
    if (!self) return;
    http_post_free(self->post);
    free(self);
}

/* ---- what the answer says ---- */

delivery_outcome otlp_outcome(long http_status) {
    if (http_status >= 200 && http_status < 300) return DELIVERY_DONE;
    switch (http_status) {
    case 0:
    case 429:
    case 502:
    case 503:
    case 504: return DELIVERY_LATER;
    case 401:
    case 403:
    case 404:
    case 405:
    case 415: return DELIVERY_BROKEN;
    default: return http_status >= 300 && http_status < 400 ? DELIVERY_BROKEN : DELIVERY_REFUSED;
    }
}

static int64_t rejected_in_json(const http_reply *reply, char **why) {
    json_t *body = json_parse(reply->body, reply->body_size, NULL);
    const json_t *partial = json_object_get(body, "partialSuccess");
    const json_t *count = json_object_get(partial, "rejectedSpans");
    const char *message = json_string_value(json_object_get(partial, "errorMessage"));
    if (!count) count = json_object_get(partial, "rejectedDataPoints");
    /* A 64-bit number may be either. */
    const int64_t number =
        json_is_string(count) ? strtoll(json_string_value(count), NULL, 10) : json_integer_value(count);
    if (message && *message) *why = otlp_memory(strdup(message));
    json_decref(body);
    return number > 0 ? number : 0;
}

int64_t otlp_rejected(const http_reply *reply, char **why) {
    *why = NULL;
    if (!strcmp(reply->content_type, TYPE_JSON)) return rejected_in_json(reply, why);
    if (strcmp(reply->content_type, TYPE_PROTOBUF) && *reply->content_type) return 0;
    Otlp__Response *response = otlp__response__unpack(NULL, reply->body_size, (const uint8_t *)reply->body);
    const Otlp__PartialSuccess *partial = response ? response->partial_success : NULL;
    int64_t number = 0;
    if (partial) {
        number = partial->rejected > 0 ? partial->rejected : 0;
        if (*partial->error_message) *why = otlp_memory(strdup(partial->error_message));
    }
    otlp__response__free_unpacked(response, NULL);
    return number;
}

/* The message of a refusal's body (google.rpc.Status) for people, in place of the body; to be freed. NULL: the body is text enough. */
static char *refusal_message(const http_reply *reply) {
    char *message = NULL;
    if (!strcmp(reply->content_type, TYPE_JSON)) {
        json_t *body = json_parse(reply->body, reply->body_size, NULL);
        const char *text = json_string_value(json_object_get(body, "message"));
        if (text) message = otlp_memory(strdup(text));
        json_decref(body);
    } else if (!strcmp(reply->content_type, TYPE_PROTOBUF)) {
        Otlp__Refusal *refusal = otlp__refusal__unpack(NULL, reply->body_size, (const uint8_t *)reply->body);
        message = otlp_memory(strdup(refusal ? refusal->message : ""));
        otlp__refusal__free_unpacked(refusal, NULL);
    }
    return message;
}

static const char *what_to_do(long http_status) {
    switch (http_status) {
    case 401:
    case 403: return "; are the headers right that carry the key?";
    case 404:
    case 405: return "; is the address right? A receiver of spans alone: --signals traces";
    case 415: return "; it may want the other --protocol";
    default: return "; give the address that it leads to";
    }
}

static delivery_result judge(const otlp_sender *self, const http_reply *reply) {
    const delivery_outcome outcome = otlp_outcome(reply->status);
    cleanup_free char *why = NULL;
    /* A collector that says yes says so in one of the two encodings, or with nothing. */
    if (outcome == DELIVERY_DONE && !strcmp(reply->content_type, TYPE_PAGE))
        return delivery_say(DELIVERY_BROKEN, "%.200s: answered %ld with a web page; is the address right?",
                            http_post_url(self->post), reply->status);
    if (outcome == DELIVERY_DONE) {
        const int64_t rejected = otlp_rejected(reply, &why);
        if (why) http_post_hide(self->post, why);
        if (rejected > 0)
            program_say(self->program, "%s took the rest, but not %" PRId64 " items: %.300s", http_post_url(self->post),
                        rejected, why ? why : "it does not say why");
        else if (why)
            program_say(self->program, "%s says: %.300s", http_post_url(self->post), why);
        return DELIVERED;
    }
    http_reply shown = *reply;
    why = refusal_message(reply);
    if (why) shown.body = why, shown.body_size = strlen(why);
    delivery_result result = http_post_judge(self->post, &shown);
    result.outcome = outcome;
    const size_t length = strlen(result.why);
    if (outcome == DELIVERY_BROKEN)
        snprintf(result.why + length, sizeof result.why - length, "%s", what_to_do(reply->status));
    result.retry_after_ms = outcome == DELIVERY_LATER ? reply->retry_after_ms : 0;
    return result;
}

/* ---- sending ---- */

delivery_result otlp_send(otlp_sender *self, const ProtobufCMessage *request) {
    const size_t packed = protobuf_c_message_get_packed_size(request);
    cleanup_free char *body = NULL;
    size_t size = packed;
    if (packed <= OTLP_REQUEST_BYTES_MAX && self->route->json) {
        json_t *json = otlp_json(request);
        body = otlp_memory(json_dumps(json, JSON_FLAGS_OUT));
        json_decref(json);
        size = strlen(body);
    } else if (packed <= OTLP_REQUEST_BYTES_MAX) {
        body = otlp_memory(malloc(packed + 1));
        protobuf_c_message_pack(request, (uint8_t *)body);
    }
    if (size > OTLP_REQUEST_BYTES_MAX)
        return delivery_say(DELIVERY_REFUSED, "the request has %zu bytes; OTLP has a limit of %u", size,
                            OTLP_REQUEST_BYTES_MAX);
    http_reply reply;
    http_post_send(self->post, self->route->json ? TYPE_JSON : TYPE_PROTOBUF, body, size, NULL, &reply);
    return judge(self, &reply);
}
