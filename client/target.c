/* Finding where a call goes, from the request, the client and the environment, in this order. */
#include "client/target.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/aws_sign.h"
#include "client/failure.h"
#include "client/mask.h"
#include "schema/clean.h"
#include "schema/json_text.h"
#include "schema/utf8.h"

/* Longest name of a variable. */
#define VARIABLE_BYTES 96
/* Room for all of a provider's. */
#define VARIABLE_NAMES_BYTES 256
#define OLLAMA_PORT ":11434"

static steno_status refuse(steno_error *error, const char *type, const char *message) {
    failure_set(error, type, 0, false, "%s", message);
    return STENO_FAILED;
}

/* ---- the environment ---- */

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The first that is set of "ONE TWO THREE"; *found is its name. */
static const char *first_variable(const char *names, char found[VARIABLE_BYTES]) {
    while (names && *names) {
        size_t size = strcspn(names, " ");
        snprintf(found, VARIABLE_BYTES, "%.*s", (int)size, names);
        const char *value = variable(found);
        if (value) return value;
        names += size + strspn(names + size, " ");
    }
    return NULL;
}

/* "<NAME>_API_KEY" */
static void own_variable(const char *name, const char *suffix, char out[VARIABLE_BYTES]) {
    size_t size = 0;
    for (; name[size] && size < VARIABLE_BYTES / 2; size++)
        out[size] = isalnum((unsigned char)name[size]) ? (char)toupper((unsigned char)name[size]) : '_';
    snprintf(out + size, VARIABLE_BYTES - size, "%s", suffix);
}

/* "OWN or ONE or TWO", for messages. */
static const char *all_variables(const char *name, const char *suffix, const char *others,
                                 char out[VARIABLE_NAMES_BYTES]) {
    own_variable(name, suffix, out);
    for (size_t size; others && *others; others += size + strspn(others + size, " ")) {
        size = strcspn(others, " ");
        const size_t used = strlen(out);
        snprintf(out + used, VARIABLE_NAMES_BYTES - used, " or %.*s", (int)size, others);
    }
    return out;
}

static const char *from_environment(const provider *which, const char *suffix, const char *others,
                                    char found[VARIABLE_BYTES]) {
    own_variable(which->name, suffix, found);
    const char *value = variable(found);
    return value ? value : first_variable(others, found);
}

static const provider_setting *setting_of(const steno_client *client, const provider *which) {
    for (size_t i = 0; i < client->settings_count; i++)
        if (client->settings[i].provider == which) return &client->settings[i];
    return NULL;
}

/* ---- the address ---- */

/* The base URL that the caller set; NULL: it is the environment's, or the provider's own. */
static const char *given_base(const target_wish *wish, const provider *which) {
    const provider_setting *set = setting_of(wish->client, which);
    if (wish->base_url) return wish->base_url;
    return set && set->base_url ? set->base_url : wish->client->base_url;
}

/* OLLAMA_HOST is what its server listens on: often without a scheme or a port, or every address, or a bare IPv6 one; a path may follow. */
static char *ollama_url(const char *host) {
    char *url = NULL;
    if (strstr(host, "://")) return strdup(host);
    static const char every[] = "0.0.0.0", local[] = "127.0.0.1";
    const size_t size = strcspn(host, "/?#"); /* of the host with its port */
    const char *bracket = memchr(host, ']', size), *last = memrchr(host, ':', size);
    const bool bare = !bracket && last != memchr(host, ':', size);
    const char *port = !bare && last && last > bracket ? last : NULL;
    size_t name = port ? (size_t)(port - host) : size;
    const bool any = name == 0 || (name == sizeof every - 1 && !strncmp(host, every, name));
    const char *shown = any ? local : host;
    if (any) name = sizeof local - 1;
    const int port_size = port ? (int)(host + size - port) : (int)sizeof OLLAMA_PORT - 1;
    return asprintf(&url, "http://%s%.*s%s%.*s%s", bare ? "[" : "", (int)name, shown, bare ? "]" : "", port_size,
                    port ? port : OLLAMA_PORT, host + size) < 0
               ? NULL
               : url;
}

