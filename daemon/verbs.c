/* ping, cursor, commit, report and status. replay is in replay.c. */
#include "daemon/verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay.h"
#include "schema/identity.h"

static const char *ping(const verb_view *view, const control_message *request, steno_draft *reply,
                        char message[STENO_ERROR_MESSAGE_BYTES]) {
    (void)view, (void)message;
    control_reply_begin(reply, request);
    steno_draft_int(reply, "pid", getpid());
    steno_draft_string(reply, "version", STENO_BUILD_VERSION);
    steno_draft_double(reply, "time", identity_now());
    return NULL;
}

/* ---- cursors ---- */

static const char *refuse(char message[STENO_ERROR_MESSAGE_BYTES], const char *code, const char *why) {
    snprintf(message, STENO_ERROR_MESSAGE_BYTES, "%s", why);
    return code;
}

/* Field `name`; NULL if it is none. */
static const char *cursor_name(const control_message *request) {
    const char *name = control_string(request, "name");
    return name && control_name_valid(name) ? name : NULL;
}

#define NAME_EXPECTED "`name` must have 1 to 64 of A-Z a-z 0-9 _ . -"

static const char *cursor(const verb_view *view, const control_message *request, steno_draft *reply,
                          char message[STENO_ERROR_MESSAGE_BYTES]) {
    const char *name = cursor_name(request);
    if (!name) return refuse(message, "invalid", NAME_EXPECTED);
    uint64_t offset;
    bool exists;
    steno_error error;
    if (store_cursor(view->store, name, &offset, &exists, &error)) return refuse(message, "internal", error.message);
    control_reply_begin(reply, request);
    steno_draft_string(reply, "name", name);
    steno_draft_int(reply, "offset", (int64_t)offset);
    steno_draft_bool(reply, "exists", exists);
    return NULL;
}

/* False: the stored cursor is not where the request says that it was, so somebody else has moved it. */
static bool unmoved(const steno_value *was, uint64_t stored, bool exists) {
    return steno_value_type(was) == STENO_TYPE_NIL || !exists || steno_value_int(was, -1) == (int64_t)stored;
}

static const char *commit(const verb_view *view, const control_message *request, steno_draft *reply,
                          char message[STENO_ERROR_MESSAGE_BYTES]) {
    const char *name = cursor_name(request);
    if (!name) return refuse(message, "invalid", NAME_EXPECTED);
    const steno_value *value = control_get(request, "offset");
    int64_t offset = steno_value_int(value, -1);
    if (steno_value_type(value) != STENO_TYPE_INT || offset < 0)
        return refuse(message, "invalid", "`offset` must be an integer, 0 or above");
    if ((uint64_t)offset > store_last_offset(view->store))
        return refuse(message, "invalid", "`offset` is beyond the last event");
    steno_error error;
    uint64_t stored;
    bool exists;
    if (store_cursor(view->store, name, &stored, &exists, &error)) return refuse(message, "internal", error.message);
    if (!unmoved(control_get(request, "was"), stored, exists))
        return refuse(message, "moved", "the cursor is not at `was` any more: somebody has moved it");
    if (store_set_cursor(view->store, name, (uint64_t)offset, &error))
        return refuse(message, "internal", error.message);
    control_reply_begin(reply, request);
    steno_draft_string(reply, "name", name);
    steno_draft_int(reply, "offset", offset);
    return NULL;
}

/* ---- reports ---- */

static const char *take_report(const verb_view *view, const control_message *request, steno_draft *reply,
                               char message[STENO_ERROR_MESSAGE_BYTES]) {
    const char *name = cursor_name(request);
    if (!name) return refuse(message, "invalid", NAME_EXPECTED);
    const steno_value *problem = control_get(request, "problem"), *letters = control_get(request, "dead_letters");
    size_t size = 0;
    const char *text = steno_value_type(problem) == STENO_TYPE_STRING ? steno_value_string(problem, &size) : NULL;
    if ((!text && steno_value_type(problem) != STENO_TYPE_NIL) || size > CONTROL_PROBLEM_BYTES_MAX)
        return refuse(message, "invalid", "`problem` must be a text of at most 512 bytes, or nil");
    const report *before = reports_find(view->reports, name);
    const int64_t kept = before ? (int64_t)before->dead_letters : 0;
    const int64_t count = steno_value_int(letters, kept);
    if ((steno_value_type(letters) != STENO_TYPE_NIL && steno_value_type(letters) != STENO_TYPE_INT) || count < 0)
        return refuse(message, "invalid", "`dead_letters` must be an integer, 0 or above");
    if (!reports_set(view->reports, name, text, (uint64_t)count, identity_now()))
        return refuse(message, "limit", "too many subscribers have something to report already");
    control_reply_begin(reply, request);
    steno_draft_string(reply, "name", name);
    return NULL;
}

/* ---- status ---- */

static void list_publisher(const verb_view *view, const publisher *entry, steno_draft *reply) {
    char text[SPOOL_PUBLISHER_TEXT_BYTES];
    spool_publisher_text(entry->uuid, text);
    steno_draft_map_begin(reply, NULL);
    steno_draft_string(reply, "publisher", text);
    steno_draft_string(reply, "app", entry->app[0] ? entry->app : NULL);
    if (entry->pid)
        steno_draft_int(reply, "pid", entry->pid);
    else
        steno_draft_nil(reply, "pid");
    /* Of one without a spool nobody can tell. */
    if (entry->spooled || entry->own)
        steno_draft_bool(reply, "alive", entry->alive);
    else
        steno_draft_nil(reply, "alive");
    steno_draft_int(reply, "next", (int64_t)entry->stored);
    steno_draft_int(reply, "spool_bytes", entry->spooled ? (int64_t)spool_bytes(view->where->spool, entry->uuid) : 0);
    steno_draft_int(reply, "losses", (int64_t)entry->losses);
    steno_draft_map_end(reply);
}

