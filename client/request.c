/* Building a request. The first setter that fails is remembered: the call then fails with its message. */
#include "client/request.h"

#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/response.h"
#include "schema/json.h"
#include "schema/utf8.h"

/* Longest name of a parameter or key of metadata, for messages' sake. */
#define NAME_BYTES_MAX 256
#define TIMEOUT_MS_MAX INT64_C(86400000)

steno_request *steno_request_new(const char *model) {
    steno_request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    request->model = strdup(model ? model : "");
    request->params = json_object();
    request->metadata = json_object();
    request->tags = json_array();
    request->fallbacks = json_array();
    request->headers = json_object();
    request->retries = -1;
    if (!request->model || !request->params || !request->metadata || !request->tags || !request->fallbacks ||
        !request->headers) {
        steno_request_free(request);
        return NULL;
    }
    return request;
}

void steno_request_free(steno_request *request) {
    if (!request) return;
    json_decref(request->params);
    json_decref(request->metadata);
    json_decref(request->tags);
    json_decref(request->fallbacks);
    json_decref(request->headers);
    free(request->model);
    free(request->user);
    free(request->session_id);
    free(request->trace_id);
    free(request->parent_id);
    free(request->api_key);
    free(request->base_url);
    free(request);
}

/* False when memory is short. */
static bool copy_text(char **to, const char *from) { return !from || (*to = strdup(from)); }

static bool copy_json(json_t **to, json_t *from) {
    json_decref(*to);
    return (*to = json_deep_copy(from));
}

steno_request *request_copy(const steno_request *request) {
    steno_request *copy = steno_request_new(request->model);
    if (!copy) return NULL;
    if (!copy_json(&copy->params, request->params) || !copy_json(&copy->metadata, request->metadata) ||
        !copy_json(&copy->tags, request->tags) || !copy_json(&copy->fallbacks, request->fallbacks) ||
        !copy_json(&copy->headers, request->headers) || !copy_text(&copy->user, request->user) ||
        !copy_text(&copy->session_id, request->session_id) || !copy_text(&copy->trace_id, request->trace_id) ||
        !copy_text(&copy->parent_id, request->parent_id) || !copy_text(&copy->api_key, request->api_key) ||
        !copy_text(&copy->base_url, request->base_url)) {
        steno_request_free(copy);
        return NULL;
    }
    copy->timeout_ms = request->timeout_ms;
    copy->try_timeout_ms = request->try_timeout_ms;
    copy->retries = request->retries;
    copy->drop_params = request->drop_params;
    copy->privacy = request->privacy;
    copy->cache_use = request->cache_use;
    copy->cache_ttl_ms = request->cache_ttl_ms;
    copy->error = request->error;
    return copy;
}

/* Notes the error of a setter; `request->error` is what the call will say. Without a request the call itself says that there was no memory for it. */
static steno_status failed(steno_request *request, const steno_error *error) {
    if (!request) return STENO_NO_MEMORY;
    if (!request->error.status) request->error = *error;
    return error->status;
}

static steno_status no_memory(steno_request *request) {
    steno_error error;
    steno_fail(&error, STENO_NO_MEMORY, "no memory for the request");
    return failed(request, &error);
}

/* What every setter begins with: that there is a request, and that the texts it was given are some. */
static steno_status check(steno_request *request, const char *setter, const char *first, const char *second) {
    steno_error error = {0};
    if (!request || !first || !second) steno_fail(&error, STENO_INVALID, "%s was given NULL", setter);
    return error.status ? failed(request, &error) : STENO_OK;
}

/* A JSON string, with what is no UTF-8 replaced; NULL when memory is short. */
static json_t *string(const char *text) {
    size_t size = strlen(text);
    if (utf8_valid_prefix(text, size) == size) return json_stringn_nocheck(text, size);
    char *repaired = malloc(3 * size);
    if (!repaired) return NULL;
    json_t *json = json_stringn_nocheck(repaired, utf8_repair(text, size, repaired));
    free(repaired);
    return json;
}

