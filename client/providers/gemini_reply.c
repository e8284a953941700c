/* Gemini's replies as OpenAI's. A stream's records are replies, too, with a piece of each candidate: both are read by the same function, which
 * gives a delta; a whole message is one that has everything. Invariant: candidates stay apart, each with calls and signatures of its own count.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/failure.h"
#include "client/providers/content.h"
#include "client/providers/gathered.h"
#include "client/providers/gemini.h"
#include "client/usage.h"
#include "schema/buffer.h"
#include "schema/json.h"

/* In a stream the counts of the candidates are in wire_stream.blocks, two numbers each. */
#define CANDIDATES_MAX (WIRE_BLOCKS_MAX / 2)
/* Of a reply's id as much goes into the ids of its tool calls: OpenAI takes none with more than 40 characters. */
#define ID_BYTES 25

/* A call that came out malformed, or that its own tools should not have made, is none that anybody could run; but it was paid for, so it is no
 * failed call either. What is left is a reply that is over.
 */
/* clang-format off */
static const char *const finish_reasons[] = {
    "STOP", "stop",
    "MAX_TOKENS", "length",
    "SAFETY", "content_filter",
    "RECITATION", "content_filter",
    "BLOCKLIST", "content_filter",
    "PROHIBITED_CONTENT", "content_filter",
    "SPII", "content_filter",
    "IMAGE_SAFETY", "content_filter",
    "IMAGE_PROHIBITED_CONTENT", "content_filter",
    "IMAGE_RECITATION", "content_filter",
    "MODEL_ARMOR", "content_filter",
    "MALFORMED_FUNCTION_CALL", "stop",
    "UNEXPECTED_TOOL_CALL", "stop",
    "TOO_MANY_TOOL_CALLS", "stop",
    "MISSING_THOUGHT_SIGNATURE", "stop",
    "MALFORMED_RESPONSE", "stop",
    "LANGUAGE", "stop",
    "NO_IMAGE", "stop",
    "IMAGE_OTHER", "stop",
    "OTHER", "stop",
    "FINISH_REASON_UNSPECIFIED", "stop",
    NULL,
};
/* clang-format on */

/* How many calls and signatures there were of a candidate so far. */
typedef struct counts {
    int calls, signatures;
} counts;

/* A candidate while its parts are read. */
typedef struct reading {
    const char *reply_id;
    size_t candidate;
    counts *counts;
    gathered all;
    json_t *images;
} reading;

/* ---- parts ---- */

/* An id for a call that has none: the same each time the reply is read, and no other reply's. New reference. */
static json_t *made_id(const reading *self) {
    char reply[ID_BYTES] = "", id[64];
    size_t size = 0;
    for (const char *from = self->reply_id; from && *from && size < sizeof reply - 1; from++)
        if ((unsigned char)*from < 128 && (isalnum((unsigned char)*from) || *from == '-' || *from == '_'))
            reply[size++] = *from;
    snprintf(id, sizeof id, GEMINI_ID_MADE "%s%s%zu_%d", reply, size ? "_" : "", self->candidate, self->counts->calls);
    return json_string(id);
}

static void read_call(reading *self, const json_t *call, json_t *signature) {
    json_t *name = json_object_get(call, "name"), *id = json_object_get(call, "id"),
           *args = json_object_get(call, "args");
    if (!json_is_string(name)) return;
    char *arguments = json_is_object(args) ? json_dumps(args, JSON_FLAGS_OUT) : NULL;
    json_t *json = json_pack("{s:i,s:o,s:s,s:{s:O,s:s}}", "index", self->counts->calls, "id",
                             json_string_length(id) ? json_incref(id) : made_id(self), "type", "function", "function",
                             "name", name, "arguments", arguments ? arguments : "{}");
    if (json_is_string(signature)) json_object_set(json, "thought_signature", signature);
    json_array_append_new(self->all.tool_calls, json);
    self->counts->calls++;
    free(arguments);
}

