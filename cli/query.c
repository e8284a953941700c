/* steno query: any SQL that only reads, one statement. What it may do is decided by SQLite's authorizer, not by looking at words. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/database.h"
#include "cli/held.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

/* A table is laid out in memory, and read by a person; more rows are for --csv and --json. */
#define TABLE_ROWS_MAX 10000
/* A column narrower than this, with the space beside it, cannot be read. */
#define COLUMNS_EACH 12
/* Room for the longest column name of `calls`. */
#define BLOCK_NAME_COLUMNS 18

struct query {
    bool json, csv;
};

static const option_spec options[] = {
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct query, json), 0, "one JSON array of objects, one row each"},
    {0, "csv", NULL, OPTION_FLAG, offsetof(struct query, csv), 0, "CSV with a header; NULL is an empty field"},
};

static const command self = {
    .name = "query",
    .about = "Reads the log with one SQL statement of SQLite",
    .arguments = "SQL",
    .arguments_min = 1,
    .arguments_max = -1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes =
        "People read the view `calls`; the tables are call, content, cost, event, publisher, subscriber, loss.\n"
        "  steno query \"select model, count(*), sum(cost_usd) from calls group by model\"\n"
        "  steno query \"select tag.value, count(*) from calls, json_each(calls.tags) tag group by 1\"\n"
        "Statements that would write are refused; pragmas that tell something (table_info, table_list, index_list,\n"
        "user_version, ...) are not. Bytes (BLOB) are shown as hexadecimal digits.\n",
};

/* What the authorizer refused first, in words; empty: nothing. */
typedef struct refusal {
    char what[128];
} refusal;

static const char *action_name(int action) {
    switch (action) {
    case SQLITE_INSERT: return "INSERT";
    case SQLITE_UPDATE: return "UPDATE";
    case SQLITE_DELETE: return "DELETE";
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VTABLE: return "DROP";
    case SQLITE_ALTER_TABLE: return "ALTER";
    case SQLITE_ATTACH: return "ATTACH";
    case SQLITE_DETACH: return "DETACH";
    case SQLITE_PRAGMA: return "PRAGMA";
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: return "a transaction";
    case SQLITE_REINDEX:
    case SQLITE_ANALYZE: return "REINDEX or ANALYZE";
    case SQLITE_FUNCTION: return "the function";
    default: return "CREATE";
    }
}

static bool is_one_of(const char *name, const char *const *names) {
    while (*names && strcasecmp(name, *names)) names++;
    return *names;
}

/* Pragmas that only tell something, whatever their argument, and those that only do without one. */
static bool pragma_tells(const char *name, const char *argument) {
    static const char *const telling[] = {"table_info",      "table_xinfo", "table_list",       "index_list",
                                          "index_info",      "index_xinfo", "foreign_key_list", "foreign_key_check",
                                          "database_list",   "pragma_list", "collation_list",   "function_list",
                                          "module_list",     "page_count",  "freelist_count",   "data_version",
                                          "integrity_check", "quick_check", "compile_options",  NULL};
    static const char *const without_one[] = {
        "user_version", "schema_version", "application_id", "encoding", "page_size", "auto_vacuum", NULL};
    return is_one_of(name, telling) || (!argument && is_one_of(name, without_one));
}

/* What SQLite itself prepares, and never runs, to declare a table-valued function (json_each). Of a user it refuses the same by itself. */
static bool is_declaration(int action, const char *written) {
    return action == SQLITE_UPDATE && written && strcmp(written, "sqlite_master") == 0;
}

