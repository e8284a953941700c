/* Handlers that run inside an app and beside it: a line for each call that begins or ends. Build it as a plug-in with
 *
 *     cc -shared -fPIC plugin.c -o calls.so $(pkg-config --cflags steno)
 *     steno-plugin ./calls.so
 *
 * or link it into an app, which says steno_client_add_hooks(client, &steno_plugin, &error).
 */
#include <stdio.h>
#include <string.h>

#include "steno.h"

static const char *text(const steno_event *event, const char *name) {
    const char *value = steno_event_string(event, name);
    return value ? value : "-";
}

static void on_input(const steno_event *event, void *ctx) {
    (void)ctx;
    printf("%s: asking %s\n", text(event, "call_id"), text(event, "model"));
}

/* In a later stage the fields of the earlier ones can be read too: what was sent, and what came. */
static void on_end(const steno_event *event, void *ctx) {
    (void)ctx;
    const steno_value *sent = steno_event_get(event, "additional_args");
    const char *url = steno_value_string(steno_value_get(sent, "api_base"), NULL);
    const char *raw = steno_event_string(event, "original_response");
    printf("%s: %s, asked at %s, status %d, %zu bytes of reply, %d tokens\n", text(event, "call_id"),
           steno_event_name(event), url ? url : "-", (int)steno_value_int(steno_event_get(event, "http_status"), 0),
           raw ? strlen(raw) : 0,
           (int)steno_value_int(steno_value_get(steno_event_get(event, "usage"), "total_tokens"), 0));
}

const steno_hooks steno_plugin = {STENO_HOOKS_INIT, .pre_api_call = on_input, .success = on_end, .failure = on_end};