static void read_text(reading *self, const json_t *text, bool thought, json_t *signature) {
    gathered_add(&self->all, thought ? &self->all.reasoning : &self->all.text, text);
    if (!thought && json_string_length(text)) self->all.has_text = true;
    if (!json_string_length(signature)) return;
    json_array_append_new(self->all.thinking_blocks, json_pack("{s:i,s:s,s:O}", "index", self->counts->signatures++,
                                                               "type", GEMINI_SIGNATURE, "signature", signature));
}

static void read_image(reading *self, const json_t *image) {
    const char *mime = content_string(image, "mimeType"), *data = content_string(image, "data");
    buffer url = {0};
    if (!mime || !data) return;
    if (buffer_add(&url, "data:", 5) && buffer_add(&url, mime, strlen(mime)) && buffer_add(&url, ";base64,", 8) &&
        buffer_add(&url, data, strlen(data)))
        json_array_append_new(self->images,
                              json_pack("{s:s,s:{s:s}}", "type", "image_url", "image_url", "url", buffer_text(&url)));
    buffer_free(&url);
}

static void read_part(reading *self, const json_t *part) {
    json_t *signature = json_object_get(part, "thoughtSignature"), *text = json_object_get(part, "text");
    bool thought = json_is_true(json_object_get(part, "thought"));
    const json_t *call = json_object_get(part, "functionCall"), *image = json_object_get(part, "inlineData");
    if (call)
        read_call(self, call, signature);
    else if (image && !thought)
        read_image(self, image);
    else if (json_is_string(text) || signature) /* a part may be a signature and nothing else */
        read_text(self, text, thought, signature);
}

/* ---- candidates ---- */

/* What a candidate adds to its choice, as a delta: a new reference. NULL when memory is short. */
static json_t *delta_of(const json_t *candidate, size_t index, const char *reply_id, counts *so_far) {
    reading self = {.reply_id = reply_id, .candidate = index, .counts = so_far};
    const json_t *parts = json_object_get(json_object_get(candidate, "content"), "parts");
    gathered_begin(&self.all);
    self.images = json_array();
    for (size_t i = 0; i < json_array_size(parts); i++) read_part(&self, json_array_get(parts, i));
    json_t *delta = gathered_end(&self.all, json_object());
    gathered_put_list(delta, "images", self.images);
    return delta;
}

/* In OpenAI's words; NULL: it is not over. */
static const char *finish_reason_of(const json_t *candidate, const counts *so_far) {
    const char *reason = wire_finish_reason(content_string(candidate, "finishReason"), finish_reasons);
    return reason && !strcmp(reason, "stop") && so_far->calls ? "tool_calls" : reason;
}

/* Why it was filtered, where the reply says so. */
static void set_refusal(json_t *message, const json_t *candidate, const char *finish_reason) {
    json_t *why = json_object_get(candidate, "finishMessage");
    if (json_is_string(why) && finish_reason && !strcmp(finish_reason, "content_filter"))
        json_object_set(message, "refusal", why);
}

static json_t *token_of(const json_t *token) {
    json_t *text = json_object_get(token, "token"), *probability = json_object_get(token, "logProbability");
    return json_pack("{s:O,s:O,s:n}", "token", text, "logprob", probability, "bytes");
}

/* The candidate's log probabilities in OpenAI's shape, a new reference; NULL: it has none. */
static json_t *logprobs_of(const json_t *candidate) {
    const json_t *result = json_object_get(candidate, "logprobsResult"),
                 *chosen = json_object_get(result, "chosenCandidates"), *top = json_object_get(result, "topCandidates");
    if (!json_array_size(chosen)) return NULL;
    json_t *tokens = json_array();
    for (size_t i = 0; i < json_array_size(chosen); i++) {
        const json_t *others = json_object_get(json_array_get(top, i), "candidates");
        json_t *token = token_of(json_array_get(chosen, i)), *list = json_array();
        for (size_t j = 0; j < json_array_size(others); j++) {
            json_t *other = token_of(json_array_get(others, j));
            if (other) json_array_append_new(list, other);
        }
        if (token) json_object_set(token, "top_logprobs", list);
        if (token) json_array_append_new(tokens, token);
        json_decref(list);
    }
    return json_pack("{s:o}", "content", tokens);
}

