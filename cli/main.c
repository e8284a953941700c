/* steno: makes LLM calls and reads the log of them. This is the whole program: a table of verbs, one file each. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "cli/suggest.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schema/descriptors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int help_run(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} verbs[] = {
    {"complete", complete_run, "make a chat completion"},
    {"embed", embed_run, "turn texts into vectors"},
    {"emit", emit_run, "publish events of calls made elsewhere"},
    {"logs", logs_run, "list the latest calls"},
    {"show", show_run, "show everything of one call"},
    {"tail", tail_run, "watch events as they are stored"},
    {"cost", cost_run, "sum up what calls cost"},
    {"budget", budget_run, "limit what may be spent"},
    {"prices", prices_run, "show and import what models cost"},
    {"recost", recost_verb_run, "price calls again after prices have changed"},
    {"query", query_run, "read the log with SQL"},
    {"status", status_run, "tell how the daemon is"},
    {"replay", replay_run, "have a subscriber read events again"},
    {"flush", flush_run, "wait until everything published is stored"},
    {"help", help_run, "explain a verb"},
};

static void print_usage(FILE *out) {
    fputs("usage: steno [--dir DIR] VERB [OPTION...] [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < COUNT(verbs); i++) fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].about);
    fputs("\n  --dir DIR  the Steno folder, before $STENO_DIR\n"
          "  --version  print the version\n"
          "\n\"steno help VERB\" explains a verb, steno(1) all of it.\n",
          out);
}

static const struct verb *find_verb(const char *name) {
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

static int unknown_verb(const char *name) {
    const char *names[COUNT(verbs)];
    for (size_t i = 0; i < COUNT(verbs); i++) names[i] = verbs[i].name;
    const char *meant = suggest(name, names, COUNT(names));
    if (meant)
        program_fail("\"%s\" is no verb of steno: did you mean %s?", name, meant);
    else
        program_fail("\"%s\" is no verb of steno: \"steno help\" lists them", name);
    return EXIT_USAGE;
}

/* A verb's help is its own --help. */
static int help_run(int argc, char **argv) {
    const char *topic = argc > 1 ? argv[1] : "help";
    const struct verb *verb = find_verb(topic);
    const bool own = strcmp(topic, "-h") == 0 || strcmp(topic, "--help") == 0;
    if (!verb && !own) return unknown_verb(topic);
    if (argc > 2) {
        program_fail("\"%s\" is one argument too many: give one verb", argv[2]);
        return EXIT_USAGE;
    }
    if (own || verb->run == help_run) {
        print_usage(stdout);
        return EXIT_FINE;
    }
    program_enter(verb->name);
    char *arguments[] = {(char *)verb->name, (char *)"--help", NULL};
    return verb->run(2, arguments);
}

static int dispatch(int argc, char **argv) {
    for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
        if (strcmp(argv[1], "--version") == 0) {
            puts("steno " STENO_BUILD_VERSION);
            return EXIT_FINE;
        }
        if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
            print_usage(stdout);
            return EXIT_FINE;
        }
        const bool joined = strncmp(argv[1], "--dir=", strlen("--dir=")) == 0;
        if (strcmp(argv[1], "--dir") != 0 && !joined) {
            program_fail("unknown option %s before the verb: \"steno help\" lists what there is", argv[1]);
            return EXIT_USAGE;
        }
        if (!joined) {
            argc--;
            argv++;
        }
        const char *dir = joined ? argv[1] + strlen("--dir=") : argc > 1 ? argv[1] : "";
        if (!*dir) {
            program_fail("option --dir needs an argument: DIR");
            return EXIT_USAGE;
        }
        /* One rule for every part of Steno finds the folders, and this is where it begins. */
        if (setenv("STENO_DIR", dir, 1)) return program_fail("--dir %s: %s", dir, strerror(errno));
    }
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    const struct verb *verb = find_verb(argv[1]);
    if (!verb) return unknown_verb(argv[1]);
    program_enter(verb->name);
    return verb->run(argc - 1, argv + 1);
}

int main(int argc, char **argv) {
    /* A reader that has seen enough (`steno logs | head -1`) ends us without a word, whatever our parent ignores. */
    signal(SIGPIPE, SIG_DFL);
    descriptors_hold();
    terminal_start();
    int status = dispatch(argc, argv);
    const bool lost = ferror(stdout);
    if (lost) { /* some time ago: writing once more tells why */
        clearerr(stdout);
        putchar('\n');
    }
    errno = EIO;
    if (fflush(stdout) != 0 || lost) return program_output_failed();
    return status;
}
