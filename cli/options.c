/* Options by table: getopt_long reads them, one function stores each, one prints the help. */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "cli/since.h"
#include "cli/suggest.h"
#include "schema/clean.h"
#include "schema/identity.h"

/* getopt_long's return values for options without a letter begin above every character. */
#define LONG_ONLY 1000
/* Where the explanations begin in help; a longer option has its own on the next line. */
#define HELP_COLUMN 28

/* The option as it is best named in a message: --limit, or -n. */
static void option_label(const option_spec *option, char out[64]) {
    if (option->name)
        snprintf(out, 64, "--%s", option->name);
    else
        snprintf(out, 64, "-%c", option->letter);
}

static void print_usage(FILE *out, const command *self) {
    fprintf(out, "usage: steno %s [OPTION...]%s%s\n", self->name, self->arguments ? " " : "",
            self->arguments ? self->arguments : "");
}

static void print_option(char letter, const char *name, const char *argument, const char *help) {
    char text[128];
    int length = snprintf(text, sizeof text, "  %c%c%s%s%s%s%s", letter ? '-' : ' ', letter ? letter : ' ',
                          name ? (letter ? ", " : "  ") : "", name ? "--" : "", name ? name : "", argument ? " " : "",
                          argument ? argument : "");
    printf("%s%*s%s\n", text, length < HELP_COLUMN - 1 ? HELP_COLUMN - length : 2, "", help);
}

static void print_help(const command *self) {
    print_usage(stdout, self);
    printf("%s.\n\n", self->about);
    for (size_t i = 0; i < self->option_count; i++) {
        const option_spec *option = &self->options[i];
        print_option(option->letter, option->name, option->argument, option->help);
    }
    print_option('h', "help", NULL, "show this");
    if (self->notes) printf("\n%s", self->notes);
}

int options_fail(const command *self, const char *format, ...) {
    cleanup_free char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0) message = NULL;
    va_end(arguments);
    program_fail("%s", message ? message : "out of memory");
    print_usage(stderr, self);
    fprintf(stderr, "\"steno help %s\" explains every option.\n", self->name);
    return EXIT_USAGE;
}

/* True if `word` is one of the words of "a|b|c". */
static bool among(const char *word, const char *words) {
    size_t size = strlen(word);
    if (size == 0 || strchr(word, '|')) return false;
    for (const char *at = words; (at = strstr(at, word)); at++)
        if ((at == words || at[-1] == '|') && (at[size] == '|' || at[size] == '\0')) return true;
    return false;
}

/* A whole decimal number and nothing else. */
static bool parse_count(const char *text, int64_t *out) {
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

static bool parse_number(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

/* Stores one option; false: `why` says what it should have been. */
static bool store(const option_spec *option, const char *text, void *values, char why[256]) {
    void *field = (char *)values + option->field;
    double number;
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)field = true; return true;
    case OPTION_TEXT: *(const char **)field = text; return true;
    case OPTION_TEXTS: {
        option_texts *texts = field;
        if (texts->count < OPTION_REPEAT_MAX) {
            texts->items[texts->count++] = text;
            return true;
        }
        snprintf(why, 256, "given more than %d times", OPTION_REPEAT_MAX);
        return false;
    }
    case OPTION_CHOICE:
        if (among(text, option->argument)) {
            *(const char **)field = text;
            return true;
        }
        snprintf(why, 256, "is none of %s", option->argument);
        return false;
    case OPTION_COUNT: {
        int64_t count;
        if (parse_count(text, &count) && count >= 1 && count <= option->max) {
            *(int64_t *)field = count;
            return true;
        }
        snprintf(why, 256, "is not a whole number from 1 to %" PRId64, option->max);
        return false;
    }
    case OPTION_SECONDS:
        if (parse_number(text, &number) && number >= 0.001 && number <= (double)option->max) {
            *(int64_t *)field = (int64_t)ceil(number * 1000);
            return true;
        }
        snprintf(why, 256, "is not a number of seconds from 0.001 to %" PRId64, option->max);
        return false;
    case OPTION_NUMBER:
        if (parse_number(text, &number)) {
            *(option_number *)field = (option_number){.value = number, .set = true};
            return true;
        }
        snprintf(why, 256, "is not a number");
        return false;
    case OPTION_SINCE:
        if (since_parse(text, identity_now(), field)) return true;
        snprintf(why, 256, "is no time: try %s", SINCE_FORMS);
        return false;
    }
    assert(false && "an option of a kind that does not exist");
    return false;
}

