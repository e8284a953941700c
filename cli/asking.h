/* What the verbs that make calls share: the client, the options of every call, and how a failed call is told. */
#ifndef CLI_ASKING_H
#define CLI_ASKING_H

#include "cli/options.h"
#include "client/steno.h"
#include "schema/clean.h"

CLEANUP_FUNCTION(client_release, steno_client, steno_client_free)
CLEANUP_FUNCTION(request_release, steno_request, steno_request_free)
CLEANUP_FUNCTION(response_release, steno_response, steno_response_free)

/* The longest timeout that libsteno takes, in seconds. */
#define ASKING_SECONDS_MAX 86400

/* The options of every call; a verb's own struct begins with it. */
typedef struct asking {
    const char *model;
    const char *user, *session_id, *trace_id, *parent_id, *base_url;
    option_texts metadata, tags, parameters;
    int64_t timeout_ms;
} asking;

/* Their entries in a verb's table. */
#define ASKING_OPTIONS                                                                                                \
    {'m', "model", "MODEL", OPTION_TEXT, offsetof(asking, model), 0, "the model, or provider/model (needed)"},        \
        {'p', "param", "NAME=JSON", OPTION_TEXTS, offsetof(asking, parameters), 0, "any parameter of the body"},      \
        {0, "metadata", "K=V", OPTION_TEXTS, offsetof(asking, metadata), 0, "logged with the call, never sent"},      \
        {0, "tag", "T", OPTION_TEXTS, offsetof(asking, tags), 0, "a tag in the log"},                                 \
        {0, "user", "U", OPTION_TEXT, offsetof(asking, user), 0, "on whose behalf: logged and sent"},                 \
        {0, "session-id", "ID", OPTION_TEXT, offsetof(asking, session_id), 0, "the conversation that it belongs to"}, \
        {0, "trace-id", "ID", OPTION_TEXT, offsetof(asking, trace_id), 0, "the trace that it belongs to"},            \
        {0, "parent-id", "ID", OPTION_TEXT, offsetof(asking, parent_id), 0, "the call that caused it"},               \
        {0, "base-url", "URL", OPTION_TEXT, offsetof(asking, base_url), 0, "where the provider is"}, {                \
        0, "timeout", "SECONDS", OPTION_SECONDS, offsetof(asking, timeout_ms), ASKING_SECONDS_MAX,                    \
            "give up after this (600)"                                                                                \
    }

/* A client with these settings. Returns the exit status, after telling what is wrong. */
int asking_client(const char *base_url, int64_t timeout_ms, steno_client **out);
/* A request with all of the options. What was mistyped is told as a usage error of the verb. Returns the exit status. */
int asking_request(const command *self, const asking *wanted, steno_request **out);
/* "RateLimit (openai, HTTP 429): message". Returns EXIT_FAILED. */
int asking_failed(const steno_error *error);

#endif
