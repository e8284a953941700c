/* steno prices: what models cost, and where that is known from. An action a file; here are their names and what they share. */
#include "cli/prices.h"

#include <string.h>

#include "cli/options.h"
#include "cli/price_lines.h"
#include "cli/program.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schema/clean.h"

/* A price file has 2 MB: this is for a slow line. */
#define TIMEOUT_MS_DEFAULT 60000
#define TIMEOUT_SECONDS_MAX 3600

static const option_spec options[] = {
    {'p', "provider", "NAME", OPTION_TEXT, offsetof(prices_options, provider), 0,
     "list: only its entries; show: of a call to it"},
    {0, "dry-run", NULL, OPTION_FLAG, offsetof(prices_options, dry_run), 0,
     "import: tell what it would change, and change nothing"},
    {0, "force", NULL, OPTION_FLAG, offsetof(prices_options, force), 0,
     "import: even if it has far fewer entries than what it replaces"},
    {0, "timeout", "SECONDS", OPTION_SECONDS, offsetof(prices_options, timeout_ms), TIMEOUT_SECONDS_MAX,
     "for all of a URL (60)"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(prices_options, json), 0,
     "list, show, diff: JSON; dollars for one token"},
};

static const command self = {
    .name = "prices",
    .about = "Shows what models cost, and takes prices from a file",
    .arguments = "list|show|diff|check|import [ARGUMENT]",
    .arguments_min = 1,
    .arguments_max = 2,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes =
        "  list [PATTERN]     the entries that count: names with PATTERN in them, or like it where it has * or ?\n"
        "  show MODEL         which entry a call of MODEL (or PROVIDER/MODEL) is priced by, and all of its prices\n"
        "  diff [FILE|URL]    what imported and own entries change; with an argument, what importing it would\n"
        "  check FILE|URL     what is wrong with a price file, and which of its keys Steno has no use for\n"
        "  import FILE|URL    the same, and then put it in the place of what was imported before\n"
        "\n"
        "Prices are built in, imported, or your own, in prices/own.json of the state folder; a later one comes before "
        "an\n"
        "earlier one. Price files are JSON in the ecosystem's usual form (COSTS.md); \"-\" is standard input. "
        "Running\n"
        "programs take a change up within a second; what was priced before stays as it is until \"steno recost\" "
        "prices\nit again.\n"
        "URLs are https, or http from this machine.\n",
};

static const struct action {
    const char *name;
    int (*run)(const prices_options *, const char *);
    bool needs, takes; /* an argument */
    bool may_json, may_filter, may_import;
} actions[] = {
    {"list", prices_list, .takes = true, .may_json = true, .may_filter = true},
    {"show", prices_show, .needs = true, .takes = true, .may_json = true, .may_filter = true},
    {"diff", prices_diff, .takes = true, .may_json = true},
    {"check", prices_check, .needs = true, .takes = true},
    {"import", prices_import, .needs = true, .takes = true, .may_import = true},
};

int prices_run(int argc, char **argv) {
    prices_options wanted = {.timeout_ms = TIMEOUT_MS_DEFAULT};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    const struct action *action =
        options_action(&self, arguments[0], "prices", actions, sizeof *actions, sizeof actions / sizeof *actions);
    if (!action) return EXIT_USAGE;
    if (action->needs && !arguments[1]) return options_fail(&self, "%s: of what? an argument is missing", action->name);
    if (wanted.json && !action->may_json) return options_fail(&self, "--json is not for %s", action->name);
    if (wanted.provider && !action->may_filter) return options_fail(&self, "--provider is not for %s", action->name);
    if ((wanted.dry_run || wanted.force) && !action->may_import)
        return options_fail(&self, "--%s is for import alone", wanted.dry_run ? "dry-run" : "force");
    return action->run(&wanted, arguments[1]);
}

CLEANUP_FUNCTION(clean_prices, steno_prices, steno_prices_free)

int prices_open(prices_view *out) {
    cleanup(clean_prices) steno_prices *prices = NULL;
    steno_error error;
    *out = (prices_view){0};
    if (steno_prices_open(NULL, &prices, &error)) return program_fail("%s", error.message);
    if (steno_prices_problem(prices, &error)) program_fail("%s: its prices do not count", error.message);
    *out = prices_take(prices);
    return EXIT_FINE;
}

int prices_parse(const price_source *source, const price_listener *listener, price_table **out) {
    steno_error error;
    return price_table_parse(source->name, source->text, source->size, listener, out, &error)
               ? program_fail("%s", error.message)
               : EXIT_FINE;
}

void prices_print_changes(price_changes changes) {
    char text[160];
    snprintf(text, sizeof text, "%zu %s new, %zu %s other prices, %zu %s gone.\n", changes.added,
             changes.added == 1 ? "entry is" : "entries are", changes.changed, changes.changed == 1 ? "has" : "have",
             changes.gone, changes.gone == 1 ? "is" : "are");
    terminal_paragraphs(text);
}

json_t *prices_entry_json(const price_row *row) {
    const price_entry *entry = row->entry;
    price_lines all;
    json_t *prices = json_object();
    price_lines_of(entry, &all);
    for (size_t i = 0; i < all.count; i++)
        if (all.lines[i].unit != PRICE_TEXT)
            json_object_set_new(prices, all.lines[i].key, price_line_json(&all.lines[i]));
    return json_pack("{s:s, s:s?, s:s?, s:s?, s:s, s:s?, s:s?, s:o}", "model", entry->model, "provider",
                     entry->provider, "mode", entry->mode, "base_model", entry->base_model, "source",
                     prices_layer_name(row->layer), "price_date", *entry->date ? entry->date : NULL, "origin",
                     entry->origin, "prices", prices);
}
