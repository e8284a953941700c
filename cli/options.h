/* The options of a verb as one table, from which both the parsing and the help text come, so that they cannot drift apart. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often an option may be repeated: more than anyone types, small enough for a plain array. */
#define OPTION_REPEAT_MAX 64
/* Options of one verb, --help included. */
#define OPTION_COUNT_MAX 40
/* Actions of one verb ("list", "show"). */
#define OPTION_ACTIONS_MAX 8

typedef struct option_texts {
    const char *items[OPTION_REPEAT_MAX]; /* borrowed from argv */
    size_t count;
} option_texts;

typedef struct option_number {
    double value;
    bool set;
} option_number;

/* What an option is, and the type of the field that it fills. */
typedef enum option_kind {
    OPTION_FLAG,    /* bool; takes no argument */
    OPTION_TEXT,    /* const char *, borrowed from argv */
    OPTION_TEXTS,   /* option_texts: may be given again and again */
    OPTION_CHOICE,  /* const char *: one of the words in `argument`, which has '|' between them */
    OPTION_COUNT,   /* int64_t, a whole number from 1 to `max` */
    OPTION_SECONDS, /* int64_t in milliseconds, given in seconds ("30", "0.5"), up to `max` seconds */
    OPTION_NUMBER,  /* option_number */
    OPTION_SINCE,   /* double in Unix seconds */
} option_kind;

typedef struct option_spec {
    char letter;          /* 'n', or 0 if there is only the long form */
    const char *name;     /* "limit", or NULL if there is only the letter */
    const char *argument; /* how help names it: "N"; NULL for a flag */
    option_kind kind;
    size_t field; /* offsetof in the verb's struct */
    int64_t max;  /* OPTION_COUNT, OPTION_SECONDS; else 0 */
    const char *help;
} option_spec;

/* A verb's own description: what `steno help VERB` shows. */
typedef struct command {
    const char *name;
    const char *about;     /* one sentence, without a full stop */
    const char *arguments; /* what follows the options in the usage line: "CALL_ID"; NULL: nothing */
    int arguments_min;
    int arguments_max; /* -1: any number */
    const option_spec *options;
    size_t option_count;
    const char *notes; /* whole lines that follow the options; may be NULL */
} command;

/* Returned by options_parse where the verb goes on. */
#define OPTIONS_GO (-1)

/* Fills the fields of `values` (of which the caller has set the defaults) from the command line; *arguments is then the list of the
 * other arguments, NULL-terminated. Returns OPTIONS_GO, or the exit status: help was asked for and printed, or
 * something is wrong and was told.
 */
int options_parse(const command *self, int argc, char **argv, void *values, char ***arguments);
/* The action of this name out of `count`, each a struct of `each` bytes that begins with its name. NULL after telling that it is nothing to do with `what`,
 * and which was meant.
 */
const void *options_action(const command *self, const char *given, const char *what, const void *actions, size_t each,
                           size_t count);
/* A usage error that the table cannot know: "steno VERB: …" and the usage line. Returns EXIT_USAGE. */
int options_fail(const command *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