/* A candidate's number: the first is not numbered, and many replies have but one. False: there can't be that many. */
static bool index_of(const json_t *candidate, size_t place, size_t *out) {
    const json_t *index = json_object_get(candidate, "index");
    json_int_t value = json_is_integer(index) ? json_integer_value(index) : (json_int_t)place;
    *out = (size_t)value;
    return value >= 0 && value < CANDIDATES_MAX;
}

/* ---- what both kinds of reply have ---- */

static steno_status too_many(steno_error *error) {
    return steno_fail(error, STENO_CORRUPT, "a candidate has no index below %d", CANDIDATES_MAX);
}

/* An error in place of a reply, or a prompt that was not answered. STENO_OK: neither. */
static steno_status check_refused(const json_t *native, steno_error *error) {
    const json_t *feedback = json_object_get(native, "promptFeedback");
    const char *reason = content_string(feedback, "blockReason"),
               *message = content_string(feedback, "blockReasonMessage");
    const json_t *detail = json_object_get(json_is_array(native) ? json_array_get(native, 0) : native, "error");
    if (detail && !json_is_null(detail)) {
        failure_from_reply(error, 200, native, NULL);
        return STENO_FAILED;
    }
    if (!reason || json_array_size(json_object_get(native, "candidates"))) return STENO_OK;
    failure_set(error, "ContentPolicy", 200, false, "the prompt was blocked (%s)%s%s", reason, message ? ": " : "",
                message ? message : "");
    return STENO_FAILED;
}

/* ---- in one piece ---- */

static void remove_indexes(json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++) json_object_del(json_array_get(list, i), "index");
}

static json_t *choice_of(const json_t *candidate, size_t index, const char *reply_id) {
    counts all = {0};
    json_t *message = delta_of(candidate, index, reply_id, &all), *logprobs = logprobs_of(candidate);
    const char *finish_reason = finish_reason_of(candidate, &all);
    json_object_set_new(message, "role", json_string("assistant"));
    if (!json_object_get(message, "content")) json_object_set_new(message, "content", json_null());
    remove_indexes(json_object_get(message, "tool_calls"));
    remove_indexes(json_object_get(message, "thinking_blocks"));
    set_refusal(message, candidate, finish_reason);
    json_t *choice =
        json_pack("{s:I,s:o,s:s?}", "index", (json_int_t)index, "message", message, "finish_reason", finish_reason);
    if (logprobs) json_object_set_new(choice, "logprobs", logprobs);
    return choice;
}

/* Up to Gemini 2 a reply that searched is billed once, from Gemini 3 on each search. */
static void read_searches(const wire_ask *ask, const json_t *candidates, json_t *to) {
    size_t times = 0;
    for (size_t i = 0; i < json_array_size(candidates); i++)
        times += json_array_size(
            json_object_get(json_object_get(json_array_get(candidates, i), "groundingMetadata"), "webSearchQueries"));
    if (times > 1 && (!strncmp(ask->model, "gemini-1", 8) || !strncmp(ask->model, "gemini-2", 8))) times = 1;
    wire_set_tool_use(to, "web_search_requests", times);
}

