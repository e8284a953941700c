/* A publisher for the daemon's tests: writes events into a spool of its own, with or without the bus, and then closes, stays or dies.
 *
 *     spool_writer [--bus] [--size BYTES] [--limit SPOOL_BYTES] [--rate EVENTS_A_SECOND] [--calls | --open] [--die | --stay] COUNT
 *
 * Prints `publisher seq` for each accepted event, and `refused publisher seq` for each that the spool had no room for, with one write
 * call, so that what it printed is what was accepted, whatever kills it.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/publisher.h"
#include "schema/identity.h"
#include "schema/spool.h"

typedef struct options {
    int bus, calls, open, die, stay, quiet;
    size_t size, limit;
    double rate;
    long count;
} options;

static options read_options(int argc, char **argv) {
    options out = {.size = 100, .limit = SPOOL_BYTES_MAX};
    const struct option known[] = {
        {"bus", no_argument, &out.bus, 1},   {"calls", no_argument, &out.calls, 1},
        {"open", no_argument, &out.open, 1}, {"die", no_argument, &out.die, 1},
        {"stay", no_argument, &out.stay, 1}, {"quiet", no_argument, &out.quiet, 1},
        {"size", required_argument, 0, 's'}, {"limit", required_argument, 0, 'l'},
        {"rate", required_argument, 0, 'r'}, {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 's') out.size = strtoul(optarg, NULL, 10);
        if (option == 'l') out.limit = strtoul(optarg, NULL, 10);
        if (option == 'r') out.rate = strtod(optarg, NULL);
        if (option == '?') exit(2);
    }
    if (optind + 1 != argc) exit(2);
    out.count = strtol(argv[optind], NULL, 10);
    return out;
}

/* Event `n`: of a custom name; or, with --calls, by turns the two ends of a call; or, with --open, calls that never end. */
static void write_event(steno_draft *draft, const options *how, long n, const char *padding) {
    char call_id[64];
    bool call = how->calls || how->open;
    const char *name = !call ? "test.event" : how->open || n % 2 == 0 ? "pre_api_call" : "success";
    snprintf(call_id, sizeof call_id, "call-%d-%ld", (int)getpid(), how->open ? n : n / 2);
    steno_draft_start(draft);
    steno_draft_int(draft, "v", 1);
    steno_draft_string(draft, "event", name);
    if (call) steno_draft_string(draft, "call_id", call_id);
    steno_draft_string(draft, "model", "test-model");
    steno_draft_string(draft, "provider", "test");
    steno_draft_string(draft, "call_type", "completion");
    steno_draft_double(draft, "time", identity_now());
    steno_draft_double(draft, "start_time", identity_now());
    steno_draft_map_begin(draft, "app");
    steno_draft_string(draft, "name", "spool_writer");
    steno_draft_string(draft, "host", "testhost");
    steno_draft_int(draft, "pid", getpid());
    steno_draft_string(draft, "version", "7");
    steno_draft_map_end(draft);
    steno_draft_int(draft, "n", n);
    steno_draft_string_n(draft, "padding", padding, how->size);
}

static void pause_until(const struct timespec *start, double seconds) {
    struct timespec then = *start;
    then.tv_sec += (time_t)seconds;
    then.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (then.tv_nsec >= 1000000000) {
        then.tv_nsec -= 1000000000;
        then.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

int main(int argc, char **argv) {
    options how = read_options(argc, argv);
    place where;
    steno_error error;
    if (place_open(&where, NULL, &error)) {
        fprintf(stderr, "spool_writer: %s\n", error.message);
        return 1;
    }
    uint8_t id[SPOOL_PUBLISHER_BYTES];
    char text[SPOOL_PUBLISHER_TEXT_BYTES] = "";
    spool_writer *writer = NULL;
    publisher *bus = NULL;
    identity_random(id);
    if (how.bus ? publisher_open(&where, how.limit, &bus, &error)
                : spool_writer_open(where.spool, id, how.limit, &writer, &error)) {
        fprintf(stderr, "spool_writer: %s\n", error.message);
        return 1;
    }
    steno_draft *draft = steno_draft_new();
    char *padding = malloc(how.size + 1);
    memset(padding, 'x', how.size);
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long n = 0; n < how.count; n++) {
        if (how.rate > 0) pause_until(&start, (double)n / how.rate);
        const void *body;
        size_t size;
        steno_receipt receipt;
        uint64_t seq;
        write_event(draft, &how, n, padding);
        steno_status status = steno_draft_finish(draft, &body, &size, &error);
        if (!status)
            status = how.bus ? publisher_publish(bus, body, size, &receipt, &error)
                             : spool_append(writer, body, size, &seq, &error);
        if (how.bus) {
            seq = receipt.seq;
            memcpy(id, receipt.publisher, sizeof id);
        } else {
            spool_prepare(writer);
        }
        const bool refused = status == STENO_LIMIT || status == STENO_SYSTEM;
        if (status && !refused) {
            fprintf(stderr, "spool_writer: %s\n", error.message);
            continue;
        }
        if (how.quiet && n + 1 < how.count) continue;
        char line[64];
        spool_publisher_text(id, text);
        int length =
            snprintf(line, sizeof line, "%s%s %llu\n", refused ? "refused " : "", text, (unsigned long long)seq);
        if (write(STDOUT_FILENO, line, (size_t)length) < 0) return 1;
    }
    if (how.die) raise(SIGKILL);
    char end;
    if (how.stay)
        while (read(STDIN_FILENO, &end, 1) > 0) {
        }
    publisher_close(bus);
    spool_writer_close(writer);
    steno_draft_free(draft);
    free(padding);
    return 0;
}
