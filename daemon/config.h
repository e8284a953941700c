/* stenod.ini. What is not known there is an error that names file and line: a misspelt key must not be a silent default. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/control.h"
#include "schema/error.h"

/* Subscribers that stenod runs: each is a process and a pipe in the poll set. */
#define CONFIG_SUBSCRIBERS_MAX 32
/* Longest command line of a subscriber; inih's own limit for a line is lower still. */
#define CONFIG_COMMAND_BYTES 1024

#define CONFIG_JOURNAL_DAYS 7
#define CONFIG_JOURNAL_MB 2048
#define CONFIG_NUMBER_MAX 100000000
/* Seconds between SIGTERM and SIGKILL. */
#define CONFIG_STOP_TIMEOUT 5
#define CONFIG_STOP_TIMEOUT_MAX 600

typedef struct config_subscriber {
    char name[CONTROL_NAME_BYTES];
    char command[CONFIG_COMMAND_BYTES];
    int64_t stop_timeout_ms;
    int line; /* where its section begins; 0: a default */
} config_subscriber;

/* A plain value: no ownership. */
typedef struct config {
    bool durability_full;  /* each commit reaches the disk before it counts */
    uint32_t journal_days; /* how long events stay in the journal; 0: for ever */
    uint32_t journal_mb;   /* how much of them, in MiB; 0: without limit */
    config_subscriber subscribers[CONFIG_SUBSCRIBERS_MAX];
    size_t subscriber_count;
} config;

/* Reads `path`. If there is no such file, all defaults hold, unless `required`. Without a [subscriber …] section the default is one:
 * steno-cost. Errors: STENO_INVALID (file, line and what is wrong), STENO_SYSTEM.
 */
steno_status config_read(const char *path, bool required, config *out, steno_error *error);
/* What is as the file says and maybe not as its author thinks, for people: that nothing keeps costs. NULL: nothing. Static. */
const char *config_note(const config *settings);

#endif
