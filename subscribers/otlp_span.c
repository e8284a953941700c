#include "subscribers/otlp_span.h"

#include <string.h>

#include "schema/json.h"
#include "schema/utf8.h"
#include "subscribers/otlp_ids.h"

#define KIND_CLIENT 3
#define STATUS_ERROR 2
/* Longest status message: it is for people. */
#define MESSAGE_BYTES_MAX 2048

static void set_id(otlp_arena *arena, ProtobufCBinaryData *field, const unsigned char *id, size_t size) {
    field->len = size;
    field->data = memcpy(otlp_arena_take(arena, size), id, size);
}

static Otlp__Span *new_span(otlp_arena *arena, const steno_event *event, const unsigned char *span_id,
                            const unsigned char *parent_id) {
    unsigned char trace_id[OTLP_TRACE_ID_BYTES];
    Otlp__Span *span = otlp_arena_take(arena, sizeof *span);
    otlp__span__init(span);
    otlp_trace_id(event, trace_id);
    set_id(arena, &span->trace_id, trace_id, sizeof trace_id);
    set_id(arena, &span->span_id, span_id, OTLP_SPAN_ID_BYTES);
    if (parent_id) set_id(arena, &span->parent_span_id, parent_id, OTLP_SPAN_ID_BYTES);
    span->kind = KIND_CLIENT;
    return span;
}

static void set_error(otlp_arena *arena, Otlp__Span *span, const char *message) {
    Otlp__Status *status = otlp_arena_take(arena, sizeof *status);
    otlp__status__init(status);
    status->code = STATUS_ERROR;
    if (message) {
        status->message = otlp_arena_text(arena, message);
        if (strlen(message) > MESSAGE_BYTES_MAX)
            status->message[utf8_valid_prefix(status->message, MESSAGE_BYTES_MAX)] = '\0';
    }
    span->status = status;
}

static void set_attributes(Otlp__Span *span, const otlp_attributes *list) {
    span->attributes = list->items;
    span->n_attributes = list->count;
    span->dropped_attributes_count = list->dropped;
}

/* ---- a call ---- */

const char *otlp_error_text(otlp_arena *arena, const otlp_call *call, const otlp_mapping *mapping) {
    return mapping->content ? call->error_message : otlp_error_summary(arena, call->error_type, call->error_status);
}

static Otlp__Span *call_span(otlp_arena *arena, const otlp_call *call, const otlp_mapping *mapping) {
    unsigned char span_id[OTLP_SPAN_ID_BYTES], parent_id[OTLP_SPAN_ID_BYTES];
    const char *parent = steno_event_string(call->event, "parent_id");
    otlp_span_id(call->call_id, span_id);
    if (parent && *parent) otlp_span_id(parent, parent_id);
    Otlp__Span *span = new_span(arena, call->event, span_id, parent && *parent ? parent_id : NULL);
    span->name =
        otlp_arena_format(arena, "%s%s%s", call->operation, call->model ? " " : "", call->model ? call->model : "");
    span->start_time_unix_nano = call->start_ns;
    span->end_time_unix_nano = call->end_ns;
    otlp_attributes list = {.arena = arena};
    otlp_put_genai(&list, call, mapping);
    if (mapping->langfuse) otlp_put_langfuse(&list, call, mapping);
    if (mapping->openinference) otlp_put_openinference(&list, call, mapping);
    set_attributes(span, &list);
    if (call->failed) set_error(arena, span, otlp_error_text(arena, call, mapping));
    return span;
}

/* ---- an attempt ---- */

