/* libsteno: LLM calls that are written down. This header is the whole public face of the library.
 *
 *     steno_client *client;
 *     steno_error error;
 *     if (steno_client_new(NULL, &client, &error)) … error.message …
 *     steno_request *request = steno_request_new("gpt-4o-mini");
 *     steno_request_add_message(request, "user", "Say hello.");
 *     steno_response *response;
 *     if (!steno_complete(client, request, &response, &error)) puts(steno_response_text(response));
 *
 * Each call publishes its lifecycle events (schema/EVENTS.md) into a spool file of the client's own, from where the
 * daemon stenod stores them. No call ever waits for the log: not for a disk, a socket or the daemon.
 *
 * Threads: a client may be used by any number of threads at once. A request is used by one thread at a time and
 * can be used again for further calls; a response is read-only. Errors: functions return STENO_OK (0) or fill `error`
 * (which may be NULL) and return its status. Every x_free(NULL) is fine.
 */
#ifndef STENO_H
#define STENO_H

#include "schema/error.h"
#include "schema/event.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STENO_VERSION "0.1.0"

typedef struct steno_client steno_client;
typedef struct steno_request steno_request;
typedef struct steno_response steno_response;
typedef struct steno_call steno_call;

/* ---- client ---- */

/* Settings of a client. Begin with STENO_CONFIG_INIT and set what differs; all strings are copied.
 * `size` lets the struct grow without breaking programs that were compiled against an older one.
 */
typedef struct steno_config {
    size_t size;             /* sizeof(steno_config) */
    const char *dir;         /* the Steno folder; NULL: $STENO_DIR, else the XDG folders (README, "Folders") */
    const char *app_name;    /* who logs; NULL: the program's own name */
    const char *app_version; /* NULL: none */
    const char *api_key;     /* for every provider; NULL: the provider's own variable (OPENAI_API_KEY, …) */
    const char *base_url; /* for every provider; NULL: the provider's variable (OPENAI_BASE_URL, …), else its default */
    int64_t timeout_ms;   /* a whole call, 1 to 86,400,000; 0: 600,000 */
    size_t spool_bytes_max;  /* disk that undelivered events may take; 0: 256 MiB */
    size_t async_max;        /* asynchronous calls on the wire at once, further ones wait; 0: 256 */
    const char *api_version; /* of Azure's dated API; NULL: AZURE_API_VERSION, OPENAI_API_VERSION, else its v1 API */
    int64_t try_timeout_ms;  /* one attempt of a call, 1 to 86,400,000; 0: only the whole call has a limit */
    unsigned retries;        /* further attempts after failures that may pass, at most 20; 0: none */
    int64_t retry_delay_ms;  /* before the first of them, 1 to 60,000; doubles each time, with jitter; 0: 500 */
    bool drop_params;        /* what a provider has no place for is left out instead of refused */
    unsigned privacy;        /* STENO_NO_…: what no call of this client records */
    bool keep_budgets; /* calls of a scope that is over its budget are refused: BudgetExceeded (README, "Budgets") */
} steno_config;

/* What is not recorded: neither in the log nor shown to hooks. The caller's own response is whole all the same. Requests can add to what their client
 * says, never take away from it. */
#define STENO_NO_MESSAGES 1u /* messages, input, prompt, the body as sent, and parameters that are texts */
#define STENO_NO_REPLIES 2u  /* what the model and the provider said, chunks and error messages among it */
#define STENO_NO_EVENTS 4u   /* nothing at all: the call leaves no trace */

#define STENO_CONFIG_INIT STENO_SIZED(steno_config)

/* A client: connections, hooks, and a publisher with its spool folder. `config` may be NULL (all defaults).
 * *out is owned by the caller (steno_client_free).
 * Errors: STENO_INVALID (a setting out of its range; a folder that belongs to someone else or that others can enter;
 * a folder whose socket paths would be too long), STENO_SYSTEM (the folder cannot be made), STENO_NO_MEMORY.
 * A disk without room is no error: events then go out on the bus alone.
 * After fork(), the child's first call gives it a publisher of its own.
 */
STENO_API steno_status steno_client_new(const steno_config *config, steno_client **out, steno_error *error);