/* The table in getopt_long's own form. */
static void describe(const command *self, struct option *longs, char *letters) {
    *letters++ = ':';
    for (size_t i = 0; i < self->option_count; i++) {
        const option_spec *option = &self->options[i];
        if (option->letter) *letters++ = option->letter;
        if (option->letter && option->argument) *letters++ = ':';
        if (option->name)
            *longs++ = (struct option){.name = option->name,
                                       .has_arg = option->argument ? required_argument : no_argument,
                                       .val = LONG_ONLY + (int)i};
    }
    *longs++ = (struct option){.name = "help", .val = 'h'};
    *longs = (struct option){0};
    strcpy(letters, "h");
}

static const option_spec *find_option(const command *self, int found) {
    if (found >= LONG_ONLY) return &self->options[found - LONG_ONLY];
    for (size_t i = 0; i < self->option_count; i++)
        if (self->options[i].letter == found) return &self->options[i];
    return NULL;
}

/* An option that there is not, or the beginning of several. */
static int unknown_option(const command *self, const char *given) {
    const char *names[OPTION_COUNT_MAX];
    size_t count = 0, begun = 0;
    char typed[64];
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(given, "="), given);
    for (size_t i = 0; i < self->option_count; i++) {
        if (!self->options[i].name) continue;
        names[count++] = self->options[i].name;
        begun += strncmp(self->options[i].name, typed + 2, strlen(typed + 2)) == 0;
    }
    if (begun > 1) return options_fail(self, "option %s: several begin so", typed);
    const char *meant = suggest(typed + 2, names, count);
    return options_fail(self, meant ? "unknown option %s: did you mean --%s?" : "unknown option %s", typed, meant);
}

const void *options_action(const command *self, const char *given, const char *what, const void *actions, size_t each,
                           size_t count) {
    const char *names[OPTION_ACTIONS_MAX];
    assert(count <= OPTION_ACTIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *const *action = (const void *)((const char *)actions + i * each);
        if (strcmp(*action, given) == 0) return action;
        names[i] = *action;
    }
    const char *meant = suggest(given, names, count);
    options_fail(self, meant ? "\"%s\" is nothing to do with %s: did you mean %s?" : "\"%s\" is nothing to do with %s",
                 given, what, meant);
    return NULL;
}

int options_parse(const command *self, int argc, char **argv, void *values, char ***arguments) {
    struct option longs[OPTION_COUNT_MAX + 1] = {0};
    char letters[2 * OPTION_COUNT_MAX + 3];
    assert(self->option_count < OPTION_COUNT_MAX);
    describe(self, longs, letters);
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        if (found == 'h') {
            print_help(self);
            return EXIT_FINE;
        }
        const option_spec *option = find_option(self, found == ':' ? optopt : found);
        char label[64] = "", why[256];
        if (option) option_label(option, label);
        if (found == ':')
            return options_fail(self, "option %s needs an argument: %s", label, option ? option->argument : "");
        if (!option && optopt >= LONG_ONLY) /* --json=yes */
            return options_fail(self, "option %s: takes no argument", argv[optind - 1]);
        if (!option && optopt) return options_fail(self, "unknown option -%c", optopt);
        if (!option) return unknown_option(self, argv[optind - 1]);
        if (!store(option, optarg, values, why)) return options_fail(self, "option %s: \"%s\" %s", label, optarg, why);
    }
    int given = argc - optind;
    *arguments = argv + optind;
    if (given < self->arguments_min) return options_fail(self, "missing argument: %s", self->arguments);
    if (self->arguments_max >= 0 && given > self->arguments_max)
        return options_fail(self, "\"%s\" is one argument too many", argv[optind + self->arguments_max]);
    return OPTIONS_GO;
}
