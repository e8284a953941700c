/* A row of the view `calls`. */
#include "cli/call_row.h"

#include <string.h>

#include "cli/database.h"

const char *call_row_text(sqlite3_stmt *row, const char *column) {
    int index = database_column(row, column);
    return index < 0 ? NULL : (const char *)sqlite3_column_text(row, index);
}

bool call_row_number(sqlite3_stmt *row, const char *column, double *out) {
    int index = database_column(row, column);
    if (index < 0 || sqlite3_column_type(row, index) == SQLITE_NULL) return false;
    *out = sqlite3_column_double(row, index);
    return true;
}

static bool among(const char *name, const char *const *names) {
    for (; *names; names++)
        if (strcmp(name, *names) == 0) return true;
    return false;
}

json_t *call_row_json(sqlite3_stmt *row, bool texts) {
    static const char *const long_texts[] = {"messages", "response", "response_text", NULL};
    static const char *const json_columns[] = {"tags", "metadata", "messages", "response", NULL};
    static const char *const flags[] = {"stream", "cache_hit", NULL};
    json_t *object = json_object();
    for (int i = 0; object && i < sqlite3_column_count(row); i++) {
        const char *name = sqlite3_column_name(row, i);
        if (*name == '_' || (!texts && among(name, long_texts))) continue;
        json_t *value = among(name, flags)          ? json_boolean(sqlite3_column_int(row, i))
                        : among(name, json_columns) ? database_json_parsed(row, i)
                                                    : database_json(row, i);
        if (json_object_set_new(object, name, value)) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

tone call_row_tone(const char *status) {
    if (!status) return TONE_PLAIN;
    return strcmp(status, "success") == 0 ? TONE_GOOD : strcmp(status, "failure") == 0 ? TONE_BAD : TONE_WAITING;
}
