/* steno prices check and import: what is in a price file, what of it is of no use, and taking it over. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/price_store.h"
#include "cli/prices.h"
#include "cli/program.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schema/clean.h"

/* Lines of each list; the rest is counted. */
#define LISTED_MAX 40
/* A file with less than this part of the entries that were imported before is a mistake (half a download, another file). */
#define SHRUNK_TO 2

/* What a reader had to say. Two JSON objects, because they are maps that keep their order. */
typedef struct findings {
    json_t *keys;    /* key → in how many entries it was passed over */
    json_t *invalid; /* entry → why */
    size_t unpriced; /* entries without a price that is understood */
} findings;

CLEANUP_FUNCTION(table_release, table, table_free)
CLEANUP_FUNCTION(clean_table, price_table, price_table_release)
CLEANUP_FUNCTION(clean_json, json_t, json_decref)

static void release_findings(findings *found) {
    json_decref(found->keys);
    json_decref(found->invalid);
}

static void on_ignored(const char *model, const char *key, void *ctx) {
    findings *self = ctx;
    (void)model;
    json_object_set_new(self->keys, key, json_integer(json_integer_value(json_object_get(self->keys, key)) + 1));
}

static void on_invalid(const char *model, const char *why, void *ctx) {
    findings *self = ctx;
    if (strcmp(why, PRICE_NONE_UNDERSTOOD) == 0)
        self->unpriced++;
    else
        json_object_set_new(self->invalid, model, json_string(why));
}

/* ---- telling ---- */

static void tell_invalid(const char *file, const json_t *invalid) {
    const char *model;
    json_t *why;
    size_t told = 0;
    json_object_foreach((json_t *)(uintptr_t)invalid, model, why) {
        if (told++ == LISTED_MAX) {
            program_fail("%s: %zu more entries are left out", file, json_object_size(invalid) - LISTED_MAX);
            return;
        }
        program_fail("%s: entry \"%s\" is left out: %s", file, model, json_string_value(why));
    }
}

/* The key with the most entries first. */
static int by_count(const void *a, const void *b) {
    const json_int_t left = json_integer_value(json_object_iter_value(*(void *const *)a)),
                     right = json_integer_value(json_object_iter_value(*(void *const *)b));
    return left != right ? (left < right) - (left > right)
                         : strcmp(json_object_iter_key(*(void *const *)a), json_object_iter_key(*(void *const *)b));
}

static int print_keys(json_t *keys) {
    const size_t count = json_object_size(keys);
    if (count == 0) return EXIT_FINE;
    cleanup(table_release) table *grid = table_new();
    cleanup_free void **sorted = calloc(count, sizeof *sorted);
    if (!grid || !sorted) return program_fail("out of memory");
    size_t at = 0;
    for (void *iter = json_object_iter(keys); iter; iter = json_object_iter_next(keys, iter)) sorted[at++] = iter;
    qsort(sorted, count, sizeof *sorted, by_count);
    const size_t key = table_column(grid, "KEY PASSED OVER", TABLE_CUT),
                 entries = table_column(grid, "ENTRIES", TABLE_RIGHT);
    for (size_t i = 0; i < count && i < LISTED_MAX; i++) {
        table_row(grid);
        table_cell(grid, key, json_object_iter_key(sorted[i]), TONE_PLAIN);
        table_count(grid, entries, json_integer_value(json_object_iter_value(sorted[i])));
    }
    const int failed = table_print(grid);
    if (!failed && count > LISTED_MAX) printf("and %zu more keys\n", count - LISTED_MAX);
    if (!failed) putchar('\n');
    return failed;
}

/* Reads and checks a file, and tells what there is to tell. *out is the caller's. */
static int examine(const price_source *source, price_table **out, findings *found) {
    *found = (findings){.keys = json_object(), .invalid = json_object()};
    if (!found->keys || !found->invalid) return program_fail("out of memory");
    const price_listener listener = {.ignored = on_ignored, .invalid = on_invalid, .ctx = found};
    int failed = prices_parse(source, &listener, out);
    if (failed) return failed;
    tell_invalid(source->name, found->invalid);
    failed = print_keys(found->keys);
    if (failed) return failed;
    text_put(stdout, source->name, strlen(source->name), TEXT_LINE);
    printf(": %zu %s prices, %zu %s none that is understood, %zu %s invalid.\n", (*out)->count,
           (*out)->count == 1 ? "entry has" : "entries have", found->unpriced, found->unpriced == 1 ? "has" : "have",
           json_object_size(found->invalid), json_object_size(found->invalid) == 1 ? "is" : "are");
    return (*out)->count ? EXIT_FINE
                         : program_fail("%s: not one entry in it has a price: is it a price file?", source->name);
}