/* Bedrock's address in the region that AWS's own variables or files name. */
static char *aws_base(steno_error *error) {
    char url[AWS_ENDPOINT_BYTES];
    aws_credentials found = {0};
    steno_error reason = {0};
    steno_status status = aws_credentials_find(&found, &reason);
    if (!status) status = aws_credentials_check(&found, false, true, &reason);
    if (!status) status = aws_endpoint("bedrock-runtime", found.region, url, &reason);
    aws_credentials_free(&found);
    if (!status) return strdup(url);
    refuse(error, "BadRequest", reason.message);
    return NULL;
}

/* What a variable says, as its vendor's SDK reads it. */
static char *vendors_url(const provider *which, const char *base) {
    char *url = NULL;
    const char *scheme = strstr(base, "://"), *host = scheme ? scheme + 3 : base;
    const size_t size = (size_t)(host - base) + strcspn(host, "/");
    const bool bare = !strpbrk(host, "?#") && !base[size + strspn(base + size, "/")];
    if (!which->added || !bare) return strdup(base);
    return asprintf(&url, "%.*s%s", (int)size, base, which->added) < 0 ? NULL : url;
}

/* The base URL, owned; NULL with `error`. */
static char *find_base(const target_wish *wish, const provider *which, steno_error *error) {
    char name[VARIABLE_BYTES];
    const char *base = given_base(wish, which);
    if (!base && (base = from_environment(which, "_BASE_URL", which->urls, name)))
        return strcmp(name, "OLLAMA_HOST") ? vendors_url(which, base) : ollama_url(base);
    if (!base) base = which->base_url;
    if (base) return strdup(base);
    if (which->wire == &wire_bedrock) return aws_base(error);
    char message[512], names[VARIABLE_NAMES_BYTES];
    snprintf(message, sizeof message, "no address for %s: set %s, or a base URL", which->name,
             all_variables(which->name, "_BASE_URL", which->urls, names));
    refuse(error, "BadRequest", message);
    return NULL;
}

/* libcurl would take the first word of the path for it. */
static steno_status check_host(const char *base, const char *shown, steno_error *error) {
    char message[256];
    const char *scheme = strstr(base, "://"), *host = scheme ? scheme + 3 : base;
    if (*host && !strchr("/?#", *host)) return STENO_OK;
    snprintf(message, sizeof message, "the base URL \"%.128s\" names no host", shown);
    return refuse(error, "BadRequest", message);
}

/* Joins base and path: a query of the base stays behind the path. */
static steno_status make_url(target *self, steno_error *error) {
    char path[WIRE_PATH_BYTES];
    size_t end = strcspn(self->base, "?#"), length = end;
    while (length > 0 && self->base[length - 1] == '/') length--;
    cleanup_free char *bare = strndup(self->base, length);
    if (!bare) return STENO_NO_MEMORY;
    if (!self->by->path(&self->ask, bare, path)) return refuse(error, "BadRequest", "the model's name is too long");
    const char *query = self->base[end] == '?' ? self->base + end : "";
    if (*query && strchr(path, '?')) /* the path has one already */
        return asprintf(&self->url, "%s%s&%s", bare, path, query + 1) < 0 ? STENO_NO_MEMORY : STENO_OK;
    return asprintf(&self->url, "%s%s%s", bare, path, query) < 0 ? STENO_NO_MEMORY : STENO_OK;
}

/* ---- the key ---- */

static steno_status no_key(const provider *which, steno_error *error) {
    char message[512], names[VARIABLE_NAMES_BYTES];
    snprintf(message, sizeof message, "no API key for %s: set %s (to any word for a server that needs none)",
             which->name, all_variables(which->name, "_API_KEY", which->keys, names));
    return refuse(error, "Authentication", message);
}