static steno_status check_name(steno_request *request, const char *name) {
    steno_error error = {0};
    size_t size = strlen(name);
    if (size == 0 || size > NAME_BYTES_MAX || utf8_valid_prefix(name, size) != size)
        steno_fail(&error, STENO_INVALID, "a name must have 1 to %d bytes of UTF-8, not \"%.64s\"", NAME_BYTES_MAX,
                   name);
    return error.status ? failed(request, &error) : STENO_OK;
}

/* Takes over `value`. */
static steno_status set(steno_request *request, json_t *object, const char *name, json_t *value) {
    steno_status status = check_name(request, name);
    if (!status && !value) status = no_memory(request);
    if (status) {
        json_decref(value);
        return status;
    }
    return json_object_set_new_nocheck(object, name, value) ? no_memory(request) : STENO_OK;
}

/* The array parameter `name`, made if it is not there; NULL if it is something else. */
static json_t *array(steno_request *request, const char *name) {
    json_t *found = json_object_get(request->params, name);
    if (!found && set(request, request->params, name, json_array()) == STENO_OK)
        found = json_object_get(request->params, name);
    return json_is_array(found) ? found : NULL;
}

/* Takes over `value`. */
static steno_status append(steno_request *request, const char *name, json_t *value) {
    json_t *to = array(request, name);
    if (to && value) return json_array_append_new(to, value) ? no_memory(request) : STENO_OK;
    json_decref(value);
    if (to) return no_memory(request);
    steno_error error;
    steno_fail(&error, STENO_INVALID, "cannot add to `%s`: it was set to something that is no array", name);
    return failed(request, &error);
}

/* Parses a setter's JSON; NULL with the error noted. */
static json_t *parse(steno_request *request, const char *name, const char *text) {
    steno_error reason, error;
    json_t *json = json_parse(text, strlen(text), &reason);
    if (!json) {
        steno_fail(&error, STENO_INVALID, "the value of `%.64s` is %s", name, reason.message);
        failed(request, &error);
    }
    return json;
}

steno_status steno_request_add_message(steno_request *request, const char *role, const char *text) {
    steno_status status = check(request, __func__, role, text);
    if (status) return status;
    json_t *message = json_object();
    if (!message || json_object_set_new_nocheck(message, "role", string(role)) ||
        json_object_set_new_nocheck(message, "content", string(text))) {
        json_decref(message);
        return no_memory(request);
    }
    return append(request, "messages", message);
}

steno_status steno_request_add_message_json(steno_request *request, const char *json) {
    steno_status status = check(request, __func__, json, json);
    if (status) return status;
    json_t *message = parse(request, "message", json);
    if (!message) return request->error.status;
    if (json_is_object(message)) return append(request, "messages", message);
    json_decref(message);
    steno_error error;
    steno_fail(&error, STENO_INVALID, "a message must be a JSON object with `role` and `content`");
    return failed(request, &error);
}

steno_status steno_request_add_input(steno_request *request, const char *text) {
    steno_status status = check(request, __func__, text, text);
    if (status) return status;
    return append(request, "input", string(text));
}

/* Takes over `value`. */
static steno_status set_param(steno_request *request, const char *name, json_t *value) {
    if (strcmp(name, "model") && strcmp(name, "stream")) return set(request, request->params, name, value);
    json_decref(value);
    steno_error error;
    steno_fail(&error, STENO_INVALID, "`%s` is not set as a parameter: %s", name,
               name[0] == 'm' ? "give the model to steno_request_new" : "call steno_complete_stream");
    return failed(request, &error);
}

steno_status steno_request_set_json(steno_request *request, const char *name, const char *json) {
    steno_status status = check(request, __func__, name, json);
    if (status) return status;
    json_t *value = parse(request, name, json);
    return value ? set_param(request, name, value) : request->error.status;
}

steno_status steno_request_set_string(steno_request *request, const char *name, const char *value) {
    steno_status status = check(request, __func__, name, value);
    if (status) return status;
    return set_param(request, name, string(value));
}

