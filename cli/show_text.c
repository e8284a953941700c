/* One call for people: facts, what was said, what happened when. Fields that are not known are left out. */
#include "cli/show_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call_row.h"
#include "cli/format.h"
#include "cli/since.h"
#include "cli/terminal.h"
#include "schema/clean.h"

#define INDENT 4
#define LABEL_WIDTH 12

static const char *string_of(const json_t *call, const char *name) {
    return json_string_value(json_object_get(call, name));
}

static void heading(const char *text) { printf("\n%s%s%s\n", terminal_tone(TONE_STRONG), text, terminal_plain()); }

/* Text of others, on one line, where it may go to a terminal; as it is elsewhere. */
static void put(const char *text) { text_put(stdout, text, strlen(text), terminal_is() ? TEXT_LINE : TEXT_RAW); }

/* "  label       " and then the caller's value. */
static void label(const char *name) {
    printf("  %s%-*s%s", terminal_tone(TONE_DIM), LABEL_WIDTH, name, terminal_plain());
}

static void fact(const char *name, const char *value) {
    if (!value || !*value) return;
    label(name);
    put(value);
    putchar('\n');
}

static void fact_json(const char *name, const json_t *value) {
    if (!value || json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0)) return;
    cleanup_free char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    fact(name, text);
}

/* A count with its name, ", " in front unless it is the first. */
static void count_in(const json_t *call, const char *column, const char *what, bool *any) {
    const json_t *value = json_object_get(call, column);
    char text[FORMAT_BYTES];
    if (!json_is_integer(value)) return;
    format_count(json_integer_value(value), terminal_is(), text);
    printf("%s%s %s", *any ? ", " : "", text, what);
    *any = true;
}

static void show_tokens(const json_t *call) {
    bool any = false;
    label("tokens");
    count_in(call, "prompt_tokens", "in", &any);
    count_in(call, "cached_tokens", "of them cached", &any);
    count_in(call, "cache_write_tokens", "of them written to the cache", &any);
    count_in(call, "completion_tokens", "out", &any);
    count_in(call, "reasoning_tokens", "of them reasoning", &any);
    count_in(call, "total_tokens", "in all", &any);
    puts(any ? "" : "not reported");
}

static void show_times(const json_t *call) {
    char text[FORMAT_BYTES];
    double started;
    const char *iso = string_of(call, "started_at");
    if (iso && terminal_is() && since_parse(iso, 0, &started)) {
        format_time_local(started, text);
        fact("started", text);
    } else {
        fact("started", iso);
    }
    const json_t *latency = json_object_get(call, "latency_ms"), *first = json_object_get(call, "ttft_ms");
    if (!json_is_number(latency)) return;
    label("took");
    format_duration(json_number_value(latency) / 1000, text);
    fputs(text, stdout);
    if (json_is_number(first)) {
        format_duration(json_number_value(first) / 1000, text);
        printf(", first token after %s", text);
    }
    putchar('\n');
}

static void show_cost(const json_t *call) {
    const json_t *cost = json_object_get(call, "cost_usd");
    const char *source = string_of(call, "cost_source");
    char text[FORMAT_BYTES], marked[FORMAT_BYTES + 16] = "not known";
    if (json_is_number(cost)) {
        format_money(json_number_value(cost) * 1e12, text);
        snprintf(marked, sizeof marked, "%s%s", text, source && !strcmp(source, "estimated") ? " (estimated)" : "");
    }
    fact("cost", marked);
}

static void show_error(const json_t *call) {
    const char *type = string_of(call, "error_type"), *message = string_of(call, "error_message");
    const json_t *status = json_object_get(call, "error_status");
    if (!type && !message) return;
    label("error");
    fputs(terminal_tone(TONE_BAD), stdout);
    put(type ? type : "failed");
    if (json_is_integer(status)) printf(" (HTTP %" JSON_INTEGER_FORMAT ")", json_integer_value(status));
    if (message) {
        fputs(": ", stdout);
        put(message);
    }
    puts(terminal_plain());
}