/* Cancels what is still in flight (each such call ends as `failure`, type Cancelled), and frees the client. Waits for
 * running callbacks, never for the daemon: what it has not fetched yet stays in the spool.
 * Not to be called from a hook or a callback.
 */
STENO_API void steno_client_free(steno_client *client);

/* Key and address of one provider ("anthropic"), for clients that call several; either may be NULL. They come before the settings for every
 * provider. Copied. Before the first call only. STENO_INVALID: there is no such provider.
 */
STENO_API steno_status steno_client_set_provider(steno_client *client, const char *provider, const char *api_key,
                                                 const char *base_url, steno_error *error);
/* A model that takes over where a call, with its retries, failed: for requests that name none themselves. At most 8, tried in their order. */
STENO_API steno_status steno_client_add_fallback(steno_client *client, const char *model, steno_error *error);

/* A cache of responses: a request that was answered before, with everything in it that shapes the answer, is answered from it. A hit is a lone
 * `success` with `cache_hit` and costs nothing. Only whole, successful replies are kept. A cache that is down never fails a call. It is asked on the
 * thread that starts the call, for 250 ms at most, and after a failure left alone for 5 s. */
typedef struct steno_cache_config {
    size_t size; /* sizeof(steno_cache_config) */
    const char
        *url; /* "memory:", "sqlite:PATH" or "redis://[[USER:]PASSWORD@]HOST[:PORT][/DB]", "unix:///PATH" (Redis) */
    int64_t ttl_ms;         /* how long an answer is good; 0: a day */
    size_t bytes_max;       /* of memory (0: 64 MiB) or of the file (0: 256 MiB); Redis has its own limit */
    const char *name_space; /* keeps apart what must not share answers; NULL: none */
    bool opt_in;            /* only for requests that ask for it */
} steno_cache_config;

#define STENO_CACHE_CONFIG_INIT STENO_SIZED(steno_cache_config)

/* Copied. Before the first call only. STENO_INVALID (the URL), STENO_SYSTEM (the file can't be opened). */
STENO_API steno_status steno_client_set_cache(steno_client *client, const steno_cache_config *config,
                                              steno_error *error);

/* ---- hooks: the five events, in process ---- */

/* Called with each event of a call, after it is in the spool. `event` is borrowed for the time of the call and shows the
 * fields of the call's earlier stages too. Synchronous hooks run on the thread that makes the call (steno_complete) or on the
 * library's own (steno_complete_async): they should be quick, and several threads may be in one at once.
 * Asynchronous ones run one after another on a thread for hooks alone, with at most STENO_HOOK_QUEUE_MAX events waiting:
 * what comes then is not shown to them and counted (steno_client_hooks_missed). It is in the log all the same.
 */
typedef void (*steno_event_fn)(const steno_event *event, void *ctx);

/* Any of the functions may be NULL. The same struct, exported as `steno_plugin`, is a subscriber plug-in. */
typedef struct steno_hooks {
    size_t size; /* sizeof(steno_hooks) */
    void *ctx;   /* handed to each function */
    steno_event_fn pre_api_call;
    steno_event_fn stream_event;
    steno_event_fn post_api_call;
    steno_event_fn success;
    steno_event_fn failure;
    bool asynchronous;
} steno_hooks;

#define STENO_HOOK_QUEUE_MAX 4096

/* In braces, before what is set: `{STENO_HOOKS_INIT, .success = on_success}`. In C++ begin with STENO_SIZED(steno_hooks). */
#define STENO_HOOKS_INIT .size = sizeof(steno_hooks)

/* What a plug-in's source defines (steno-plugin(1)), and an app that is linked with it registers; the library has none. Said here so that it is visible
 * outside the shared object whatever the compiler's options, from C++ too.
 */
extern STENO_API const steno_hooks steno_plugin;

/* Adds hooks (copied; `ctx` borrowed until the client is freed), called in the order in which they were added.
 * Before the first call only. Errors: STENO_LIMIT beyond 16, STENO_INVALID.
 */
STENO_API steno_status steno_client_add_hooks(steno_client *client, const steno_hooks *hooks, steno_error *error);
/* One function for one event: input is `pre_api_call`. */
STENO_API steno_status steno_client_on_input(steno_client *client, steno_event_fn fn, void *ctx, steno_error *error);
STENO_API steno_status steno_client_on_success(steno_client *client, steno_event_fn fn, void *ctx, steno_error *error);
STENO_API steno_status steno_client_on_failure(steno_client *client, steno_event_fn fn, void *ctx, steno_error *error);

