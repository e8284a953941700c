/* Command lines and messages of the handler programs. */
#include "subscribers/program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/descriptors.h"
#include "subscribers/stop_signal.h"

enum { OPTION_NAME = 1, OPTION_FROM, OPTION_DIR, OPTION_HELP, OPTION_VERSION };

static const struct option COMMON[] = {
    {"name", required_argument, NULL, OPTION_NAME}, {"from", required_argument, NULL, OPTION_FROM},
    {"dir", required_argument, NULL, OPTION_DIR},   {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};
#define COMMON_COUNT (sizeof COMMON / sizeof *COMMON)

static const char HELP_TOPIC[] =
    "  TOPIC                prefix of the events wanted, e.g. failure. or success.openai. (default: %s)\n";
static const char HELP_NAMED[] =
    "  --name NAME          keep the cursor under this name: nothing is missed while it is away\n"
    "                       (default: %s)\n"
    "  --from WHERE         beginning, now, or the first offset wanted, while there is no cursor yet\n"
    "                       (default: beginning)\n";
static const char HELP_NAMELESS[] =
    "  --name NAME          keep a cursor under this name: nothing is missed while it is away\n"
    "  --from WHERE         beginning, now, or the first offset wanted, while there is no cursor yet\n"
    "                       (default: beginning with --name, else now)\n";
static const char HELP_REST[] = "  --dir DIR            the Steno folder (default: $STENO_DIR, else the XDG folders)\n"
                                "  --help, --version\n";

/* ---- messages ---- */

static void say(const program *self, const char *format, va_list values) {
    char line[PROGRAM_LINE_BYTES];
    const int begun = snprintf(line, sizeof line, "%s: ", self->name);
    vsnprintf(line + begun, sizeof line - (size_t)begun - 1, format, values);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = ' ';
    strcat(line, "\n"); /* one call, so that lines of several programs do not mix */
    fputs(line, stderr);
}

void program_say(const program *self, const char *format, ...) {
    va_list values;
    va_start(values, format);
    say(self, format, values);
    va_end(values);
}

static void put_usage(const program *self, FILE *to) { fprintf(to, "usage: %s %s\n", self->name, self->synopsis); }

bool program_complain_usage(const program *self, const char *format, ...) {
    va_list values;
    va_start(values, format);
    say(self, format, values);
    va_end(values);
    put_usage(self, stderr);
    return false;
}

static void tell_missed(uint64_t first, uint64_t last, void *ctx) {
    program_say(ctx,
                "events %" PRIu64 " to %" PRIu64 " are gone: the journal no longer has them; going on with the next",
                first, last);
}

static void tell_waiting(const char *endpoint, void *ctx) {
    program_say(ctx, "no stenod answers on %s: waiting for it", endpoint);
}

/* The list of the default topics, "all" without one. */
static void list_topics(const program *self, char *out, size_t size) {
    snprintf(out, size, "all");
    for (size_t i = 0, at = 0; self->topics && self->topics[i] && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " " : "", self->topics[i]);
}

static int put_help(const program *self) {
    char topics[256];
    list_topics(self, topics, sizeof topics);
    put_usage(self, stdout);
    printf("%s\n\n%s", self->about, self->help ? self->help : "");
    printf(HELP_TOPIC, topics);
    if (self->nameless)
        fputs(HELP_NAMELESS, stdout);
    else
        printf(HELP_NAMED, self->name);
    fputs(HELP_REST, stdout);
    if (self->notes) printf("\n%s", self->notes);
    return fflush(stdout) || ferror(stdout) ? PROGRAM_FAILED : PROGRAM_FINE;
}

/* ---- the command line ---- */

bool program_number(const char *text, int64_t min, int64_t max, int64_t *out) {
    char *end;
    const char *digits = *text == '-' ? text + 1 : text;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (*digits < '0' || *digits > '9' || *end || errno || number < min || number > max) return false;
    *out = number;
    return true;
}

static bool parse_from(const program *self, const char *text, int64_t *from) {
    if (!strcmp(text, "beginning"))
        *from = STENO_FROM_BEGINNING;
    else if (!strcmp(text, "now"))
        *from = STENO_FROM_NOW;
    else if (!program_number(text, 1, INT64_MAX, from))
        return program_complain_usage(self, "--from %s: give beginning, now or an offset from 1 on", text);
    return true;
}

/* The program's own options and the common ones as one list. False: too many. */
static bool list_options(const program *self, struct option out[PROGRAM_OPTIONS_MAX]) {
    size_t count = 0;
    memset(out, 0, PROGRAM_OPTIONS_MAX * sizeof *out);
    while (self->options && self->options[count].name && count < PROGRAM_OPTIONS_MAX) {
        out[count] = self->options[count];
        count++;
    }
    if (count + COMMON_COUNT >= PROGRAM_OPTIONS_MAX) return false;
    memcpy(out + count, COMMON, sizeof COMMON);
    return true;
}

/* Takes one option. Returns -1 to go on, else the exit status. */
static int take_option(const program *self, int option, void *own, steno_subscriber_config *config) {
    switch (option) {
    case OPTION_NAME: config->name = optarg; return -1;
    case OPTION_DIR: config->dir = optarg; return -1;
    case OPTION_FROM: return parse_from(self, optarg, &config->from) ? -1 : PROGRAM_USAGE;
    case OPTION_HELP: return put_help(self);
    case OPTION_VERSION:
        return printf("%s " STENO_BUILD_VERSION "\n", self->name) < 0 || fflush(stdout) ? PROGRAM_FAILED : PROGRAM_FINE;
    case '?': put_usage(self, stderr); return PROGRAM_USAGE; /* getopt has said which */
    default: return self->take_option(option, optarg, own) ? -1 : PROGRAM_USAGE;
    }
}

int program_parse(const program *self, int argc, char **argv, void *own, steno_subscriber_config *config,
                  const char **arguments) {
    struct option options[PROGRAM_OPTIONS_MAX];
    descriptors_hold();
    *config = (steno_subscriber_config)STENO_SUBSCRIBER_CONFIG_INIT;
    if (!list_options(self, options)) {
        program_say(self, "it has more than %d options", PROGRAM_OPTIONS_MAX);
        return PROGRAM_FAILED;
    }
    int option, ended = -1;
    while (ended < 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        ended = take_option(self, option, own, config);
    if (ended >= 0) return ended;
    if ((size_t)(argc - optind) < self->arguments) {
        program_complain_usage(self, "an argument is missing");
        return PROGRAM_USAGE;
    }
    for (size_t i = 0; i < self->arguments; i++) arguments[i] = argv[optind++];
    config->topics = optind < argc ? (const char *const *)(argv + optind) : self->topics;
    if (!config->name && !self->nameless) config->name = self->name;
    config->connect_timeout_ms = -1;
    config->on_missed = tell_missed;
    config->on_missed_ctx = (void *)(uintptr_t)self; /* handed back as it is, and only read */
    config->on_waiting = tell_waiting;
    config->on_waiting_ctx = config->on_missed_ctx;
    steno_error error;
    if (stop_signal_install(&error)) {
        program_say(self, "%s", error.message);
        return PROGRAM_FAILED;
    }
    /* What it runs looks into the same folder. */
    if (config->dir) setenv("STENO_DIR", config->dir, 1);
    return -1;
}