steno_status steno_request_set_int(steno_request *request, const char *name, int64_t value) {
    steno_status status = check(request, __func__, name, name);
    if (status) return status;
    return set_param(request, name, json_integer(value));
}

steno_status steno_request_set_double(steno_request *request, const char *name, double value) {
    steno_status status = check(request, __func__, name, name);
    if (status) return status;
    json_t *json = json_real(value); /* NULL for what JSON lacks */
    if (json) return set_param(request, name, json);
    steno_error error;
    steno_fail(&error, STENO_INVALID, "`%.64s` can't be infinite or not a number", name);
    return failed(request, &error);
}

steno_status steno_request_set_bool(steno_request *request, const char *name, bool value) {
    steno_status status = check(request, __func__, name, name);
    if (status) return status;
    return set_param(request, name, json_boolean(value));
}

steno_status steno_request_set_metadata(steno_request *request, const char *key, const char *value) {
    steno_status status = check(request, __func__, key, value);
    if (status) return status;
    return set(request, request->metadata, key, string(value));
}

steno_status steno_request_set_metadata_json(steno_request *request, const char *key, const char *json) {
    steno_status status = check(request, __func__, key, json);
    if (status) return status;
    json_t *value = parse(request, key, json);
    return value ? set(request, request->metadata, key, value) : request->error.status;
}

steno_status steno_request_add_tag(steno_request *request, const char *tag) {
    steno_status status = check(request, __func__, tag, tag);
    if (status) return status;
    return json_array_append_new(request->tags, string(tag)) ? no_memory(request) : STENO_OK;
}

/* A text of the request's own; NULL takes it back. */
static steno_status set_text(steno_request *request, char **field, const char *value) {
    char *copy = value ? strdup(value) : NULL;
    if (value && !copy) return no_memory(request);
    free(*field);
    *field = copy;
    return STENO_OK;
}

steno_status steno_request_set_user(steno_request *request, const char *user) {
    if (!request) return STENO_NO_MEMORY;
    if (!user) json_object_del(request->params, "user");
    steno_status status = user ? set_param(request, "user", string(user)) : STENO_OK;
    return status ? status : set_text(request, &request->user, user);
}

steno_status steno_request_set_session_id(steno_request *request, const char *session_id) {
    return request ? set_text(request, &request->session_id, session_id) : STENO_NO_MEMORY;
}

steno_status steno_request_set_trace_id(steno_request *request, const char *trace_id) {
    return request ? set_text(request, &request->trace_id, trace_id) : STENO_NO_MEMORY;
}

steno_status steno_request_set_parent_id(steno_request *request, const char *parent_id) {
    return request ? set_text(request, &request->parent_id, parent_id) : STENO_NO_MEMORY;
}

steno_status steno_request_set_api_key(steno_request *request, const char *api_key) {
    return request ? set_text(request, &request->api_key, api_key) : STENO_NO_MEMORY;
}

steno_status steno_request_set_base_url(steno_request *request, const char *base_url) {
    return request ? set_text(request, &request->base_url, base_url) : STENO_NO_MEMORY;
}

static steno_status set_time(steno_request *request, const char *name, int64_t *to, int64_t min, int64_t ms) {
    if (ms >= min && ms <= TIMEOUT_MS_MAX) {
        *to = ms;
        return STENO_OK;
    }
    steno_error error;
    steno_fail(&error, STENO_INVALID, "%s must be %lld to %lld, not %lld", name, (long long)min,
               (long long)TIMEOUT_MS_MAX, (long long)ms);
    return failed(request, &error);
}

steno_status steno_request_set_timeout_ms(steno_request *request, int64_t timeout_ms) {
    steno_status status = check(request, __func__, "", "");
    if (status) return status;
    return set_time(request, "timeout_ms", &request->timeout_ms, 1, timeout_ms);
}

steno_status steno_request_set_try_timeout_ms(steno_request *request, int64_t timeout_ms) {
    steno_status status = check(request, __func__, "", "");
    if (status) return status;
    return set_time(request, "try_timeout_ms", &request->try_timeout_ms, 1, timeout_ms);
}

