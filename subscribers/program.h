/* What the handler programs have in common: the options --name, --from, --dir, --help and --version, topics, signals, messages on stderr, the
 * exit status. Each program adds its own options; its main() is program_parse, then its work.
 */
#ifndef SUBSCRIBERS_PROGRAM_H
#define SUBSCRIBERS_PROGRAM_H

#include <getopt.h>

#include "subscribers/steno_subscriber.h"

/* Exit statuses. */
#define PROGRAM_FINE 0
#define PROGRAM_FAILED 1
#define PROGRAM_USAGE 2

/* Values of a program's own options begin here, so that they never meet the common ones. */
#define PROGRAM_OWN_OPTION 256
/* Options of a program, its own and the common ones. */
#define PROGRAM_OPTIONS_MAX 64

/* Says what a program is. All static. */
typedef struct program {
    const char *name;     /* "steno-webhook" */
    const char *synopsis; /* what follows the name: "[OPTION...] URL [TOPIC...]" */
    const char *about;    /* --help: a sentence or two, without a newline at the end */
    /* --help: the lines of its own options and arguments, each with its newline; what is said of one begins in column 23, as for the common ones. */
    const char *help;
    const char *notes;            /* --help: at the end; NULL: none */
    const struct option *options; /* its own, ended by a zero entry; values from PROGRAM_OWN_OPTION on; NULL: none */
    /* Takes one of its own options; `value` NULL: it has none. False: refused, and said (program_complain_usage). */
    bool (*take_option)(int option, const char *value, void *own);
    size_t arguments;          /* positional ones before the topics (URL, FILE): all must be there */
    const char *const *topics; /* where the command line names none; NULL: everything */
    bool nameless;             /* without --name there is no cursor; else the program's own name is its cursor's */
} program;

/* Reads the command line into *config (all strings borrowed from argv) and arguments[0 … program->arguments-1], and installs the signals
 * (stop_signal.h). *config is set up for a program that waits for the daemon for ever and says on stderr that it does, and what it missed; `self` must outlive it. A folder
 * given with --dir becomes $STENO_DIR of this process. Returns -1 to go on, else the exit status.
 */
int program_parse(const program *self, int argc, char **argv, void *own, steno_subscriber_config *config,
                  const char **arguments);

/* One line on stderr: "steno-webhook: what". Safe for text from outside: control characters are replaced, and it is cut at PROGRAM_LINE_BYTES. */
void program_say(const program *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define PROGRAM_LINE_BYTES 2048
/* The same with the usage line after it; returns false. */
bool program_complain_usage(const program *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A whole number from min to max out of an option's text. */
bool program_number(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
