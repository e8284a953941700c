/* What the verbs that make calls share. */
#include "cli/asking.h"

#include <stdio.h>
#include <string.h>

#include "cli/program.h"
#include "client/providers/table.h"
#include "schema/json.h"

/* Longest name of a parameter or a key of the metadata that is typed on a command line. */
#define NAME_BYTES 128

/* The base URL is for the provider of the model that was asked for, and for fallbacks of the same provider: other providers' keys are none of its
 * server's business.
 */
static void set_base_url(steno_client *client, const asking *wanted) {
    const provider *which;
    const wire *by;
    const char *model;
    if (!wanted->base_url || !wanted->model || provider_find(wanted->model, true, &which, &by, &model, NULL)) return;
    steno_client_set_provider(client, which->name, NULL, wanted->base_url, NULL);
}

int asking_client(const command *self, const asking *wanted, steno_client **out) {
    steno_config config = STENO_CONFIG_INIT;
    steno_error error;
    config.app_name = "steno";
    config.app_version = STENO_BUILD_VERSION;
    config.timeout_ms = wanted->timeout_ms;
    config.retries = (unsigned)wanted->retries;
    config.drop_params = wanted->drop_params;
    config.keep_budgets = true;
    config.privacy = (wanted->no_messages ? STENO_NO_MESSAGES : 0) | (wanted->no_replies ? STENO_NO_REPLIES : 0) |
                     (wanted->no_log ? STENO_NO_EVENTS : 0);
    if (steno_client_new(&config, out, &error)) return program_fail("%s", error.message);
    set_base_url(*out, wanted);
    steno_cache_config cached = STENO_CACHE_CONFIG_INIT;
    cached.url = wanted->cache;
    if (!wanted->cache || !steno_client_set_cache(*out, &cached, &error)) return EXIT_FINE;
    return error.status == STENO_INVALID ? options_fail(self, "option --cache: %s", error.message)
                                         : program_fail("%s", error.message);
}

/* Splits "name=value"; false if it has no name, or none that fits. */
static bool split(const char *text, char name[NAME_BYTES], const char **value) {
    const char *equals = strchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : 0;
    if (size == 0 || size >= NAME_BYTES) return false;
    memcpy(name, text, size);
    name[size] = '\0';
    *value = equals + 1;
    return true;
}

static int set_parameter(const command *self, steno_request *request, const char *text) {
    char name[NAME_BYTES];
    const char *value;
    steno_error error;
    if (!split(text, name, &value)) return options_fail(self, "option --param: \"%s\" is not NAME=JSON", text);
    json_t *json = json_parse(value, strlen(value), &error);
    if (!json)
        return options_fail(self, "option --param: %s: the value is no JSON (a text needs quotes: %s='\"...\"'): %s",
                            text, name, error.message);
    json_decref(json);
    if (steno_request_set_json(request, name, value))
        return options_fail(self, "option --param: \"%s\" cannot be set this way: it has an option of its own", name);
    return EXIT_FINE;
}

/* "Name: value" */
static int set_header(const command *self, steno_request *request, const char *text) {
    char name[NAME_BYTES];
    size_t size = strcspn(text, ":");
    if (!text[size] || size == 0 || size >= sizeof name)
        return options_fail(self, "option --header: \"%s\" is not NAME:VALUE", text);
    memcpy(name, text, size);
    name[size] = '\0';
    const char *value = text + size + 1;
    value += strspn(value, " ");
    if (steno_request_set_header(request, name, value))
        return options_fail(self, "option --header: \"%s\" is no HTTP header", text);
    return EXIT_FINE;
}

int asking_request(const command *self, const asking *wanted, steno_request **out) {
    if (!wanted->model || !*wanted->model) return options_fail(self, "no model: name it with -m MODEL");
    cleanup(request_release) steno_request *request = steno_request_new(wanted->model);
    if (!request) return program_fail("out of memory");
    for (size_t i = 0; i < wanted->parameters.count; i++) {
        int status = set_parameter(self, request, wanted->parameters.items[i]);
        if (status) return status;
    }
    for (size_t i = 0; i < wanted->metadata.count; i++) {
        char key[NAME_BYTES];
        const char *value;
        if (!split(wanted->metadata.items[i], key, &value))
            return options_fail(self, "option --metadata: \"%s\" is not K=V", wanted->metadata.items[i]);
        steno_request_set_metadata(request, key, value);
    }
    for (size_t i = 0; i < wanted->headers.count; i++) {
        int status = set_header(self, request, wanted->headers.items[i]);
        if (status) return status;
    }
    for (size_t i = 0; i < wanted->fallbacks.count; i++)
        if (steno_request_add_fallback(request, wanted->fallbacks.items[i]))
            return options_fail(self, "option --fallback: there are too many");
    for (size_t i = 0; i < wanted->tags.count; i++) steno_request_add_tag(request, wanted->tags.items[i]);
    if (wanted->base_url) steno_request_set_base_url(request, wanted->base_url);
    if (wanted->user) steno_request_set_user(request, wanted->user);
    if (wanted->session_id) steno_request_set_session_id(request, wanted->session_id);
    if (wanted->trace_id) steno_request_set_trace_id(request, wanted->trace_id);
    if (wanted->parent_id) steno_request_set_parent_id(request, wanted->parent_id);
    *out = request;
    request = NULL;
    return EXIT_FINE;
}

int asking_failed(const steno_error *error) {
    if (!error->type[0]) return program_fail("%s", error->message);
    char where[STENO_ERROR_PROVIDER_BYTES + 32] = "", status[24] = "";
    if (error->http_status) snprintf(status, sizeof status, "HTTP %d", error->http_status);
    if (error->provider[0] || status[0])
        snprintf(where, sizeof where, " (%s%s%s)", error->provider, error->provider[0] && status[0] ? ", " : "",
                 status);
    return program_fail("%s%s: %s", error->type, where, error->message);
}