static void list_publishers(const verb_view *view, steno_draft *reply) {
    unsigned listed = 0;
    steno_draft_array_begin(reply, "publishers");
    for (const publisher *entry = publishers_first(view->intake->table); entry; entry = entry->after) {
        if (entry->own && !entry->id) continue; /* it has said nothing */
        if (listed++ == VERBS_PUBLISHERS_LISTED_MAX) break;
        list_publisher(view, entry, reply);
    }
    steno_draft_array_end(reply);
}

typedef struct cursor_list {
    steno_draft *reply;
    uint64_t last_offset;
    reports *reports;
} cursor_list;

/* What it says of itself, as fields of its entry. */
static void list_report(report *said, steno_draft *reply) {
    const bool ill = said && said->problem[0];
    steno_draft_string(reply, "problem", ill ? said->problem : NULL);
    if (ill)
        steno_draft_double(reply, "problem_since", said->since);
    else
        steno_draft_nil(reply, "problem_since");
    steno_draft_int(reply, "dead_letters", said ? (int64_t)said->dead_letters : 0);
    if (said)
        steno_draft_double(reply, "reported", said->said);
    else
        steno_draft_nil(reply, "reported");
    if (said) said->listed = true;
}

/* Those that have no cursor, and have said something all the same. */
static void list_others(reports *all, steno_draft *reply) {
    for (size_t i = 0; i < all->count; i++) {
        report *one = &all->list[i];
        if (!one->listed) {
            steno_draft_map_begin(reply, NULL);
            steno_draft_string(reply, "name", one->name);
            steno_draft_nil(reply, "offset");
            steno_draft_nil(reply, "lag");
            steno_draft_nil(reply, "updated");
            list_report(one, reply);
            steno_draft_map_end(reply);
        }
        one->listed = false;
    }
}

static void list_cursor(void *ctx, const char *name, uint64_t offset, double updated) {
    cursor_list *list = ctx;
    steno_draft_map_begin(list->reply, NULL);
    steno_draft_string(list->reply, "name", name);
    steno_draft_int(list->reply, "offset", (int64_t)offset);
    steno_draft_int(list->reply, "lag", (int64_t)list->last_offset - (int64_t)offset);
    steno_draft_double(list->reply, "updated", updated);
    list_report(reports_find(list->reports, name), list->reply);
    steno_draft_map_end(list->reply);
}

static void list_children(const verb_view *view, steno_draft *reply) {
    steno_draft_array_begin(reply, "children");
    for (size_t i = 0; view->children && i < supervisor_count(view->children); i++) {
        supervisor_child child = supervisor_child_at(view->children, i);
        steno_draft_map_begin(reply, NULL);
        steno_draft_string(reply, "name", child.name);
        steno_draft_string(reply, "command", child.command);
        if (child.pid)
            steno_draft_int(reply, "pid", child.pid);
        else
            steno_draft_nil(reply, "pid");
        steno_draft_string(reply, "state", child.state);
        steno_draft_int(reply, "restarts", child.restarts);
        steno_draft_string(reply, "last_exit", child.last_exit);
        steno_draft_string(reply, "said", child.said);
        if (child.starts_in_ms >= 0)
            steno_draft_double(reply, "starts_in", (double)child.starts_in_ms / 1000);
        else
            steno_draft_nil(reply, "starts_in");
        steno_draft_map_end(reply);
    }
    steno_draft_array_end(reply);
}

static const char *status(const verb_view *view, const control_message *request, steno_draft *reply,
                          char message[STENO_ERROR_MESSAGE_BYTES]) {
    control_reply_begin(reply, request);
    steno_draft_int(reply, "pid", getpid());
    steno_draft_string(reply, "version", STENO_BUILD_VERSION);
    steno_draft_string(reply, "dir", view->where->state);
    steno_draft_double(reply, "started", view->started);
    steno_draft_int(reply, "last_offset", (int64_t)store_last_offset(view->store));
    steno_draft_int(reply, "first_offset", (int64_t)store_first_offset(view->store));
    steno_draft_int(reply, "pending_calls", store_pending_calls(view->store));
    steno_draft_int(reply, "stored", (int64_t)view->intake->stored);
    steno_draft_int(reply, "duplicates", (int64_t)view->intake->duplicates);
    steno_draft_int(reply, "malformed", (int64_t)view->intake->malformed);
    steno_draft_int(reply, "losses", (int64_t)store_losses(view->store));
    steno_draft_int(reply, "log_bytes", store_bytes(view->store));
    steno_draft_int(reply, "journal_bytes", store_journal_bytes(view->store));
    steno_draft_string(reply, "problem", view->problem);
    steno_draft_string(reply, "config_problem", view->config_problem);
    steno_draft_string(reply, "config_note", view->config_note);
    list_publishers(view, reply);
    list_children(view, reply);
    cursor_list cursors = {.reply = reply, .last_offset = store_last_offset(view->store), .reports = view->reports};
    steno_error error;
    steno_draft_array_begin(reply, "subscribers");
    steno_status listed = store_each_cursor(view->store, list_cursor, &cursors, &error);
    list_others(view->reports, reply);
    steno_draft_array_end(reply);
    return listed ? refuse(message, "internal", error.message) : NULL;
}

verb_fn verb_find(const char *name) {
    static const struct {
        const char *name;
        verb_fn answer;
    } verbs[] = {{"ping", ping},     {"status", status}, {"replay", replay_answer},
                 {"cursor", cursor}, {"commit", commit}, {"report", take_report}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].name, name)) return verbs[i].answer;
    return NULL;
}