/* That a value can stand in a header; `what` it is, "the API key", and `whose`. */
static steno_status check_value(const char *value, const char *what, const char *whose, steno_error *error) {
    char message[256];
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c > ' ' && *c != 0x7F) continue;
        snprintf(message, sizeof message,
                 "%s for %s has white space or a control character in it: check where it comes from", what, whose);
        return refuse(error, "Authentication", message);
    }
    return STENO_OK;
}

/* The key, and in *before what stands before it in its header. */
static const char *find_key(const target_wish *wish, const provider *which, const char **before) {
    char name[VARIABLE_BYTES];
    static const char bearer[] = "Authorization: Bearer ";
    const provider_setting *set = setting_of(wish->client, which);
    const char *key = wish->api_key;
    *before = which->auth ? which->auth : bearer;
    if (!key && set) key = set->api_key;
    if (!key) key = wish->client->api_key;
    if (!key) key = from_environment(which, "_API_KEY", which->keys, name);
    if (!key && (key = first_variable(which->tokens, name))) *before = bearer;
    return key;
}

/* AWS's keys where each attempt is signed, or its region alone, which is in the address. */
static steno_status find_aws(target *self, bool keys, steno_error *error) {
    steno_error reason = {0};
    aws_credentials_free(&self->aws);
    self->aws = (aws_credentials){0};
    if (aws_credentials_find(&self->aws, &reason) == STENO_NO_MEMORY) return STENO_NO_MEMORY;
    if (!aws_credentials_check(&self->aws, keys, true, &reason)) return STENO_OK;
    return refuse(error, "Authentication", reason.message);
}

/* ---- headers ---- */

/* Headers whose values are secrets, by a word in their names. */
static bool is_secret(const char *name, size_t size) {
    static const char *const words[] = {"auth", "key", "token", "secret", "cookie"};
    char lower[64];
    if (size >= sizeof lower) return true;
    for (size_t i = 0; i <= size; i++) lower[i] = i == size ? '\0' : (char)tolower((unsigned char)name[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(lower, words[i])) return true;
    return false;
}

/* What was a secret for one server is none of another's business. */
static bool may_go(const target_wish *wish, const target *self, const char *name) {
    return !wish->secrets_base || !strcmp(wish->secrets_base, self->base) || !is_secret(name, strlen(name));
}

/* The caller gives a header of the name with which `line` begins. */
static bool is_given(const target_wish *wish, const target *self, const char *line) {
    const size_t size = strcspn(line, ":");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)wish->extra_headers, name, value) {
        if (strlen(name) == size && !strncasecmp(name, line, size) && may_go(wish, self, name)) return true;
    }
    return false;
}

static bool add_header(target *self, const char *line) {
    struct curl_slist *longer = curl_slist_append(self->headers, line);
    if (longer) self->headers = longer;
    return longer;
}

/* One of ours: the caller's own goes before it. */
static bool add_ours(const target_wish *wish, target *self, const char *line) {
    return is_given(wish, self, line) || add_header(self, line);
}

static bool add_extra_headers(const target_wish *wish, target *self) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)wish->extra_headers, name, value) {
        if (!may_go(wish, self, name)) continue;
        cleanup_free char *line = NULL;
        const char *text = json_string_value(value);
        /* curl takes a header without a value for one to leave out; this way it is sent. */
        if (asprintf(&line, *text ? "%s: %s" : "%s;", name, text) < 0 || !add_header(self, line)) return false;
    }
    return true;
}

/* The provider's headers that say for whom the key is used, from its variables. A server that the caller names may be
 * anybody's: it hears of none.
 */