/* Waits until the asynchronous hooks have seen every event so far; `timeout_ms` < 0: for ever. STENO_TIMEOUT. Not from a hook. */
STENO_API steno_status steno_client_flush_hooks(steno_client *client, int64_t timeout_ms, steno_error *error);
/* Events that asynchronous hooks were too slow for, so far. */
STENO_API uint64_t steno_client_hooks_missed(const steno_client *client);

/* Sees each request before it is sent, on the thread that makes the call, and may change it: it is a copy, good for this call alone. Anything but 0
 * refuses the call, which then ends as `failure`, type Cancelled. */
typedef int (*steno_request_fn)(steno_request *request, void *ctx);
/* At most 16, in the order in which they were added, each seeing what those before it made of the request. Before the first call only. */
STENO_API steno_status steno_client_on_request(steno_client *client, steno_request_fn fn, void *ctx,
                                               steno_error *error);

/* Sees each event before anybody else: before the spool, the hooks and the log. Returns STENO_REDACT_KEEP, or STENO_REDACT_REPLACE after it has written
 * the event anew, all fields of it, into `out`; with anything else, or where that is no valid event of the same call, the event goes without any content. */
typedef int (*steno_redact_fn)(const steno_event *event, steno_draft *out, void *ctx);
#define STENO_REDACT_KEEP 0
#define STENO_REDACT_REPLACE 1
/* One a client; NULL for none. Before the first call only. */
STENO_API void steno_client_set_redactor(steno_client *client, steno_redact_fn fn, void *ctx);

/* ---- request ---- */

/* A request for `model`: "provider/model", or a bare name, which goes to the provider that it is known of, else to OpenAI, or, where a base URL
 * is set, to that server by OpenAI's protocol. "openai/responses/MODEL" is OpenAI's Responses API. The text is copied;
 * the provider is looked up when the call is made. NULL when memory is short.
 * The first setter that fails is remembered and makes the call itself fail, so setters need no check of their own, and neither does this: without
 * a request setters return STENO_NO_MEMORY, and so does the call. A setter that is given NULL for a text fails (STENO_INVALID), but for those of
 * which this says otherwise.
 */
STENO_API steno_request *steno_request_new(const char *model);
STENO_API void steno_request_free(steno_request *request);

/* Appends {role, content: text} to `messages`. `role`: system, developer, user, assistant, tool. */
STENO_API steno_status steno_request_add_message(steno_request *request, const char *role, const char *text);
/* Appends a whole message given as a JSON object (multi-part content, tool calls, tool results). */
STENO_API steno_status steno_request_add_message_json(steno_request *request, const char *json);
/* Appends the message of a response: what the model said, its tool calls and its thinking, as it must go back to it. */
STENO_API steno_status steno_request_add_response(steno_request *request, const steno_response *response);
/* Appends the result of a tool call (role tool); `id` is the call's. */
STENO_API steno_status steno_request_add_tool_result(steno_request *request, const char *id, const char *text);
/* Appends one text to `input`, what an embedding call embeds. */
STENO_API steno_status steno_request_add_input(steno_request *request, const char *text);

/* Sets a parameter by OpenAI's name: "temperature", "tools", "response_format", "reasoning_effort", … It becomes what the provider calls it; one
 * that it has no place for fails the call (see steno_request_set_drop_params), and names that are not OpenAI's pass through as they are.
 * `json` is any JSON value. "model" and "stream" are Steno's own and refused. "prompt" makes it a text completion.
 */
STENO_API steno_status steno_request_set_json(steno_request *request, const char *name, const char *json);
STENO_API steno_status steno_request_set_string(steno_request *request, const char *name, const char *value);
STENO_API steno_status steno_request_set_int(steno_request *request, const char *name, int64_t value);
STENO_API steno_status steno_request_set_double(steno_request *request, const char *name, double value);
STENO_API steno_status steno_request_set_bool(steno_request *request, const char *name, bool value);
/* A parameter as JSON text, NULL if it is not set. Owned by the caller (free). */
STENO_API char *steno_request_get_json(const steno_request *request, const char *name);