static void show_facts(const json_t *call) {
    const char *status = string_of(call, "status");
    printf("%s", terminal_tone(TONE_STRONG));
    put(string_of(call, "call_id") ? string_of(call, "call_id") : "");
    printf("%s  %s%s%s\n", terminal_plain(), terminal_tone(call_row_tone(status)), status ? status : "",
           terminal_plain());
    fact("model", string_of(call, "model"));
    fact("provider", string_of(call, "provider"));
    fact("type", string_of(call, "call_type"));
    if (json_is_true(json_object_get(call, "stream"))) fact("stream", "yes");
    fact("app", string_of(call, "app"));
    show_times(call);
    if (json_is_true(json_object_get(call, "cache_hit"))) fact("cache", "hit");
    if (json_integer_value(json_object_get(call, "attempts")) != 1)
        fact_json("attempts", json_object_get(call, "attempts"));
    show_tokens(call);
    show_cost(call);
    fact("finish", string_of(call, "finish_reason"));
    show_error(call);
    fact("user", string_of(call, "user"));
    fact("session", string_of(call, "session_id"));
    fact("trace", string_of(call, "trace_id"));
    fact_json("tags", json_object_get(call, "tags"));
    fact_json("metadata", json_object_get(call, "metadata"));
}

static void show_block(const char *text, size_t size) {
    text_put_indented(stdout, text, size, terminal_text_mode(), INDENT);
    putchar('\n');
}

static void show_block_json(const json_t *value) {
    cleanup_free char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (text) show_block(text, strlen(text));
}

/* Plain text as it is; anything else (parts, tool calls, an embedding's input) as JSON. */
static void show_content(const json_t *content) {
    if (json_is_string(content))
        show_block(json_string_value(content), json_string_length(content));
    else if (content && !json_is_null(content))
        show_block_json(content);
}

static void show_messages(const json_t *messages) {
    if (!messages || json_is_null(messages)) return;
    heading(json_is_array(messages) && json_is_object(json_array_get(messages, 0)) ? "Messages" : "Input");
    if (!json_is_array(messages)) {
        show_content(messages);
        return;
    }
    size_t index;
    json_t *message;
    json_array_foreach(messages, index, message) {
        if (!json_is_object(message)) {
            show_content(message);
            continue;
        }
        const char *role = string_of(message, "role");
        printf("  %s", terminal_tone(TONE_DIM));
        put(role ? role : "message");
        puts(terminal_plain());
        show_content(json_object_get(message, "content"));
        show_content(json_object_get(message, "tool_calls"));
    }
}

static void show_response(const json_t *call) {
    const json_t *response = json_object_get(call, "response"), *text = json_object_get(call, "response_text");
    if (json_string_length(text) > 0) {
        heading("Response");
        show_content(text);
    } else if (json_is_object(response)) {
        heading("Response");
        show_block_json(response);
    }
}

static void show_event(const json_t *entry, size_t repeated, double from) {
    const json_t *event = json_object_get(entry, "event");
    const char *name = string_of(event, "event"), *line = string_of(entry, "line");
    double time = json_number_value(json_object_get(event, "time"));
    char after[FORMAT_BYTES] = "";
    if (time > 0 && from > 0) format_duration(time - from, after);
    printf("  %s%8" JSON_INTEGER_FORMAT "  %8s%s  ", terminal_tone(TONE_DIM),
           json_integer_value(json_object_get(event, "offset")), after, terminal_plain());
    if (repeated > 1) {
        char text[64];
        snprintf(text, sizeof text, "%s x %zu", name ? name : "?", repeated);
        printf("%-16s", text);
    } else {
        printf("%-16s", name ? name : "?");
        if (line) put(line);
    }
    putchar('\n');
}

/* Chunks follow each other by the hundred: a run of them is one line. */
static void show_events(const json_t *events) {
    heading("Events");
    if (json_array_size(events) == 0) puts("    none in the journal any more");
    double from = json_number_value(json_object_get(json_object_get(json_array_get(events, 0), "event"), "time"));
    for (size_t i = 0, next; i < json_array_size(events); i = next) {
        const char *name = string_of(json_object_get(json_array_get(events, i), "event"), "event");
        bool chunk = name && strcmp(name, "stream_event") == 0;
        for (next = i + 1; chunk && next < json_array_size(events); next++) {
            const char *other = string_of(json_object_get(json_array_get(events, next), "event"), "event");
            if (!other || strcmp(other, name) != 0) break;
        }
        show_event(json_array_get(events, i), next - i, from);
    }
}

void show_text(const json_t *call, const json_t *events) {
    show_facts(call);
    show_messages(json_object_get(call, "messages"));
    show_response(call);
    show_events(events);
}