static steno_status add_account(const target_wish *wish, target *self, steno_error *error) {
    const char *at = given_base(wish, self->provider) ? NULL : self->provider->account;
    for (size_t size; at && *at; at += size + strspn(at + size, " ")) {
        size = strcspn(at, " ");
        const int name = (int)strcspn(at, "="), header = (int)size - name - 1;
        char found[VARIABLE_BYTES], *longer;
        snprintf(found, sizeof found, "%.*s", name, at);
        const char *value = variable(found);
        if (!value) continue;
        steno_status status = check_value(value, found, self->provider->name, error);
        if (status) return status;
        cleanup_free char *line = NULL;
        if (asprintf(&line, "%.*s: %s", header, at + name + 1, value) < 0) return STENO_NO_MEMORY;
        if (is_given(wish, self, line)) continue;
        if (!add_header(self, line) || asprintf(&longer, "%s%s\n", self->account ? self->account : "", line) < 0)
            return STENO_NO_MEMORY;
        free(self->account);
        self->account = longer;
    }
    return STENO_OK;
}

static steno_status make_headers(const target_wish *wish, target *self, steno_error *error) {
    cleanup_free char *line = NULL;
    const char *before;
    const char *key = find_key(wish, self->provider, &before);
    steno_status status = STENO_OK;
    if (key)
        status = check_value(key, "the API key", self->provider->name, error);
    else if (self->by == &wire_bedrock)
        status = find_aws(self, true, error);
    else if (!self->provider->keyless && !is_given(wish, self, before))
        status = no_key(self->provider, error);
    if (!status) status = add_account(wish, self, error);
    if (status) return status;
    if (key && (!(self->api_key = strdup(key)) || asprintf(&line, "%s%s", before, key) < 0)) return STENO_NO_MEMORY;
    const bool streams = wish->stream && self->by->framing == FRAMING_SSE;
    bool done = add_ours(wish, self, "Content-Type: application/json") && (!line || add_ours(wish, self, line)) &&
                (!self->provider->header || add_ours(wish, self, self->provider->header)) &&
                (!streams || add_ours(wish, self, "Accept: text/event-stream")) && add_extra_headers(wish, self) &&
                add_ours(wish, self, "Expect:");
    return done ? STENO_OK : STENO_NO_MEMORY;
}

void target_mask(const target *self, void *bytes, size_t size) {
    mask_bytes(self->api_key, bytes, size);
    for (const struct curl_slist *each = self->headers; each; each = each->next) {
        const size_t name = strcspn(each->data, ":");
        if (each->data[name] != ':' || !is_secret(each->data, name)) continue;
        const char *value = each->data + name + 1;
        value += strspn(value, " ");
        const char *word = strrchr(value, ' '); /* "Bearer KEY" */
        word = word ? word + 1 : value;
        if (!self->api_key || strcmp(word, self->api_key)) mask_bytes(word, bytes, size);
    }
}

void target_write_headers(const target *self, steno_draft *draft) {
    static const char bearer[] = "Bearer ";
    for (const struct curl_slist *each = self->headers; each; each = each->next) {
        const char *colon = strchr(each->data, ':');
        if (!colon || colon[1] != ' ') continue; /* "Expect:" takes a header out */
        const char *value = colon + 2;
        char name[64], masked[sizeof bearer + MASK_KEY_BYTES];
        size_t size = (size_t)(colon - each->data);
        if (size >= sizeof name) continue;
        memcpy(name, each->data, size);
        name[size] = '\0';
        if (is_secret(name, size)) {
            bool is_bearer = !strncmp(value, bearer, sizeof bearer - 1);
            char key[MASK_KEY_BYTES];
            mask_key(is_bearer ? value + sizeof bearer - 1 : value, key);
            snprintf(masked, sizeof masked, "%s%s", is_bearer ? bearer : "", key);
            value = masked;
        }
        steno_draft_string(draft, name, value);
    }
}

/* ---- all of it ---- */

static const char *const kind_names[CALL_KINDS] = {
    [CALL_CHAT] = "chat completions", [CALL_TEXT] = "text completions", [CALL_EMBEDDING] = "embeddings"};