/* What is only logged: never sent to the provider, except `user`, which is its parameter too. NULL for user or an id: none. */
STENO_API steno_status steno_request_set_metadata(steno_request *request, const char *key, const char *value);
STENO_API steno_status steno_request_set_metadata_json(steno_request *request, const char *key, const char *json);
STENO_API steno_status steno_request_add_tag(steno_request *request, const char *tag);
STENO_API steno_status steno_request_set_user(steno_request *request, const char *user);
STENO_API steno_status steno_request_set_session_id(steno_request *request, const char *session_id);
STENO_API steno_status steno_request_set_trace_id(steno_request *request, const char *trace_id);
STENO_API steno_status steno_request_set_parent_id(steno_request *request, const char *parent_id);

/* One more HTTP header ("anthropic-beta"), or another value of one that Steno sends itself. What is called like a secret is masked in events, and
 * does not go to a fallback with another base URL. */
STENO_API steno_status steno_request_set_header(steno_request *request, const char *name, const char *value);
/* The model as it was named; what steno_request_set_model sets instead (a function that sees requests may route them). Borrowed. */
STENO_API const char *steno_request_model(const steno_request *request);
STENO_API steno_status steno_request_set_model(steno_request *request, const char *model);

/* For this request alone, before the client's setting and the environment; NULL: as those say. OPENAI_ORG_ID and OPENAI_PROJECT_ID go along to provider `openai`
 * at its own address or OPENAI_BASE_URL, but not to a base URL that the program sets: give them by steno_request_set_header where they are wanted there. */
STENO_API steno_status steno_request_set_api_key(steno_request *request, const char *api_key);
STENO_API steno_status steno_request_set_base_url(steno_request *request, const char *base_url);
STENO_API steno_status steno_request_set_timeout_ms(steno_request *request, int64_t timeout_ms);
STENO_API steno_status steno_request_set_try_timeout_ms(steno_request *request, int64_t timeout_ms);
STENO_API steno_status steno_request_set_retries(steno_request *request, unsigned retries);
STENO_API steno_status steno_request_set_drop_params(steno_request *request, bool drop);
/* Further STENO_NO_… beyond the client's. */
STENO_API steno_status steno_request_set_privacy(steno_request *request, unsigned privacy);
/* As steno_client_add_fallback, instead of the client's. Key and base URL of the request are not used for them. */
STENO_API steno_status steno_request_add_fallback(steno_request *request, const char *model);

typedef enum steno_cache_use {
    STENO_CACHE_DEFAULT, /* as the client's cache says */
    STENO_CACHE_ON,
    STENO_CACHE_OFF,
    STENO_CACHE_REFRESH, /* don't look, but keep the answer */
} steno_cache_use;
/* `ttl_ms` of what is kept; 0: the cache's. */
STENO_API steno_status steno_request_set_cache(steno_request *request, steno_cache_use use, int64_t ttl_ms);

/* ---- calls ---- */

/* Makes a chat completion (a text completion where the request has a `prompt`) and waits for it. On success *out is owned by the caller (steno_response_free). On failure
 * *out is NULL, and `error` has type, provider, HTTP status, retryable and the provider's own message.
 */
STENO_API steno_status steno_complete(steno_client *client, const steno_request *request, steno_response **out,
                                      steno_error *error);

/* Called with each chunk of a stream: `json` is the chunk, OpenAI-shaped whatever the provider, `text` the text it adds to the
 * first choice ("" if none). Both borrowed for the time of the call. Return 0 to go on, anything else cancels the call.
 */
typedef int (*steno_chunk_fn)(const char *text, const char *json, void *ctx);

/* The same, streamed: `on_chunk` (may be NULL) sees each chunk on the calling thread, then *out is the assembled response.
 * A stream that breaks off fails; what had arrived is in the log and, through *out, with the caller (NULL if
 * nothing had), also to be freed. `stream_options.include_usage` is asked for unless the request sets it.
 */
STENO_API steno_status steno_complete_stream(steno_client *client, const steno_request *request,
                                             steno_chunk_fn on_chunk, void *ctx, steno_response **out,
                                             steno_error *error);

/* Makes an embedding call: `input` through steno_request_add_input or steno_request_set_json(…, "input", …). */
STENO_API steno_status steno_embed(steno_client *client, const steno_request *request, steno_response **out,
                                   steno_error *error);

