/* Reading a whole price file. */
#include "client/price_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "client/price_provider.h"
#include "schema/clean.h"

CLEANUP_FUNCTION(clean_json, json_t, json_decref)
CLEANUP_FUNCTION(clean_table, price_table, price_table_release)
CLEANUP_FUNCTION(clean_file, FILE, fclose)

static int by_model(const void *a, const void *b) {
    const price_entry *left = a, *right = b;
    int order = strcasecmp(left->model, right->model);
    return order ? order : strcmp(left->model, right->model);
}

/* Tells a listener which entry a key was in. */
typedef struct hearing {
    const price_listener *listener;
    const char *model;
} hearing;

static void on_ignored(const char *key, void *ctx) {
    const hearing *self = ctx;
    self->listener->ignored(self->model, key, self->listener->ctx);
}

static bool is_entry(const char *name) { return *name != '_' && strcmp(name, PRICE_SAMPLE_KEY); }

/* What `steno prices import` wrote about the file. */
static steno_status read_import(price_table *self, const json_t *root, steno_error *error) {
    const json_t *import = json_object_get(root, PRICE_IMPORT_KEY);
    const char *origin = json_string_value(json_object_get(import, "source")),
               *when = json_string_value(json_object_get(import, "imported"));
    if (when && strlen(when) >= PRICE_DATE_BYTES - 1) memcpy(self->date, when, PRICE_DATE_BYTES - 1);
    if (origin && !(self->origin = strdup(origin))) return steno_fail(error, STENO_NO_MEMORY, "no memory for prices");
    return STENO_OK;
}

static steno_status read_entries(price_table *self, const json_t *root, const price_listener *listener,
                                 steno_error *error) {
    const char *model;
    json_t *row;
    json_object_foreach((json_t *)(uintptr_t)root, model, row) {
        hearing ear = {.listener = listener, .model = model};
        price_entry *entry = &self->entries[self->count];
        steno_error why;
        if (!is_entry(model)) continue;
        steno_status status =
            price_entry_read(model, row, listener && listener->ignored ? on_ignored : NULL, &ear, entry, &why);
        if (status == STENO_NO_MEMORY) return steno_fail(error, status, "%s", why.message);
        if (status) {
            if (listener && listener->invalid) listener->invalid(model, why.message, listener->ctx);
            continue;
        }
        if (!*entry->date) strcpy(entry->date, self->date);
        self->count++;
    }
    return STENO_OK;
}

steno_status price_table_parse(const char *name, const char *text, size_t size, const price_listener *listener,
                               price_table **out, steno_error *error) {
    json_error_t detail;
    *out = NULL;
    cleanup(clean_json) json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &detail);
    if (!root)
        return steno_fail(error, STENO_CORRUPT, "%s, line %d, column %d: %s", name, detail.line, detail.column,
                          detail.text);
    if (!json_is_object(root))
        return steno_fail(error, STENO_CORRUPT, "%s: a price file is one JSON object, from models to entries", name);
    if (json_object_size(root) > PRICE_ENTRIES_MAX)
        return steno_fail(error, STENO_LIMIT, "%s: more than %u entries", name, PRICE_ENTRIES_MAX);
    cleanup(clean_table) price_table *self = calloc(1, sizeof *self);
    if (self) {
        atomic_init(&self->holders, 1);
        self->entries = calloc(json_object_size(root) + 1, sizeof *self->entries);
    }
    if (!self || !self->entries) return steno_fail(error, STENO_NO_MEMORY, "no memory for the prices of %s", name);
    steno_status status = read_import(self, root, error);
    if (!status) status = read_entries(self, root, listener, error);
    if (status) return status;
    qsort(self->entries, self->count, sizeof *self->entries, by_model);
    *out = self;
    self = NULL;
    return STENO_OK;
}

steno_status price_table_read(const char *path, const price_listener *listener, price_table **out, steno_error *error) {
    *out = NULL;
    cleanup(clean_file) FILE *file = fopen(path, "re");
    struct stat found;
    if (!file || fstat(fileno(file), &found))
        return steno_fail(error, errno == ENOENT ? STENO_NOT_FOUND : STENO_SYSTEM, "cannot read %s: %s", path,
                          strerror(errno));
    if (found.st_size > (off_t)PRICE_FILE_BYTES_MAX)
        return steno_fail(error, STENO_LIMIT, "%s is larger than %u MiB: that is no price file", path,
                          PRICE_FILE_BYTES_MAX >> 20);
    cleanup_free char *text = malloc((size_t)found.st_size + 1);
    if (!text) return steno_fail(error, STENO_NO_MEMORY, "no memory for %s", path);
    size_t size = fread(text, 1, (size_t)found.st_size, file);
    if (ferror(file)) return steno_fail(error, STENO_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    return price_table_parse(path, text, size, listener, out, error);
}

price_table *price_table_hold(price_table *table) {
    if (table) atomic_fetch_add(&table->holders, 1);
    return table;
}

void price_table_release(price_table *table) {
    if (!table || atomic_fetch_sub(&table->holders, 1) > 1) return;
    for (size_t i = 0; i < table->count; i++) price_entry_clear(&table->entries[i]);
    free(table->entries);
    free(table->origin);
    free(table);
}

/* The first entry that is not before `model`. */
static size_t lower_bound(const price_table *table, const char *model) {
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcasecmp(table->entries[middle].model, model) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const price_entry *price_table_find(const price_table *table, const char *model, const char *provider) {
    const price_entry *found = NULL;
    if (!table) return NULL;
    for (size_t i = lower_bound(table, model); i < table->count && !strcasecmp(table->entries[i].model, model); i++) {
        if (!price_provider_is(table->entries[i].provider, provider)) continue;
        if (!found || !strcmp(table->entries[i].model, model)) found = &table->entries[i];
    }
    return found;
}