steno_status steno_request_set_cache(steno_request *request, steno_cache_use use, int64_t ttl_ms) {
    steno_status status = check(request, __func__, "", "");
    if (status) return status;
    request->cache_use = use;
    return set_time(request, "the cache's ttl_ms", &request->cache_ttl_ms, 0, ttl_ms);
}

steno_status steno_request_set_retries(steno_request *request, unsigned retries) {
    steno_status status = check(request, __func__, "", "");
    if (status) return status;
    if (retries <= CLIENT_RETRIES_MAX) {
        request->retries = (int)retries;
        return STENO_OK;
    }
    steno_error error;
    steno_fail(&error, STENO_INVALID, "a call has at most %d retries, not %u", CLIENT_RETRIES_MAX, retries);
    return failed(request, &error);
}

steno_status steno_request_set_drop_params(steno_request *request, bool drop) {
    steno_status status = check(request, __func__, "", "");
    if (status) return status;
    request->drop_params = drop;
    return STENO_OK;
}

steno_status steno_request_set_privacy(steno_request *request, unsigned privacy) {
    steno_status status = check(request, __func__, "", "");
    if (status) return status;
    request->privacy = privacy;
    return STENO_OK;
}

steno_status steno_request_add_fallback(steno_request *request, const char *model) {
    steno_status status = check(request, __func__, model, model);
    if (status) return status;
    steno_error error;
    if (json_array_size(request->fallbacks) < CLIENT_FALLBACKS_MAX)
        return json_array_append_new(request->fallbacks, string(model)) ? no_memory(request) : STENO_OK;
    steno_fail(&error, STENO_LIMIT, "a request has at most %d fallbacks", CLIENT_FALLBACKS_MAX);
    return failed(request, &error);
}

steno_status steno_request_add_response(steno_request *request, const steno_response *response) {
    const json_t *json = response ? response->json : NULL;
    json_t *message = json_object_get(json_array_get(json_object_get(json, "choices"), 0), "message");
    if (request && json_is_object(message)) return append(request, "messages", json_deep_copy(message));
    steno_error error;
    steno_fail(&error, STENO_INVALID, "the response has no message to go on from");
    return failed(request, &error);
}

steno_status steno_request_add_tool_result(steno_request *request, const char *id, const char *text) {
    steno_status status = check(request, __func__, id, text);
    if (status) return status;
    json_t *message = json_object();
    if (!message || json_object_set_new_nocheck(message, "role", json_string("tool")) ||
        json_object_set_new_nocheck(message, "tool_call_id", string(id)) ||
        json_object_set_new_nocheck(message, "content", string(text))) {
        json_decref(message);
        return no_memory(request);
    }
    return append(request, "messages", message);
}

char *steno_request_get_json(const steno_request *request, const char *name) {
    const json_t *value = request && name ? json_object_get(request->params, name) : NULL;
    return value ? json_dumps(value, JSON_FLAGS_OUT) : NULL;
}

steno_status steno_request_set_model(steno_request *request, const char *model) {
    steno_status status = check(request, __func__, model, model);
    if (status) return status;
    return set_text(request, &request->model, model);
}

const char *steno_request_model(const steno_request *request) { return request ? request->model : NULL; }

/* A token (RFC 9110), or a value that ends no line. */
static bool is_header_text(const char *text, bool is_name) {
    if (is_name && !*text) return false;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F || (is_name && strchr(" ()<>@,;:\\\"/[]?={}", *text)))
            return false;
    return true;
}

steno_status steno_request_set_header(steno_request *request, const char *name, const char *value) {
    steno_status status = check(request, __func__, name, value);
    if (status) return status;
    if (is_header_text(name, true) && is_header_text(value, false))
        return set(request, request->headers, name, string(value));
    steno_error error;
    steno_fail(&error, STENO_INVALID, "\"%.64s\" and its value are no HTTP header", name);
    return failed(request, &error);
}