/* Called once when an asynchronous call ends, on the library's thread. `response` is NULL on failure (but see
 * steno_complete_stream) and belongs to the callee (steno_response_free); `error` is borrowed, its status STENO_OK on success.
 * It may start further calls, but must not wait for any.
 */
typedef void (*steno_done_fn)(steno_response *response, const steno_error *error, void *ctx);

/* Starts a call and returns at once; the request may be freed or changed right after. `done` may be NULL.
 * If `out` is not NULL it receives a handle, owned by the caller (steno_call_free).
 * Errors of the call itself reach `done`; the function fails only if it could not be started (then `done` is not called).
 */
STENO_API steno_status steno_complete_async(steno_client *client, const steno_request *request, steno_done_fn done,
                                            void *ctx, steno_call **out, steno_error *error);
STENO_API steno_status steno_complete_stream_async(steno_client *client, const steno_request *request,
                                                   steno_chunk_fn on_chunk, steno_done_fn done, void *ctx,
                                                   steno_call **out, steno_error *error);
STENO_API steno_status steno_embed_async(steno_client *client, const steno_request *request, steno_done_fn done,
                                         void *ctx, steno_call **out, steno_error *error);

/* Waits until every asynchronous call of the client has ended and its callback returned. `timeout_ms` < 0: for ever.
 * STENO_TIMEOUT if some are still in flight.
 */
STENO_API steno_status steno_wait(steno_client *client, int64_t timeout_ms, steno_error *error);
/* The same for one call. */
STENO_API steno_status steno_call_wait(steno_call *call, int64_t timeout_ms, steno_error *error);
/* Asks for the call to end; it ends as `failure`, type Cancelled, unless it had ended already. */
STENO_API void steno_call_cancel(steno_call *call);
/* Gives the handle back; the call goes on. Must come before steno_client_free. */
STENO_API void steno_call_free(steno_call *call);

/* ---- response ---- */

/* Numbers the provider did not report are STENO_UNKNOWN, never zero. */
#define STENO_UNKNOWN (-1)

/* What a reply was billed as. */
typedef enum steno_service_tier {
    STENO_TIER_STANDARD, /* also where the reply names none */
    STENO_TIER_FLEX,
    STENO_TIER_PRIORITY,
    STENO_TIER_BATCH,
} steno_service_tier;

/* How much of the web a search brought in, where prices depend on it. */
typedef enum steno_search_context {
    STENO_SEARCH_UNKNOWN,
    STENO_SEARCH_LOW,
    STENO_SEARCH_MEDIUM,
    STENO_SEARCH_HIGH
} steno_search_context;

/* Normalised: prompt includes cached and cache-written tokens, completion includes reasoning (EVENTS.md, "Usage"). Begin with STENO_USAGE_UNKNOWN. */
typedef struct steno_usage {
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t total_tokens;
    /* Parts of the prompt. */
    int64_t cached_tokens, cached_audio_tokens; /* the latter part of the former */
    int64_t cache_write_tokens, cache_write_1h_tokens;
    int64_t prompt_audio_tokens, prompt_image_tokens, prompt_video_tokens;
    /* Parts of the completion. */
    int64_t reasoning_tokens, completion_audio_tokens, completion_image_tokens;
    /* Uses of the provider's own tools. */
    int64_t web_searches, file_searches, code_sessions;
    int64_t reported_pico_dollars; /* what the provider itself says it cost */
    steno_service_tier service_tier;
    steno_search_context search_context; /* where the reply says it */
    bool fast, in_us;                    /* Anthropic's `speed` and `inference_geo`, where they are not the usual */
} steno_usage;

