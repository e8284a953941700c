/* stenod.ini, by inih and what ini_line.h adds to it. */
#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wordexp.h>

#include "schema/budget.h"
#include "schema/clean.h"
#include "schema/ini_line.h"

#define SECTION_MAIN "stenod"
#define SECTION_SUBSCRIBER "subscriber "

typedef struct parse {
    const char *path;
    ini_line line; /* in hand */
    bool failed;
    int failed_line;
    unsigned seen; /* keys of [stenod], a bit each */
    /* Of the section in hand; "" for a name: it is none. Budgets are only checked here: steno-cost keeps them. */
    budget budget;
    int budget_line;
    config *out;
    steno_error *error;
} parse;

CLEANUP_FUNCTION(clean_file, FILE, fclose)

/* Keeps the first error only. Returns 0, what an inih handler says for "no". */
static int refuse(parse *self, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(parse *self, int line, const char *format, ...) {
    if (self->failed) return 0;
    self->failed = true;
    self->failed_line = line;
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    steno_fail(self->error, STENO_INVALID, "%s, line %d: %s", self->path, line, what);
    return 0;
}

static config_subscriber *find_subscriber(config *self, const char *name) {
    for (size_t i = 0; i < self->subscriber_count; i++)
        if (!strcmp(self->subscribers[i].name, name)) return &self->subscribers[i];
    return NULL;
}

static void end_budget(parse *self) {
    char why[BUDGET_WHY_BYTES];
    if (self->budget.name[0] && !budget_complete(&self->budget, why)) refuse(self, self->budget_line, "%s", why);
    self->budget.name[0] = '\0';
}

static void begin_budget(parse *self, const char *name) {
    name += strspn(name, " \t");
    if (!budget_name_valid(name))
        refuse(self, self->line.number, "a budget's name has 1 to 64 of A-Z a-z 0-9 _ . -, not \"%s\"", name);
    else
        self->budget = budget_new(name);
    self->budget_line = self->line.number;
}

static void begin_section(parse *self, const char *section) {
    end_budget(self);
    if (!strcmp(section, SECTION_MAIN)) return;
    if (!strncmp(section, BUDGET_SECTION, strlen(BUDGET_SECTION))) {
        begin_budget(self, section + strlen(BUDGET_SECTION));
        return;
    }
    if (strncmp(section, SECTION_SUBSCRIBER, strlen(SECTION_SUBSCRIBER))) {
        refuse(self, self->line.number,
               "there is no section [%s]; known are [stenod], [subscriber NAME] and [budget NAME]", section);
        return;
    }
    const char *name = section + strlen(SECTION_SUBSCRIBER);
    name += strspn(name, " \t");
    if (!control_name_valid(name))
        refuse(self, self->line.number, "a subscriber's name has 1 to 64 of A-Z a-z 0-9 _ . -, not \"%s\"", name);
    else if (find_subscriber(self->out, name))
        refuse(self, self->line.number, "there are two sections [subscriber %s]", name);
    else if (self->out->subscriber_count == CONFIG_SUBSCRIBERS_MAX)
        refuse(self, self->line.number, "more than %d subscribers", CONFIG_SUBSCRIBERS_MAX);
    else {
        config_subscriber *subscriber = &self->out->subscribers[self->out->subscriber_count++];
        snprintf(subscriber->name, sizeof subscriber->name, "%s", name);
        subscriber->line = self->line.number;
    }
}

static char *read_line(char *text, int size, void *ctx) {
    parse *self = ctx;
    if (!ini_line_read(&self->line, text, size)) return NULL;
    if (self->line.too_long)
        refuse(self, self->line.number, "the line is longer than %d bytes: put a long command into a script", size - 2);
    if (self->line.begins) begin_section(self, self->line.section);
    return text;
}

/* The command must be one that the supervisor can take apart into words. */
static int set_command(parse *self, config_subscriber *subscriber, const char *value) {
    if (subscriber->command[0]) return refuse(self, self->line.number, "`command` is given twice");
    wordexp_t words;
    int failed = wordexp(value, &words, WRDE_NOCMD);
    if (failed == WRDE_NOSPACE) return refuse(self, self->line.number, "no memory for the command");
    if (failed)
        return refuse(self, self->line.number, "`command` is not a plain command line (write `sh -c '…'` for more): %s",
                      value);
    size_t count = words.we_wordc;
    wordfree(&words);
    if (count == 0) return refuse(self, self->line.number, "`command` is empty");
    if (snprintf(subscriber->command, sizeof subscriber->command, "%s", value) >= (int)sizeof subscriber->command)
        return refuse(self, self->line.number, "`command` is longer than %d bytes", CONFIG_COMMAND_BYTES - 1);
    return 1;
}

static int set_durability(parse *self, const char *value) {
    self->out->durability_full = !strcmp(value, "full");
    if (self->out->durability_full || !strcmp(value, "normal")) return 1;
    return refuse(self, self->line.number, "durability is normal or full, not \"%s\"", value);
}

static int set_number(parse *self, const char *name, const char *value, unsigned long min, unsigned long max,
                      uint32_t *out) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || errno || number < min || number > max)
        return refuse(self, self->line.number, "%s is a whole number, %lu%s to %lu, not \"%s\"", name, min,
                      min ? "" : " (no limit)", max, value);
    *out = (uint32_t)number;
    return 1;
}

