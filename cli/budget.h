/* What `steno budget` does, an action a function. Each returns the exit status. */
#ifndef CLI_BUDGET_H
#define CLI_BUDGET_H

#include "cli/options.h"
#include "subscribers/budget_files.h"

/* The options of all actions; NULL: not given. */
typedef struct budget_options {
    const char *scope, *limit, *per, *alert, *name;
    bool stop, json;
} budget_options;

/* Complains about the command line; EXIT_USAGE. */
int budget_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `argument` is the budget's name; it may be NULL, and is for list. */
int budget_set_run(const budget_options *options, const char *argument);
int budget_remove_run(const budget_options *options, const char *argument);
int budget_list_run(const budget_options *options, const char *argument);

#endif