#ifdef __cplusplus
inline steno_usage steno_usage_unknown() {
    steno_usage made = steno_usage();
    made.prompt_tokens = made.completion_tokens = made.total_tokens = STENO_UNKNOWN;
    made.cached_tokens = made.cached_audio_tokens = made.cache_write_tokens = made.cache_write_1h_tokens =
        STENO_UNKNOWN;
    made.prompt_audio_tokens = made.prompt_image_tokens = made.prompt_video_tokens = STENO_UNKNOWN;
    made.reasoning_tokens = made.completion_audio_tokens = made.completion_image_tokens = STENO_UNKNOWN;
    made.web_searches = made.file_searches = made.code_sessions = STENO_UNKNOWN;
    made.reported_pico_dollars = STENO_UNKNOWN;
    return made;
}
#define STENO_USAGE_UNKNOWN steno_usage_unknown()
#else
#define STENO_USAGE_UNKNOWN                                                                                            \
    {                                                                                                                  \
        .prompt_tokens = STENO_UNKNOWN, .completion_tokens = STENO_UNKNOWN, .total_tokens = STENO_UNKNOWN,             \
        .cached_tokens = STENO_UNKNOWN, .cached_audio_tokens = STENO_UNKNOWN, .cache_write_tokens = STENO_UNKNOWN,     \
        .cache_write_1h_tokens = STENO_UNKNOWN, .prompt_audio_tokens = STENO_UNKNOWN,                                  \
        .prompt_image_tokens = STENO_UNKNOWN, .prompt_video_tokens = STENO_UNKNOWN, .reasoning_tokens = STENO_UNKNOWN, \
        .completion_audio_tokens = STENO_UNKNOWN, .completion_image_tokens = STENO_UNKNOWN,                            \
        .web_searches = STENO_UNKNOWN, .file_searches = STENO_UNKNOWN, .code_sessions = STENO_UNKNOWN,                 \
        .reported_pico_dollars = STENO_UNKNOWN                                                                         \
    }
#endif

STENO_API void steno_response_free(steno_response *response);
/* The text of the first choice; "" if it has none (a tool call, an embedding). Borrowed. */
STENO_API const char *steno_response_text(const steno_response *response);
/* "stop", "length", "tool_calls", …, of the first choice; NULL if there is none. Borrowed. */
STENO_API const char *steno_response_finish_reason(const steno_response *response);
/* The model as the provider names it; NULL if it did not say. Borrowed. */
STENO_API const char *steno_response_model(const steno_response *response);
/* The call's id, as in column call_id of the log. Borrowed. */
STENO_API const char *steno_response_call_id(const steno_response *response);
STENO_API steno_usage steno_response_usage(const steno_response *response);
/* What the model thought, "" if it did not say. Borrowed. */
STENO_API const char *steno_response_reasoning(const steno_response *response);
/* A tool call of the first choice. All borrowed; `arguments` is JSON text. */
typedef struct steno_tool_call {
    const char *id, *name, *arguments;
} steno_tool_call;
/* How many there are, and which; false beyond the last. */
STENO_API size_t steno_response_tool_calls(const steno_response *response);
STENO_API bool steno_response_tool_call(const steno_response *response, size_t index, steno_tool_call *out);
/* The vector of input `index`: writes up to `max` numbers, returns how many it has; 0 if there is none. `out` may be NULL where `max` is 0. */
STENO_API size_t steno_response_embedding(const steno_response *response, size_t index, double *out, size_t max);
/* The response came from the cache. */
STENO_API bool steno_response_cache_hit(const steno_response *response);
/* US dollars; a negative number where price or usage is unknown. */
STENO_API double steno_response_cost(const steno_response *response);
/* The response as one OpenAI-shaped JSON object, on one line; for a stream, the assembled one. Borrowed. "{}" when memory is short. */
STENO_API const char *steno_response_json(const steno_response *response);

/* ---- events of calls that were made with another SDK ---- */

/* Where an event went: its publisher and its place in that publisher's order. */
typedef struct steno_receipt {
    uint8_t publisher[16];
    uint64_t seq; /* from 1 on */
} steno_receipt;

/* Publishes an event of the caller's own. `event` is a draft with at least field `event`; what else is common to all events
 * (v, log_event_type, call_id, time, app) is added where it is missing. Keys in `api_key` are masked.
 * An event above STENO_EVENT_BYTES_MAX is cut: its long texts are shortened, and field `truncated` names them (EVENTS.md).
 * When it returns STENO_OK the event is in the spool and survives the death of the process. `receipt` may be NULL.
 * Errors: STENO_INVALID (a field has the wrong type: the message names it), STENO_LIMIT (the spool is full, or the event is beyond
 * STENO_DRAFT_BYTES_MAX or has no long texts to cut), STENO_SYSTEM (the disk is full). Where spool or disk is full it still goes out on
 * the bus, as well as that can; `receipt` tells its number.
 */
