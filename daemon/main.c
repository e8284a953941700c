/* stenod: options, the place, the lock, the configuration; then the loop. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/config.h"
#include "daemon/lock.h"
#include "daemon/loop.h"
#include "schema/descriptors.h"

#define EXIT_USAGE 2
/* Large blocks (an event of megabytes) go back to the system when they are freed, instead of growing the heap for good. */
#define LARGE_BLOCK_BYTES (256 << 10)
/* What is free at the heap's end and not given back: a batch, decoded, so that each does not fault its pages in anew. */
#define KEPT_BYTES (8 << 20)

static const char usage[] = "Usage: stenod [--dir DIR] [--config FILE] [--no-subscribers]\n";
static const char help[] =
    "\nTakes the events of all that publishes, stores them in log.db, and hands them on to subscribers.\n"
    "Stays in the foreground; SIGTERM ends it with everything stored, SIGHUP has it read its configuration again.\n"
    "\n"
    "  --dir DIR          the folder of sockets, log and spools (default: $STENO_DIR, else the XDG folders)\n"
    "  --config FILE      the configuration (default: stenod.ini in $STENO_DIR or $XDG_CONFIG_HOME/steno)\n"
    "  --no-subscribers   start none of the subscribers\n"
    "  --help, --version\n";

typedef struct options {
    const char *dir, *config;
    bool no_subscribers;
} options;

/* Returns -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, options *out) {
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'},      {"config", required_argument, NULL, 'c'},
        {"no-subscribers", no_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},        {0},
    };
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
        switch (option) {
        case 'd': out->dir = optarg; break;
        case 'c': out->config = optarg; break;
        case 'n': out->no_subscribers = true; break;
        case 'h': printf("%s%s", usage, help); return 0;
        case 'V': printf("stenod %s\n", STENO_BUILD_VERSION); return 0;
        case ':': fprintf(stderr, "stenod: %s: needs a value\n%s", argv[optind - 1], usage); return EXIT_USAGE;
        default: fprintf(stderr, "stenod: %s: there is no such option\n%s", argv[optind - 1], usage); return EXIT_USAGE;
        }
    }
    if (optind == argc) return -1;
    fprintf(stderr, "stenod: %s: takes no arguments\n%s", argv[optind], usage);
    return EXIT_USAGE;
}

/* SIGTERM, SIGINT, SIGHUP and SIGCHLD come through the loop's signalfd; a broken pipe or a file beyond its limit is an error code. */
static void set_signals(void) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Each publisher and subscriber that is connected takes a descriptor; where more are refused, theirs stays the spool. */
static void raise_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
    options asked = {0};
    descriptors_hold();
    int status = read_options(argc, argv, &asked);
    if (status >= 0) return status;
    umask(077);
    if (asked.config)
        setenv("STENO_CONFIG", asked.config, 1); /* its subscribers read the same one: steno-cost its budgets */
    set_signals();
    raise_file_limit();
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);

    static place where;
    static config settings;
    steno_error error;
    loop_options how = {.config = asked.config ? asked.config : where.config,
                        .config_required = asked.config,
                        .subscribers = !asked.no_subscribers};
    if (place_open(&where, asked.dir, &error) || lock_take(&where, &error) ||
        config_read(how.config, how.config_required, &settings, &error) || loop_run(&where, &settings, &how, &error)) {
        fprintf(stderr, "stenod: %s\n", error.message);
        return 1;
    }
    return 0;
}