static int set_stop_timeout(parse *self, config_subscriber *subscriber, const char *value) {
    uint32_t seconds = 0;
    if (subscriber->stop_timeout_ms) return refuse(self, self->line.number, "`stop_timeout` is given twice");
    if (!set_number(self, "stop_timeout", value, 1, CONFIG_STOP_TIMEOUT_MAX, &seconds)) return 0;
    subscriber->stop_timeout_ms = seconds * INT64_C(1000);
    return 1;
}

static int take_main_key(parse *self, const char *name, const char *value) {
    static const char *const keys[] = {"durability", "journal_days", "journal_mb"};
    const unsigned count = sizeof keys / sizeof *keys;
    unsigned key = 0;
    while (key < count && strcmp(name, keys[key])) key++;
    if (key == count)
        return refuse(self, self->line.number,
                      "there is no key `%s` in [stenod]; known are durability, journal_days, journal_mb", name);
    if (self->seen & 1u << key) return refuse(self, self->line.number, "`%s` is given twice", name);
    self->seen |= 1u << key;
    if (key == 0) return set_durability(self, value);
    return set_number(self, name, value, 0, CONFIG_NUMBER_MAX,
                      key == 1 ? &self->out->journal_days : &self->out->journal_mb);
}

static int take_key(void *ctx, const char *section, const char *name, const char *value) {
    parse *self = ctx;
    if (!*section) return refuse(self, self->line.number, "`%s` stands before any [section]", name);
    if (!strcmp(section, SECTION_MAIN)) return take_main_key(self, name, value);
    if (self->failed) return 0; /* a refused section has no entry */
    if (self->budget.name[0]) {
        char why[BUDGET_WHY_BYTES];
        return budget_set(&self->budget, name, value, why) ? 1 : refuse(self, self->line.number, "%s", why);
    }
    config_subscriber *subscriber = &self->out->subscribers[self->out->subscriber_count - 1];
    if (!strcmp(name, "command")) return set_command(self, subscriber, value);
    if (!strcmp(name, "stop_timeout")) return set_stop_timeout(self, subscriber, value);
    return refuse(self, self->line.number, "there is no key `%s` in [%s]; known are command, stop_timeout", name,
                  section);
}

steno_status config_read(const char *path, bool required, config *out, steno_error *error) {
    *out = (config){.journal_days = CONFIG_JOURNAL_DAYS, .journal_mb = CONFIG_JOURNAL_MB};
    cleanup(clean_file) FILE *file = fopen(path, "re");
    if (!file && (errno != ENOENT || required))
        return steno_fail(error, STENO_SYSTEM, "cannot read the configuration %s: %s", path, strerror(errno));
    parse state = {.path = path, .line.file = file, .out = out, .error = error};
    if (file) {
        int line = ini_parse_stream(read_line, &state, take_key, &state);
        if (line < 0) return steno_fail(error, STENO_NO_MEMORY, "no memory to read %s", path);
        /* inih's own complaint; what we refused made it complain, too. */
        if (line > 0 && line < state.failed_line) state.failed = false;
        if (line > 0) refuse(&state, line, "neither a [section] nor key = value");
        end_budget(&state);
        if (ferror(file)) return steno_fail(error, STENO_SYSTEM, "cannot read the configuration %s", path);
    }
    for (size_t i = 0; i < out->subscriber_count; i++)
        if (!out->subscribers[i].command[0])
            refuse(&state, out->subscribers[i].line, "[subscriber %s] has no `command`", out->subscribers[i].name);
    if (state.failed) return STENO_INVALID;
    if (out->subscriber_count == 0)
        out->subscribers[out->subscriber_count++] = (config_subscriber){.name = "cost", .command = "steno-cost"};
    for (size_t i = 0; i < out->subscriber_count; i++)
        if (!out->subscribers[i].stop_timeout_ms) out->subscribers[i].stop_timeout_ms = CONFIG_STOP_TIMEOUT * 1000;
    return STENO_OK;
}

/* A command may call it through sh, env or nice, so that its name anywhere counts: whoever is told wrongly looks for what is not missing. */
const char *config_note(const config *settings) {
    for (size_t i = 0; i < settings->subscriber_count; i++)
        if (strstr(settings->subscribers[i].command, "steno-cost")) return NULL;
    return "no [subscriber …] section runs steno-cost: costs stay unknown and budgets are not kept, unless it runs "
           "elsewhere";
}