static Otlp__Span *attempt_span(otlp_arena *arena, const steno_event *event, const otlp_mapping *mapping) {
    const steno_value *error = steno_event_get(event, "error"), *status = steno_event_get(event, "http_status");
    const char *call_id = steno_event_string(event, "call_id");
    const int64_t attempt = steno_value_int(steno_event_get(event, "attempt"), 1);
    if (!call_id || mapping->attempts == OTLP_ATTEMPTS_NONE || (mapping->attempts == OTLP_ATTEMPTS_FAILED && !error))
        return NULL;
    unsigned char span_id[OTLP_SPAN_ID_BYTES], parent_id[OTLP_SPAN_ID_BYTES];
    otlp_attempt_id(call_id, attempt, span_id);
    otlp_span_id(call_id, parent_id);
    Otlp__Span *span = new_span(arena, event, span_id, parent_id);
    span->name = otlp_arena_text(arena, "POST");
    span->end_time_unix_nano = otlp_nanoseconds(steno_event_get(event, "end_time"));
    if (!span->end_time_unix_nano) span->end_time_unix_nano = otlp_nanoseconds(steno_event_get(event, "time"));
    const uint64_t took = otlp_nanoseconds(steno_value_get(steno_event_get(event, "timing"), "total"));
    span->start_time_unix_nano = span->end_time_unix_nano - (took < span->end_time_unix_nano ? took : 0);
    otlp_attributes list = {.arena = arena};
    otlp_put_text(&list, "http.request.method", "POST");
    otlp_put_int_of(&list, "http.response.status_code", status);
    if (attempt > 1) otlp_put_int(&list, "http.request.resend_count", attempt - 1);
    otlp_put_text(&list, "steno.call_id", call_id);
    otlp_put_int(&list, "steno.attempt", attempt);
    if (mapping->langfuse) otlp_put_text(&list, "langfuse.observation.type", "span");
    if (mapping->openinference) otlp_put_text(&list, "openinference.span.kind", "CHAIN");
    if (error) {
        const char *type = steno_value_string(steno_value_get(error, "type"), NULL);
        if (!type || !*type) type = "_OTHER";
        otlp_put_text(&list, "error.type", type);
        if (mapping->langfuse) otlp_put_text(&list, "langfuse.observation.level", "WARNING");
        set_error(arena, span,
                  mapping->content ? steno_value_string(steno_value_get(error, "message"), NULL)
                                   : otlp_error_summary(arena, type, steno_value_int(status, 0)));
    }
    set_attributes(span, &list);
    return span;
}

Otlp__Span *otlp_span(otlp_arena *arena, const steno_event *event, const otlp_mapping *mapping) {
    otlp_call call;
    if (steno_event_kind_of(event) == STENO_POST_API_CALL) return attempt_span(arena, event, mapping);
    return otlp_call_read(arena, event, mapping->prices, &call) ? call_span(arena, &call, mapping) : NULL;
}

/* ---- parameters ---- */

/* Those whose value may be a text of the application's. The same rule as the client's where messages are not recorded. */
static bool is_plain(const char *name, const steno_value *value) {
    static const char *const words[] = {"reasoning_effort", "service_tier", "tool_choice", "verbosity",
                                        "encoding_format"};
    const steno_type type = steno_value_type(value);
    if (type == STENO_TYPE_INT || type == STENO_TYPE_DOUBLE || type == STENO_TYPE_BOOL) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (type == STENO_TYPE_STRING && !strcmp(name, words[i])) return true;
    return false;
}

const char *otlp_parameters(otlp_arena *arena, const otlp_call *call, const otlp_mapping *mapping) {
    json_t *object = otlp_memory(json_object());
    for (size_t i = 0; i < steno_value_count(call->params); i++) {
        const char *name = steno_value_key_at(call->params, i);
        const steno_value *value = steno_value_at(call->params, i);
        if (name && (mapping->content || is_plain(name, value)))
            json_object_set_new_nocheck(object, name, value_to_json(value));
    }
    char *text = json_object_size(object) ? otlp_memory(json_dumps(object, JSON_FLAGS_OUT)) : NULL;
    const char *copy = otlp_arena_text(arena, text);
    free(text);
    json_decref(object);
    return copy;
}
