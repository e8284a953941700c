/* steno budget set and remove: budgets.ini is read, changed and replaced as a whole, by one at a time. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/budget.h"
#include "cli/program.h"
#include "cli/replace.h"
#include "schema/clean.h"

/* The file under its lock, and what is in it. */
typedef struct edit {
    place where;
    replacement file;
    budget_list list;
} edit;

static void end_edit(edit *self) {
    budget_list_clear(&self->list);
    replace_end(&self->file);
}

static int begin_edit(edit *self) {
    steno_error error;
    char path[BUDGET_FILE_PATH_BYTES];
    *self = (edit){.file = REPLACE_INIT};
    if (place_open(&self->where, NULL, &error)) return program_fail("%s", error.message);
    int failed = replace_begin(&self->file, self->where.state, BUDGET_FILE, "change of budgets");
    if (failed) return failed;
    budget_file_path(&self->where, path);
    return budget_file_read(path, true, &self->list, &error) ? program_fail("%s", error.message) : EXIT_FINE;
}

static void put_budget(FILE *out, const budget *what) {
    char limit[BUDGET_DOLLARS_BYTES];
    budget_dollars(what->limit, limit);
    fprintf(out, "\n[" BUDGET_SECTION "%s]\nscope = %s\nlimit = %s\nper = %s\nstop = %s\nalert = ", what->name,
            what->scope, limit, budget_period_name(what->period), what->stop ? "yes" : "no");
    for (size_t i = 0; i < what->alerts_count; i++) fprintf(out, "%s%u", i ? "," : "", what->alerts[i]);
    fputs(what->alerts_count ? "\n" : "none\n", out);
}

static int write_edit(edit *self) {
    cleanup_free char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return program_fail("out of memory");
    fputs("# Written by `steno budget`, which drops what it does not know. Budgets of your own can stand in "
          "stenod.ini.\n",
          out);
    for (size_t i = 0; i < self->list.count; i++) put_budget(out, &self->list.items[i]);
    if (fclose(out)) return program_fail("out of memory");
    return replace_write(&self->file, text, size);
}

/* "user-alice-month"; where characters had to go, a hash of the scope tells it from others. */
static void make_name(const char *scope, const char *period, char out[BUDGET_NAME_BYTES]) {
    char made[BUDGET_NAME_BYTES];
    uint32_t hash = 2166136261u; /* FNV-1a */
    bool same = strlen(scope) + strlen(period) + 1 < BUDGET_NAME_BYTES;
    size_t at = 0;
    for (const char *next = scope; *next; next++) {
        const unsigned char byte = (unsigned char)*next;
        const bool fits = byte < 0x80 && (isalnum(byte) || byte == '.' || byte == '_');
        hash = (hash ^ byte) * 16777619u;
        if (at < 40) made[at++] = (char)(fits ? byte : '-');
        if (!fits && next != strchr(scope, ':')) same = false;
    }
    if (same)
        snprintf(out, BUDGET_NAME_BYTES, "%.*s-%s", (int)at, made, period);
    else
        snprintf(out, BUDGET_NAME_BYTES, "%.*s-%08x-%s", (int)at, made, hash, period);
}

/* The budget that the options describe. */
static int describe(const budget_options *options, budget *out) {
    char why[BUDGET_WHY_BYTES];
    const char *per = options->per ? options->per : budget_period_name(BUDGET_MONTH);
    char name[BUDGET_NAME_BYTES];
    if (!options->scope || !options->limit) return budget_usage("set: --scope SCOPE and --limit DOLLARS are needed");
    if (options->name && !budget_name_valid(options->name))
        return budget_usage("option --name: \"%.64s\" is not 1 to 64 of A-Z a-z 0-9 _ . -", options->name);
    make_name(options->scope, per, name);
    *out = budget_new(options->name ? options->name : name);
    if (!budget_set(out, "scope", options->scope, why) || !budget_set(out, "limit", options->limit, why) ||
        !budget_set(out, "per", per, why) || (options->alert && !budget_set(out, "alert", options->alert, why)))
        return budget_usage("%s", why);
    out->stop = options->stop;
    return EXIT_FINE;
}

/* A name is one budget's, whichever file it is in. */
static int check_name(const place *where, const char *name) {
    steno_error error;
    budget_list list = {0};
    if (budget_file_read(where->config, false, &list, &error)) return program_fail("%s", error.message);
    const bool taken = budget_list_find(&list, name);
    budget_list_clear(&list);
    return taken ? program_fail("[budget %s] is of %s: change it there, or give this one another --name", name,
                                where->config)
                 : EXIT_FINE;
}

/* *lost: the one that it replaces refused calls, and this one does not. */
static int put(edit *self, const budget *what, bool *lost) {
    budget *old = (budget *)(uintptr_t)budget_list_find(&self->list, what->name);
    *lost = old && old->stop && !what->stop;
    if (old) {
        *old = *what;
        return EXIT_FINE;
    }
    if (self->list.count == BUDGETS_DEFINED_MAX)
        return program_fail("there are %d budgets, and more are not kept", BUDGETS_DEFINED_MAX);
    budget *grown = reallocarray(self->list.items, self->list.count + 1, sizeof *grown);
    if (!grown) return program_fail("out of memory");
    self->list.items = grown;
    self->list.items[self->list.count++] = *what;
    return EXIT_FINE;
}

int budget_set_run(const budget_options *options, const char *argument) {
    (void)argument;
    budget what;
    int failed = describe(options, &what);
    if (failed) return failed;
    cleanup(end_edit) edit all = {.file = REPLACE_INIT};
    failed = begin_edit(&all);
    if (!failed) failed = check_name(&all.where, what.name);
    bool lost = false;
    if (!failed) failed = put(&all, &what, &lost);
    if (!failed) failed = write_edit(&all);
    if (failed) return failed;
    printf("%s\n", what.name);
    if (lost) program_fail("%s: calls are not refused any more: that takes --stop each time it is set", what.name);
    return EXIT_FINE;
}

static bool is_meant(const budget *one, const budget_options *options, const char *name) {
    if (name) return strcmp(one->name, name) == 0;
    return strcmp(one->scope, options->scope) == 0 &&
           (!options->per || strcmp(budget_period_name(one->period), options->per) == 0);
}

/* Why nothing was removed: it may be in the other file. */
static int none_removed(const place *where, const budget_options *options, const char *name) {
    steno_error error;
    budget_list list = {0};
    bool there = false;
    if (!budget_file_read(where->config, false, &list, &error))
        for (size_t i = 0; i < list.count; i++) there = there || is_meant(&list.items[i], options, name);
    budget_list_clear(&list);
    if (there) return program_fail("%s: it is of %s: remove it there", name ? name : options->scope, where->config);
    return program_fail("%s: there is no such budget: \"steno budget list\" shows all", name ? name : options->scope);
}

int budget_remove_run(const budget_options *options, const char *argument) {
    if (!argument == !options->scope) return budget_usage("remove: which? NAME, or --scope SCOPE");
    if (argument && options->per) return budget_usage("remove: --per goes with --scope");
    cleanup(end_edit) edit all = {.file = REPLACE_INIT};
    int failed = begin_edit(&all);
    if (failed) return failed;
    size_t kept = 0;
    for (size_t i = 0; i < all.list.count; i++)
        if (!is_meant(&all.list.items[i], options, argument)) all.list.items[kept++] = all.list.items[i];
    if (kept == all.list.count) return none_removed(&all.where, options, argument);
    all.list.count = kept;
    return write_edit(&all);
}
