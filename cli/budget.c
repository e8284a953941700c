/* steno budget: how much may be spent, by whom, in which time. An action a file; here are their names and what they share. */
#include "cli/budget.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/program.h"
#include "cli/verbs.h"
#include "schema/clean.h"

static const option_spec options[] = {
    {'s', "scope", "SCOPE", OPTION_TEXT, offsetof(budget_options, scope), 0,
     "set, remove: all, or user:NAME, tag:…, app:…, model:…, provider:…"},
    {'l', "limit", "DOLLARS", OPTION_TEXT, offsetof(budget_options, limit), 0, "set: what may be spent"},
    {'p', "per", "hour|day|week|month|total", OPTION_CHOICE, offsetof(budget_options, per), 0,
     "set, remove: in which time (month)"},
    {0, "stop", NULL, OPTION_FLAG, offsetof(budget_options, stop), 0,
     "set: refuse calls once it is used up (of clients with keep_budgets)"},
    {'a', "alert", "LIST", OPTION_TEXT, offsetof(budget_options, alert), 0,
     "set: when to publish alert.budget, in per cent (50,80,100), or none"},
    {'n', "name", "NAME", OPTION_TEXT, offsetof(budget_options, name), 0,
     "set: what it is called (made of scope and time)"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(budget_options, json), 0, "list: one JSON array of objects"},
};

static const command self = {
    .name = "budget",
    .about = "Keeps an eye on what is spent, and stops it",
    .arguments = "set|list|remove [NAME]",
    .arguments_min = 1,
    .arguments_max = 2,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "  set            adds a budget, or replaces the one of that name: what is not given is as in a new one\n"
             "  list           what each has spent, of how much, and what it will have spent at this pace\n"
             "  remove [NAME]  removes it, or all of --scope (and --per)\n"
             "\n"
             "Hours, days, weeks (which begin on Monday) and months are local; a call counts in the one in which it "
             "started, with\n"
             "the cost that `steno cost` has for it: calls without a known cost count as nothing, and are shown.\n"
             "steno-cost keeps budgets: it publishes alert.budget for each threshold (steno-exec alert. -- ./mail-me), "
             "and lists\n"
             "what is used up in budgets.json, for clients that keep budgets. A change counts within a second.\n"
             "Budgets can also be sections [budget NAME] of stenod.ini (scope, limit, per, stop = yes, alert); those "
             "are edited "
             "there.\n",
};

int budget_usage(const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return options_fail(&self, "%s", message);
}

static const struct action {
    const char *name;
    int (*run)(const budget_options *, const char *);
    bool takes_name, sets, finds, lists;
} actions[] = {
    {"set", budget_set_run, .sets = true, .finds = true},
    {"list", budget_list_run, .lists = true},
    {"remove", budget_remove_run, .takes_name = true, .finds = true},
};

int budget_run(int argc, char **argv) {
    budget_options wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    const struct action *action =
        options_action(&self, arguments[0], "budgets", actions, sizeof *actions, sizeof actions / sizeof *actions);
    if (!action) return EXIT_USAGE;
    if (arguments[1] && !action->takes_name) return budget_usage("\"%s\" is one argument too many", arguments[1]);
    if ((wanted.limit || wanted.stop || wanted.alert || wanted.name) && !action->sets)
        return budget_usage("--%s is for set alone", wanted.limit   ? "limit"
                                                     : wanted.stop  ? "stop"
                                                     : wanted.alert ? "alert"
                                                                    : "name");
    if ((wanted.scope || wanted.per) && !action->finds)
        return budget_usage("--%s is not for %s", wanted.scope ? "scope" : "per", action->name);
    if (wanted.json && !action->lists) return budget_usage("--json is not for %s", action->name);
    return action->run(&wanted, arguments[1]);
}