static int authorize(void *ctx, int action, const char *first, const char *second, const char *database,
                     const char *trigger) {
    (void)database;
    (void)trigger;
    refusal *refused = ctx;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
        if (second && strcasecmp(second, "load_extension") != 0) return SQLITE_OK;
        break;
    case SQLITE_PRAGMA:
        if (first && pragma_tells(first, second)) return SQLITE_OK;
        break;
    default:
        if (is_declaration(action, first)) return SQLITE_OK;
        break;
    }
    const char *name = action == SQLITE_FUNCTION ? second : first;
    if (!refused->what[0])
        snprintf(refused->what, sizeof refused->what, "%s%s%s", action_name(action), name ? " " : "", name ? name : "");
    return SQLITE_DENY;
}

/* The user's statement, allowed and alone. Returns the exit status. */
static int prepare(sqlite3 *database, const char *sql, sqlite3_stmt **out) {
    refusal refused = {""};
    const char *rest = sql;
    sqlite3_set_authorizer(database, authorize, &refused);
    int code = sqlite3_prepare_v2(database, sql, -1, out, &rest);
    if (refused.what[0])
        return program_fail("the log is only read here, this statement would not only read: %s", refused.what);
    if (code != SQLITE_OK) {
        int at = sqlite3_error_offset(database);
        if (at < 0) return program_fail("%s", sqlite3_errmsg(database));
        return program_fail("%s: near \"%.40s\"", sqlite3_errmsg(database), sql + at);
    }
    if (!*out) return program_fail("no SQL statement given");
    if (!sqlite3_stmt_readonly(*out)) return program_fail("the log is only read here, this statement would write");
    /* Only white space, comments and semicolons may follow: then there is nothing to prepare. */
    cleanup(database_finalize) sqlite3_stmt *second = NULL;
    while (code == SQLITE_OK && !second && *rest) code = sqlite3_prepare_v2(database, rest, -1, &second, &rest);
    if (code != SQLITE_OK || second) return program_fail("more than one statement: give one at a time");
    sqlite3_set_authorizer(database, NULL, NULL);
    return EXIT_FINE;
}

static json_t *row_json(sqlite3_stmt *row) {
    json_t *object = json_object();
    for (int i = 0; object && i < sqlite3_column_count(row); i++) {
        if (json_object_set_new(object, sqlite3_column_name(row, i), database_json(row, i)) == 0) continue;
        json_decref(object);
        object = NULL;
    }
    return object;
}

static int write_json(sqlite3_stmt *rows, FILE *out, int *code) {
    report array;
    int failed = EXIT_FINE;
    report_begin(&array, out);
    while (!failed && (*code = sqlite3_step(rows)) == SQLITE_ROW) failed = report_row(&array, row_json(rows));
    report_end(&array);
    return failed;
}

static int write_csv(sqlite3_stmt *rows, FILE *out, int *code) {
    int count = sqlite3_column_count(rows);
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_column_name(rows, i);
        report_csv_field(out, name, strlen(name), i == 0);
    }
    report_csv_end(out);
    while (!ferror(out) && (*code = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++) {
            bool blob = sqlite3_column_type(rows, i) == SQLITE_BLOB;
            cleanup_free char *hex = blob ? database_hex(rows, i) : NULL;
            const char *text = blob ? hex : (const char *)sqlite3_column_text(rows, i);
            size_t size = !text ? 0 : blob ? strlen(hex) : (size_t)sqlite3_column_bytes(rows, i);
            report_csv_field(out, text ? text : "", size, i == 0);
        }
        report_csv_end(out);
    }
    return EXIT_FINE;
}

static int print_held(sqlite3 *database, sqlite3_stmt *rows, int (*write)(sqlite3_stmt *, FILE *, int *)) {
    cleanup(held_close) FILE *held = held_begin();
    if (!held) return EXIT_FAILED;
    int code = SQLITE_DONE, failed = write(rows, held, &code);
    if (!failed && !ferror(held)) failed = database_end(database, code);
    sqlite3_reset(rows);
    return failed ? failed : held_print(held);
}

CLEANUP_FUNCTION(table_release, table, table_free)