int prices_check(const prices_options *options, const char *argument) {
    cleanup(price_source_release) price_source source = {0};
    cleanup(release_findings) findings found = {0};
    cleanup(clean_table) price_table *read = NULL;
    int failed = price_source_read(argument, options->timeout_ms, &source);
    if (!failed) failed = examine(&source, &read, &found);
    return !failed && json_object_size(found.invalid) ? EXIT_FAILED : failed;
}

/* ---- importing ---- */

static bool dump(FILE *out, const json_t *json) {
    return json_dumpf(json, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) == 0;
}

/* "NAME": VALUE, on a line. */
static bool put_member(FILE *out, const char *before, const char *name, const json_t *value) {
    cleanup(clean_json) json_t *key = json_string(name);
    fputs(before, out);
    bool put = key && dump(out, key);
    fputs(": ", out);
    return put && dump(out, value);
}

/* The file as it is kept: whence and when, and then every member as it was. */
static bool put_file(FILE *out, const price_source *source, const json_t *root) {
    char now[32];
    const time_t seconds = time(NULL);
    struct tm parts;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
    cleanup(clean_json) json_t *import = json_pack("{s:s, s:s}", "source", source->name, "imported", now);
    const char *name;
    json_t *value;
    bool put = import && put_member(out, "{\n", PRICE_IMPORT_KEY, import);
    json_object_foreach((json_t *)(uintptr_t)root, name, value) {
        if (strcmp(name, PRICE_IMPORT_KEY) != 0) put = put && put_member(out, ",\n", name, value);
    }
    fputs("\n}\n", out);
    return put;
}

static int compose(const price_source *source, char **text, size_t *size) {
    cleanup(clean_json) json_t *root = json_loadb(source->text, source->size, 0, NULL);
    FILE *out = root ? open_memstream(text, size) : NULL;
    if (!out) return program_fail("out of memory");
    const bool put = put_file(out, source, root);
    if (fclose(out) || !put) return program_fail("out of memory");
    if (*size > PRICE_FILE_BYTES_MAX)
        return program_fail("%s: it would be kept in more than %u MiB: that is no price file", source->name,
                            PRICE_FILE_BYTES_MAX >> 20);
    return EXIT_FINE;
}

static int refuse_shrunk(const price_source *source, const price_table *read, const price_table *old) {
    return program_fail("%s: %zu entries, where %zu were imported before: if that is right, import it with --force",
                        source->name, read->count, old->count);
}

static int count_changes(const prices_view *view, price_table *read, price_changes *out) {
    const prices_view from = {.tables = {view->tables[PRICES_BUILT_IN], view->tables[PRICES_LAYER_IMPORTED]}},
                      to = {.tables = {view->tables[PRICES_BUILT_IN], read}};
    cleanup(price_rows_release) price_rows before = {0}, after = {0};
    if (!price_rows_of(&from, &before) || !price_rows_of(&to, &after)) return program_fail("out of memory");
    *out = price_rows_compare(&before, &after, NULL, NULL);
    return EXIT_FINE;
}

int prices_import(const prices_options *options, const char *argument) {
    cleanup(prices_release) prices_view view = {0};
    cleanup(price_source_release) price_source source = {0};
    cleanup(release_findings) findings found = {0};
    cleanup(clean_table) price_table *read = NULL;
    cleanup_free char *text = NULL;
    size_t size = 0;
    price_changes changes = {0};
    char path[PRICE_STORE_PATH_BYTES];
    int failed = prices_open(&view);
    if (!failed) failed = price_source_read(argument, options->timeout_ms, &source);
    if (!failed) failed = examine(&source, &read, &found);
    if (failed) return failed;
    const price_table *old = view.tables[PRICES_LAYER_IMPORTED];
    if (old && read->count < old->count / SHRUNK_TO && !options->force) return refuse_shrunk(&source, read, old);
    failed = count_changes(&view, read, &changes);
    if (!failed) failed = compose(&source, &text, &size);
    if (!failed && !options->dry_run) failed = price_store_write(text, size, path);
    if (failed) return failed;
    prices_print_changes(changes);
    if (options->dry_run)
        puts("Nothing was imported: --dry-run.");
    else
        printf("Imported to %s.\n", path);
    return EXIT_FINE;
}
