/* Budgets out of INI files, by inih and what ini_line.h adds to it. */
#include "subscribers/budget_files.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/ini_line.h"

/* Entries are made room for by so many. */
#define LIST_STEP 32

typedef struct parse {
    const char *path;
    ini_line line; /* in hand */
    int budget_line;
    bool by_command;
    budget now; /* of the section in hand; "" for a name: it is no budget */
    budget_list *list;
    steno_error *error;
    steno_status status;
} parse;

CLEANUP_FUNCTION(clean_file, FILE, fclose)

void budget_list_clear(budget_list *self) {
    free(self->items);
    *self = (budget_list){0};
}

const budget *budget_list_find(const budget_list *self, const char *name) {
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp(self->items[i].name, name)) return &self->items[i];
    return NULL;
}

/* Keeps the first error only. Returns 0, what an inih handler says for "no". */
static int refuse(parse *self, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(parse *self, int line, const char *format, ...) {
    if (self->status) return 0;
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    self->status = steno_fail(self->error, STENO_INVALID, "%s, line %d: %s", self->path, line, what);
    return 0;
}

static void append(parse *self) {
    budget_list *list = self->list;
    if (list->count % LIST_STEP == 0) {
        budget *grown = reallocarray(list->items, list->count + LIST_STEP, sizeof *grown);
        if (!grown) {
            self->status = steno_fail(self->error, STENO_NO_MEMORY, "no memory for the budgets of %s", self->path);
            return;
        }
        list->items = grown;
    }
    list->items[list->count++] = self->now;
}

static void end_budget(parse *self) {
    char why[BUDGET_WHY_BYTES];
    if (self->status || !self->now.name[0]) return;
    self->now.by_command = self->by_command;
    if (!budget_complete(&self->now, why))
        refuse(self, self->budget_line, "%s", why);
    else if (budget_list_find(self->list, self->now.name))
        refuse(self, self->budget_line, "there is another [budget %s] already", self->now.name);
    else if (self->list->count == BUDGETS_DEFINED_MAX)
        refuse(self, self->budget_line, "more than %d budgets", BUDGETS_DEFINED_MAX);
    else
        append(self);
    self->now.name[0] = '\0';
}

static void begin_section(parse *self, const char *section) {
    end_budget(self);
    if (strncmp(section, BUDGET_SECTION, strlen(BUDGET_SECTION)) != 0) return;
    const char *name = section + strlen(BUDGET_SECTION);
    name += strspn(name, " \t");
    if (!budget_name_valid(name))
        refuse(self, self->line.number, "a budget's name has 1 to 64 of A-Z a-z 0-9 _ . -, not \"%.64s\"", name);
    else
        self->now = budget_new(name);
    self->budget_line = self->line.number;
}

static char *read_line(char *text, int size, void *ctx) {
    parse *self = ctx;
    if (!ini_line_read(&self->line, text, size)) return NULL;
    if (self->line.too_long) refuse(self, self->line.number, "the line is longer than %d bytes", size - 2);
    if (self->line.begins) begin_section(self, self->line.section);
    return text;
}

static int take_key(void *ctx, const char *section, const char *key, const char *value) {
    parse *self = ctx;
    char why[BUDGET_WHY_BYTES];
    (void)section;
    if (self->status || !self->now.name[0]) return 1;
    if (budget_set(&self->now, key, value, why)) return 1;
    refuse(self, self->line.number, "%s", why);
    return 1; /* ours is the better complaint */
}

steno_status budget_file_read(const char *path, bool by_command, budget_list *list, steno_error *error) {
    cleanup(clean_file) FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT) return STENO_OK;
    if (!file) return steno_fail(error, STENO_SYSTEM, "cannot read budgets from %s: %s", path, strerror(errno));
    parse state = {.path = path, .line.file = file, .by_command = by_command, .list = list, .error = error};
    const int line = ini_parse_stream(read_line, &state, take_key, &state);
    end_budget(&state);
    if (line < 0) return steno_fail(error, STENO_NO_MEMORY, "no memory to read %s", path);
    if (line > 0) refuse(&state, line, "neither a [section] nor key = value");
    if (!state.status && ferror(file)) return steno_fail(error, STENO_SYSTEM, "cannot read budgets from %s", path);
    return state.status;
}

void budget_file_path(const place *where, char out[BUDGET_FILE_PATH_BYTES]) {
    snprintf(out, BUDGET_FILE_PATH_BYTES, "%s/" BUDGET_FILE, where->state);
}

steno_status budget_files_read(const place *where, budget_list *out, steno_error *error) {
    char path[BUDGET_FILE_PATH_BYTES];
    budget_file_path(where, path);
    *out = (budget_list){0};
    steno_status status = budget_file_read(where->config, false, out, error);
    if (!status) status = budget_file_read(path, true, out, error);
    if (status) budget_list_clear(out);
    return status;
}

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_size == b->st_size && a->st_ino == b->st_ino;
}

bool budget_files_changed(const place *where, budget_stamp *stamp) {
    char path[BUDGET_FILE_PATH_BYTES];
    budget_file_path(where, path);
    budget_stamp now = {0};
    if (stat(where->config, &now.files[0])) now.files[0] = (struct stat){0};
    if (stat(path, &now.files[1])) now.files[1] = (struct stat){0};
    const bool changed = !same(&now.files[0], &stamp->files[0]) || !same(&now.files[1], &stamp->files[1]);
    *stamp = now;
    return changed;
}