static void show_row(table *grid, sqlite3_stmt *row) {
    table_row(grid);
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        int type = sqlite3_column_type(row, i);
        cleanup_free char *hex = type == SQLITE_BLOB ? database_hex(row, i) : NULL;
        if (type == SQLITE_NULL)
            table_cell(grid, (size_t)i, terminal_is() ? "NULL" : "", TONE_DIM);
        else if (type == SQLITE_BLOB)
            table_cell(grid, (size_t)i, hex, TONE_PLAIN);
        else
            table_cell_n(grid, (size_t)i, (const char *)sqlite3_column_text(row, i),
                         (size_t)sqlite3_column_bytes(row, i), TONE_PLAIN);
    }
}

/* More columns than fit side by side: one below the other, a row a block. */
static int print_blocks(sqlite3 *database, sqlite3_stmt *rows) {
    cleanup(held_close) FILE *held = held_begin();
    if (!held) return EXIT_FAILED;
    int code;
    for (size_t count = 0; (code = sqlite3_step(rows)) == SQLITE_ROW; count++) {
        if (count) fputc('\n', held);
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            const char *name = sqlite3_column_name(rows, i);
            cleanup_free char *safe_name = text_line(name, strlen(name));
            cleanup_free char *hex = sqlite3_column_type(rows, i) == SQLITE_BLOB ? database_hex(rows, i) : NULL;
            const char *value = hex ? hex : (const char *)sqlite3_column_text(rows, i);
            fprintf(held, "%s%*s%s  ", terminal_tone(TONE_DIM), BLOCK_NAME_COLUMNS, safe_name ? safe_name : "",
                    terminal_plain());
            if (value)
                text_put(held, value, hex ? strlen(hex) : (size_t)sqlite3_column_bytes(rows, i), TEXT_LINE);
            else
                fprintf(held, "%sNULL%s", terminal_tone(TONE_DIM), terminal_plain());
            fputc('\n', held);
        }
    }
    int failed = database_end(database, code);
    sqlite3_reset(rows);
    return failed ? failed : held_print(held);
}

static int print_table(sqlite3 *database, sqlite3_stmt *rows) {
    /* One column is readable however narrow it is. */
    size_t columns = (size_t)sqlite3_column_count(rows);
    if (terminal_is() && columns > 1 && columns * COLUMNS_EACH > terminal_width()) return print_blocks(database, rows);
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    int code = sqlite3_step(rows);
    /* A column is a number's if the first row has one there. */
    for (int i = 0; i < sqlite3_column_count(rows); i++) {
        int type = code == SQLITE_ROW ? sqlite3_column_type(rows, i) : SQLITE_NULL;
        bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
        table_column(grid, sqlite3_column_name(rows, i), number ? TABLE_RIGHT : TABLE_CUT);
    }
    size_t count = 0;
    for (; code == SQLITE_ROW && count < TABLE_ROWS_MAX; code = sqlite3_step(rows), count++) show_row(grid, rows);
    bool more = code == SQLITE_ROW;
    int failed = more ? EXIT_FINE : database_end(database, code);
    sqlite3_reset(rows);
    if (!failed) failed = table_print(grid);
    if (!failed && more) failed = program_fail("more than %d rows: use --csv or --json for the rest", TABLE_ROWS_MAX);
    return failed;
}

int query_run(int argc, char **argv) {
    struct query wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    if (arguments[1])
        return options_fail(&self, "\"%s\" is one argument too many: put the statement in quotes", arguments[1]);
    if (wanted.json && wanted.csv) return options_fail(&self, "--json and --csv: only one of them");
    cleanup(database_close) sqlite3 *database = NULL;
    status = database_open(NULL, &database);
    if (status) return status;
    cleanup(database_finalize) sqlite3_stmt *rows = NULL;
    status = prepare(database, arguments[0], &rows);
    if (status) return status;
    if (wanted.json) return print_held(database, rows, write_json);
    return wanted.csv ? print_held(database, rows, write_csv) : print_table(database, rows);
}