STENO_API steno_status steno_emit(steno_client *client, steno_draft *event, steno_receipt *receipt, steno_error *error);
/* The same from the JSON text of one event. */
STENO_API steno_status steno_emit_json(steno_client *client, const char *json, size_t size, steno_receipt *receipt,
                                       steno_error *error);

/* ---- cost: schema/COSTS.md has the rules ---- */

/* The price tables: built in, imported, and the user's own. Thread-safe. */
typedef struct steno_prices steno_prices;

/* Those of the Steno folder `dir` (NULL: $STENO_DIR, else the XDG folders). *out is owned by the caller (steno_prices_free).
 * A file that is damaged is left out: see steno_prices_problem. STENO_INVALID, STENO_SYSTEM (the folder), STENO_NO_MEMORY.
 */
STENO_API steno_status steno_prices_open(const char *dir, steno_prices **out, steno_error *error);
STENO_API void steno_prices_free(steno_prices *prices);
/* Reads the files again if they changed, which it looks for at most once a second. True: they had. steno_cost_of does the same by itself. */
STENO_API bool steno_prices_refresh(steno_prices *prices);
/* What is wrong with the files, in words; false: nothing. */
STENO_API bool steno_prices_problem(steno_prices *prices, steno_error *out);

/* What is to be priced. Texts are borrowed and may be NULL but for `model`. Begin with STENO_COST_ASK_INIT. */
typedef struct steno_cost_ask {
    size_t size;                /* sizeof(steno_cost_ask) */
    const char *provider;       /* "openai"; NULL: an entry of any provider */
    const char *model;          /* as it was asked for */
    const char *answered_model; /* as the provider says */
    const char *region;         /* of the host: "us-east-1" (Bedrock), "eu" (OpenAI) */
    const char *search_context; /* "low", "medium", "high": of web searches, as asked for */
    steno_usage usage;
} steno_cost_ask;

#ifdef __cplusplus
inline steno_cost_ask steno_cost_ask_init() {
    steno_cost_ask made = STENO_SIZED(steno_cost_ask);
    made.usage = STENO_USAGE_UNKNOWN;
    return made;
}
#define STENO_COST_ASK_INIT steno_cost_ask_init()
#else
#define STENO_COST_ASK_INIT \
    { .size = sizeof(steno_cost_ask), .usage = STENO_USAGE_UNKNOWN }
#endif

/* One line of the bill. All texts are in the struct. */
typedef struct steno_cost_item {
    const char *component; /* "input", "cache_read", …: COSTS.md, "Components"; static */
    char rate[96];         /* the key of the price that was used */
    bool substituted;      /* the component has no price of its own: it is its parent's */
    int64_t quantity;
    int64_t pico_dollars_each; /* 1e-12 US dollars */
    int64_t pico_dollars;
} steno_cost_item;

#define STENO_COST_ITEMS_MAX 20

typedef struct steno_cost {
    int64_t pico_dollars;
    char price_model[256];    /* the entry that was used */
    char price_date[11];      /* when its figures were true, YYYY-MM-DD; "" if that is unknown */
    const char *price_source; /* "built-in", "imported", "own"; static */
    int64_t above;            /* the long-context threshold that counted, in tokens; 0: none */
    steno_service_tier tier;  /* whose prices counted */
    steno_cost_item items[STENO_COST_ITEMS_MAX];
    size_t items_count;
} steno_cost;

/* What the call costs, exactly. `prices` NULL: the built-in table alone. STENO_NOT_FOUND where the model or a needed price is unknown: unknown is
 * never zero. STENO_INVALID where the usage does not say prompt or completion tokens, or contradicts itself. Thread-safe.
 */
STENO_API steno_status steno_cost_of(steno_prices *prices, const steno_cost_ask *ask, steno_cost *out,
                                     steno_error *error);
/* The bill as JSON: {"input": [quantity, pico-dollars each], "cache_read": [600, 75000, "input_cost_per_token"], …}; the third member is the key of the
 * price where the component has none of its own. Owned by the caller (free); NULL when memory is short.
 */
STENO_API char *steno_cost_breakdown(const steno_cost *cost);

#ifdef __cplusplus
}
#endif
#endif