static steno_status make_body(target *self, steno_error *error) {
    const json_t *params = self->ask.params;
    steno_error reason = {0};
    char message[STENO_ERROR_MESSAGE_BYTES];
    if (!(self->by->kinds & 1u << self->ask.kind)) {
        snprintf(message, sizeof message, "%s has no %s here", self->provider->name, kind_names[self->ask.kind]);
        return refuse(error, "BadRequest", message);
    }
    bool has_input = json_object_get(params, "input");
    if (self->ask.kind == CALL_EMBEDDING && !has_input)
        return refuse(error, "BadRequest", "the request has no input to embed");
    if (self->ask.kind == CALL_CHAT && !json_object_get(params, "messages") &&
        !(has_input && !strcmp(self->by->name, "responses")))
        return refuse(error, "BadRequest", "the request has no messages");
    self->body = self->by->body(&self->ask, &reason);
    self->ask.params = NULL; /* the request's, which may be gone from now on */
    if (!self->body) return refuse(error, "BadRequest", reason.message);
    const json_int_t choices = json_integer_value(json_object_get(self->body, "n"));
    self->choices = choices > 0 ? (size_t)choices : 0;
    return json_text_add(&self->body_text, self->body) ? STENO_OK : STENO_NO_MEMORY;
}

/* The version of Azure's dated API; one of the words for its v1 API is none. */
static char *find_version(const steno_client *client) {
    char name[VARIABLE_BYTES];
    const char *version = client->api_version;
    if (!version) version = first_variable("AZURE_API_VERSION OPENAI_API_VERSION", name);
    bool dated = version && isdigit((unsigned char)*version);
    return dated ? strdup(version) : NULL;
}

static steno_status find(const target_wish *wish, target *self, steno_error *error) {
    steno_error reason = {0};
    if (!self->asked) return STENO_NO_MEMORY;
    bool custom_url = wish->base_url || wish->client->base_url;
    bool known = !provider_find(self->asked, custom_url, &self->provider, &self->by, &self->model, &reason);
    if (utf8_valid_prefix(self->asked, strlen(self->asked)) != strlen(self->asked))
        return refuse(error, "BadRequest", "the model's name is not UTF-8");
    if (!known) return refuse(error, "BadRequest", reason.message);
    if (self->by == &wire_azure || self->provider->wire == &wire_azure) self->version = find_version(wish->client);
    self->ask = (wire_ask){.kind = wish->kind,
                           .stream = wish->stream,
                           .drop = wish->drop,
                           .model = self->model,
                           .params = wish->params,
                           .renames = self->provider->renames,
                           .version = self->version};
    if (!(self->base = find_base(wish, self->provider, error))) return error->status ? STENO_FAILED : STENO_NO_MEMORY;
    if (!(self->api_base = mask_url(self->base))) return STENO_NO_MEMORY;
    steno_status status = check_host(self->base, self->api_base, error);
    if (!status) status = make_headers(wish, self, error);
    if (!status) status = make_url(self, error);
    return status ? status : make_body(self, error);
}

steno_status target_open(const target_wish *wish, target *out, steno_error *error) {
    *out = (target){.asked = strdup(wish->asked)};
    *error = (steno_error){0};
    steno_status status = find(wish, out, error);
    if (status == STENO_FAILED && !out->api_base) out->api_base = strdup("");
    return status == STENO_FAILED && !out->api_base ? STENO_NO_MEMORY : status;
}

steno_status target_sign(target *self, steno_error *error) {
    steno_error reason = {0};
    if (!self->aws.key_id) return STENO_OK;
    const aws_request what = {"bedrock", "POST", self->url, self->body_text.bytes, self->body_text.size};
    steno_status status = aws_sign(&self->aws, &what, time(NULL), &self->headers, &reason);
    return status ? refuse(error, "Authentication", reason.message) : STENO_OK;
}

void target_close(target *self) {
    aws_credentials_free(&self->aws);
    json_decref(self->body);
    buffer_free(&self->body_text);
    free(self->asked);
    free(self->version);
    free(self->api_key);
    free(self->account);
    free(self->base);
    free(self->url);
    free(self->api_base);
    curl_slist_free_all(self->headers);
    *self = (target){0};
}
