/* steno show: everything of one call: its row, its texts, its events as far as the journal still has them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call_id.h"
#include "cli/call_row.h"
#include "cli/database.h"
#include "cli/event_line.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/show_text.h"
#include "cli/verbs.h"
#include "schema/event.h"
#include "schema/json.h"

struct show {
    bool json;
};

static const option_spec options[] = {
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct show, json), 0,
     "one JSON object: the columns of `calls`, and `events`"},
};

static const command self = {
    .name = "show",
    .about = "Shows everything of one call: fields, messages, response, events",
    .arguments = "CALL_ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "The beginning of the id is enough where no other call begins so; \"steno logs\" shows such ids.\n"
             "Events leave the journal after some days (stenod.ini); the rest of a call stays.\n",
};

static json_t *read_events(sqlite3 *database, const char *call_id) {
    cleanup(database_finalize) sqlite3_stmt *rows = NULL;
    if (database_prepare(database, "SELECT offset, body FROM event WHERE call_id = ?1 ORDER BY offset", &rows))
        return NULL;
    sqlite3_bind_text(rows, 1, call_id, -1, SQLITE_STATIC);
    json_t *events = json_array();
    int code;
    while (events && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        steno_event *event;
        steno_error error;
        uint64_t offset = (uint64_t)sqlite3_column_int64(rows, 0);
        if (steno_event_decode(sqlite3_column_blob(rows, 1), (size_t)sqlite3_column_bytes(rows, 1), &event, &error)) {
            program_fail("event %" PRIu64 ": %s", offset, error.message);
            continue;
        }
        steno_event_set_offset(event, offset);
        json_t *json = event_line_json(event);
        /* For people: the line, made while the event is decoded. */
        cleanup_free char *line = event_line(event);
        if (!json || json_array_append_new(events, json_pack("{s:o, s:s?}", "event", json, "line", line)))
            code = SQLITE_NOMEM;
        steno_event_free(event);
        if (code == SQLITE_NOMEM) break;
    }
    if (events && database_end(database, code) == EXIT_FINE) return events;
    json_decref(events);
    return NULL;
}

/* The call's row and its events, both read in one moment of the log. Returns the exit status. */
static int read_call(sqlite3 *database, const char *call_id, json_t **call, json_t **events) {
    cleanup(database_finalize) sqlite3_stmt *row = NULL;
    if (sqlite3_exec(database, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return program_fail("reading the log: %s", sqlite3_errmsg(database));
    int status = database_prepare(database, "SELECT * FROM calls WHERE call_id = ?1", &row);
    if (!status) {
        sqlite3_bind_text(row, 1, call_id, -1, SQLITE_STATIC);
        int code = sqlite3_step(row);
        if (code == SQLITE_ROW) *call = call_row_json(row, true);
        if (code != SQLITE_ROW)
            status = program_fail("reading the log: %s", sqlite3_errmsg(database));
        else if (!*call)
            status = program_fail("out of memory");
        else if (!(*events = read_events(database, call_id)))
            status = EXIT_FAILED;
    }
    sqlite3_reset(row);
    sqlite3_exec(database, "COMMIT", NULL, NULL, NULL);
    return status;
}

static int print_json(json_t *call, const json_t *events) {
    json_t *plain = json_array();
    size_t index;
    json_t *entry;
    json_array_foreach(events, index, entry) json_array_append(plain, json_object_get(entry, "event"));
    if (json_object_set_new(call, "events", plain)) return program_fail("out of memory");
    json_dumpf(call, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    putchar('\n');
    return EXIT_FINE;
}

int show_run(int argc, char **argv) {
    struct show wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    cleanup(database_close) sqlite3 *database = NULL;
    char call_id[CALL_ID_BYTES];
    status = database_open(NULL, &database);
    if (!status) status = call_id_find(database, arguments[0], call_id);
    if (status) return status;
    cleanup(database_json_release) json_t *call = NULL;
    cleanup(database_json_release) json_t *events = NULL;
    status = read_call(database, call_id, &call, &events);
    if (status) return status;
    if (wanted.json) return print_json(call, events);
    show_text(call, events);
    return EXIT_FINE;
}
