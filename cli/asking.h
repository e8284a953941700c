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
/* The most retries that it takes. */
#define ASKING_RETRIES_MAX 20

/* The options of every call; a verb's own struct begins with it. */
typedef struct asking {
    const char *model;
    const char *user, *session_id, *trace_id, *parent_id, *base_url, *cache;
    option_texts metadata, tags, parameters, fallbacks, headers;
    int64_t timeout_ms, retries;
    bool drop_params, no_messages, no_replies, no_log;
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
        {0, "base-url", "URL", OPTION_TEXT, offsetof(asking, base_url), 0, "where the provider is"},                  \
        {0,                                                                                                           \
         "timeout",                                                                                                   \
         "SECONDS",                                                                                                   \
         OPTION_SECONDS,                                                                                              \
         offsetof(asking, timeout_ms),                                                                                \
         ASKING_SECONDS_MAX,                                                                                          \
         "give up after this (600)"},                                                                                 \
        {0,                                                                                                           \
         "retries",                                                                                                   \
         "N",                                                                                                         \
         OPTION_COUNT,                                                                                                \
         offsetof(asking, retries),                                                                                   \
         ASKING_RETRIES_MAX,                                                                                          \
         "further attempts where a failure may pass"},                                                                \
        {0, "fallback", "MODEL", OPTION_TEXTS, offsetof(asking, fallbacks), 0, "takes over where the model failed"},  \
        {0, "cache", "URL", OPTION_TEXT, offsetof(asking, cache), 0, "answer from sqlite:PATH or redis://HOST"},      \
        {0, "header", "NAME:VALUE", OPTION_TEXTS, offsetof(asking, headers), 0, "one more HTTP header"},              \
        {0,                                                                                                           \
         "drop-params",                                                                                               \
         NULL,                                                                                                        \
         OPTION_FLAG,                                                                                                 \
         offsetof(asking, drop_params),                                                                               \
         0,                                                                                                           \
         "leave out parameters that the provider lacks"},                                                             \
        {0, "no-messages", NULL, OPTION_FLAG, offsetof(asking, no_messages), 0, "don't log what is asked"},           \
        {0, "no-replies", NULL, OPTION_FLAG, offsetof(asking, no_replies), 0, "don't log what is answered"}, {        \
        0, "no-log", NULL, OPTION_FLAG, offsetof(asking, no_log), 0, "don't log the call at all"                      \
    }

/* A client with these settings. Returns the exit status, after telling what is wrong. */
int asking_client(const command *self, const asking *wanted, steno_client **out);
/* A request with all of the options. What was mistyped is told as a usage error of the verb. Returns the exit status. */
int asking_request(const command *self, const asking *wanted, steno_request **out);
/* "RateLimit (openai, HTTP 429): message". Returns EXIT_FAILED. */
int asking_failed(const steno_error *error);

#endif