static json_t *chat_reply(const wire_ask *ask, const json_t *native, steno_error *error) {
    const json_t *candidates = json_object_get(native, "candidates");
    const char *model = content_string(native, "modelVersion"), *id = content_string(native, "responseId");
    json_t *choices = json_array();
    if (!json_is_array(candidates)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `candidates`");
        json_decref(choices);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        size_t index;
        if (!index_of(candidate, i, &index)) {
            too_many(error);
            json_decref(choices);
            return NULL;
        }
        if (json_array_append_new(choices, choice_of(candidate, index, id))) {
            steno_fail(error, STENO_NO_MEMORY, "no memory for the reply");
            json_decref(choices);
            return NULL;
        }
    }
    json_t *response = wire_response(id, model ? model : ask->model, json_object(), NULL);
    json_object_set_new(response, "choices", choices);
    read_searches(ask, candidates, response);
    return response;
}

static json_t *embedding_reply(const wire_ask *ask, const json_t *native, steno_error *error) {
    const json_t *embeddings = json_object_get(native, "embeddings");
    json_t *vectors = json_array();
    bool good = json_is_array(embeddings);
    for (size_t i = 0; good && i < json_array_size(embeddings); i++) {
        json_t *values = json_object_get(json_array_get(embeddings, i), "values");
        good = json_is_array(values);
        json_array_append(vectors, values);
    }
    if (good) return wire_embeddings(ask->model, vectors);
    json_decref(vectors);
    steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `embeddings` with `values`");
    return NULL;
}

json_t *gemini_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    *usage = json_object_get(native, "usageMetadata");
    if (!json_is_object(*usage)) *usage = NULL;
    if (check_refused(native, error)) return NULL;
    return ask->kind == CALL_EMBEDDING ? embedding_reply(ask, native, error) : chat_reply(ask, native, error);
}

/* ---- streamed ---- */

static steno_status read_candidate(wire_stream *self, const json_t *candidate, size_t place, const char *reply_id,
                                   steno_error *error) {
    size_t index;
    if (!index_of(candidate, place, &index)) return too_many(error);
    int *kept = &self->blocks[2 * index];
    counts so_far = {.calls = kept[0], .signatures = kept[1]};
    json_t *delta = delta_of(candidate, index, reply_id, &so_far), *logprobs = logprobs_of(candidate);
    const char *finish_reason = finish_reason_of(candidate, &so_far);
    if (!delta) {
        json_decref(logprobs);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a chunk");
    }
    kept[0] = so_far.calls;
    kept[1] = so_far.signatures;
    set_refusal(delta, candidate, finish_reason);
    steno_status status = logprobs ? wire_emit_logprobs(self, index, logprobs) : STENO_OK;
    if (!status && (json_object_size(delta) || finish_reason))
        return wire_emit_choice(self, index, delta, finish_reason);
    json_decref(delta);
    return status;
}

/* Usage comes with every record, and is cumulative: it is given out where something ends, not each time. */
static bool ends_something(const json_t *candidates) {
    bool ends = !json_array_size(candidates);
    for (size_t i = 0; i < json_array_size(candidates); i++)
        ends |= content_string(json_array_get(candidates, i), "finishReason") != NULL;
    return ends;
}

steno_status gemini_record(wire_stream *self, const char *name, const json_t *record, steno_error *error) {
    const json_t *candidates = json_object_get(record, "candidates");
    json_t *usage = json_object_get(record, "usageMetadata");
    const char *id = content_string(record, "responseId");
    (void)name;
    if (json_is_object(usage)) {
        json_decref(self->usage);
        self->usage = json_incref(usage);
    }
    steno_status status = check_refused(record, error);
    if (!status && !json_is_object(record)) status = steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    if (status) return status;
    wire_head(self, id, content_string(record, "modelVersion"));
    read_searches(self->ask, candidates, self->head);
    if (!id) id = content_string(self->head, "id");
    for (size_t i = 0; !status && i < json_array_size(candidates); i++)
        status = read_candidate(self, json_array_get(candidates, i), i, id, error);
    if (status || !json_is_object(usage) || !ends_something(candidates)) return status;
    return wire_emit_usage(self, usage_from_gemini);
}
