/* steno-cost: prices every call that ended and writes it to log.db. What a call costs is decided in cost_row.c, how it is stored in
 * cost_log.c, what that means for budgets in cost_budgets.c. Invariant: rows in hand and the cursor that goes with them are written together, or not at all.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "schema/clean.h"
#include "schema/descriptors.h"
#include "schema/place.h"
#include "subscribers/clock.h"
#include "subscribers/cost_budgets.h"
#include "subscribers/cost_file.h"
#include "subscribers/cost_log.h"
#include "subscribers/stop_signal.h"

#define PROGRAM "steno-cost"
/* Rows of one transaction, and how long the first of them may wait: short, so that the daemon is never held up for long. */
#define BATCH_ROWS 500
#define BATCH_MS 20
/* How often the cursor is written where nothing had to be priced. */
#define IDLE_MS 1000
/* Between two looks for a database that is not there yet, and between two attempts at one that refuses. */
#define LOOK_MS 250
#define RETRY_MS 1000

static const char USAGE[] = "usage: steno-cost [--dir DIR] [--log FILE] [--estimate]\n";
static const char HELP[] =
    "Computes the cost of each call as it ends and writes it to table cost of log.db; keeps budgets.\n"
    "stenod runs one by itself, unless its configuration says otherwise.\n"
    "\n"
    "  --dir DIR    the Steno folder (default: $STENO_DIR, else the XDG folders)\n"
    "  --log FILE   also append a line for each call: time, model, dollars, source; SIGHUP opens it anew\n"
    "  --estimate   where a provider gives no usage, estimate the tokens from the texts, and mark the cost\n"
    "  --help, --version\n";

typedef struct options {
    const char *dir, *log;
    bool estimate;
} options;

/* What was read from the bus and is not in the database yet. */
typedef struct pricing {
    options wanted;
    cost_log *log;
    cost_budgets *budgets;
    cost_file *file; /* NULL: none is wanted */
    steno_prices *prices;
    bool prices_complained; /* about a price file that is damaged */
    steno_subscriber *subscriber;
    size_t count;
    int64_t write_at; /* the rows in hand are due */
    bool complained;  /* about a database that refuses */
    cost_row rows[BATCH_ROWS];
} pricing;

static void complain(const char *what, const steno_error *error) {
    fprintf(stderr, PROGRAM ": %s: %s\n", what, error->message);
}

static void on_missed(uint64_t first, uint64_t last, void *ctx) {
    (void)ctx;
    fprintf(stderr,
            PROGRAM ": events %" PRIu64 " to %" PRIu64
                    " are gone: the journal no longer has them; calls among them have no cost\n",
            first, last);
}

static void on_waiting(const char *endpoint, void *ctx) {
    (void)ctx;
    fprintf(stderr, PROGRAM ": no stenod answers on %s: waiting for it\n", endpoint);
}

static bool may_work_later(steno_status status) {
    return status == STENO_TIMEOUT || status == STENO_SYSTEM || status == STENO_NO_MEMORY;
}

static void forget_rows(pricing *self) {
    for (size_t i = 0; i < self->count; i++) cost_row_clear(&self->rows[i]);
    self->count = 0;
}

/* Says it once that a price file can't be read, and once that it can again. */
static void check_prices(pricing *self) {
    steno_error problem;
    steno_prices_refresh(self->prices);
    const bool damaged = steno_prices_problem(self->prices, &problem);
    if (damaged && !self->prices_complained) complain("prices as they were before", &problem);
    if (!damaged && self->prices_complained) fprintf(stderr, PROGRAM ": the price files are well again\n");
    self->prices_complained = damaged;
}

/* How far the calls are priced. Never before the cursor: a subscriber that no daemon has answered yet stands at 0. */
static uint64_t reached(const pricing *self) {
    const uint64_t offset = steno_subscriber_offset(self->subscriber), cursor = cost_log_cursor(self->log);
    return offset > cursor ? offset : cursor;
}

/* Writes what is in hand. Waits for a database that is locked or full; nothing is read from the bus meanwhile. */
static steno_status write_rows(pricing *self, steno_error *error) {
    const uint64_t offset = reached(self);
    steno_status status;
    while (may_work_later(status = cost_log_write(self->log, self->rows, self->count, offset, error))) {
        if (!self->complained) complain("the costs wait", error);
        self->complained = true;
        if (stop_signal_wait(RETRY_MS)) break; /* they are computed again next time */
    }
    if (status) return status;
    if (self->complained) fprintf(stderr, PROGRAM ": the database takes costs again\n");
    self->complained = false;
    if (self->file && self->count) cost_file_write(self->file, self->rows, self->count);
    forget_rows(self);
    self->write_at = clock_after(IDLE_MS);
    return STENO_OK;
}

static bool write_due(const pricing *self) {
    if (self->count == BATCH_ROWS) return true;
    const bool something = self->count > 0 || reached(self) != cost_log_cursor(self->log);
    return something && clock_until(self->write_at) == 0;
}

/* Reads, prices and writes until a signal (STENO_OK), somebody else's move of the cursor (STENO_BUSY), or an error. */
static steno_status follow(pricing *self, steno_error *error) {
    forget_rows(self);
    self->write_at = clock_after(IDLE_MS);
    for (;;) {
        const steno_event *event;
        const int wait_ms = self->count ? clock_until(self->write_at) : COST_BUDGETS_LOOK_MS;
        steno_status status = steno_subscriber_next(self->subscriber, wait_ms, &event, error);
        if (status == STENO_END) return self->count ? write_rows(self, error) : STENO_OK;
        if (status && status != STENO_TIMEOUT) return status;
        if (event && cost_row_from(event, self->prices, self->wanted.estimate, &self->rows[self->count])) {
            if (self->count == 0) self->write_at = clock_earlier(self->write_at, clock_after(BATCH_MS));
            self->count++;
        }
        if (!event) status = cost_log_check_cursor(self->log, error);
        if (!event) check_prices(self);
        if (!event && self->file) cost_file_look(self->file);
        if (status && status != STENO_TIMEOUT) return status;
        const bool write = write_due(self);
        if (write && (status = write_rows(self, error))) return status;
        cost_budgets_run(self->budgets, self->log, write);
    }
}

/* Follows from the stored cursor on. */
static steno_status follow_from_cursor(pricing *self, steno_error *error) {
    uint64_t cursor;
    steno_status status = cost_log_read_cursor(self->log, &cursor, error);
    if (status) return status;
    static const char *const topics[] = {"success.", "failure.", NULL};
    steno_subscriber_config config = STENO_SUBSCRIBER_CONFIG_INIT;
    config.dir = self->wanted.dir;
    config.topics = topics;
    config.from = cursor ? (int64_t)cursor + 1 : STENO_FROM_BEGINNING;
    config.connect_timeout_ms = -1;
    config.on_missed = on_missed;
    config.on_waiting = on_waiting;
    status = steno_subscriber_new(&config, &self->subscriber, error);
    if (status) return status;
    stop_signal_watch(self->subscriber);
    status = follow(self, error);
    stop_signal_watch(NULL);
    steno_subscriber_free(self->subscriber);
    self->subscriber = NULL;
    return status;
}

/* Works until a signal or an error that waiting cannot mend. */
static steno_status run(pricing *self, steno_error *error) {
    const char *dir = self->wanted.dir;
    place where;
    steno_status status = place_open(&where, dir, error);
    if (!status) status = steno_prices_open(dir, &self->prices, error);
    if (!status) status = cost_budgets_new(&where, dir, &self->budgets, error);
    if (!status && self->wanted.log) status = cost_file_open(self->wanted.log, &self->file, error);
    if (!status) check_prices(self);
    bool told = false;
    while (!status && stop_signal_count() == 0) {
        if (!self->log) status = cost_log_open(where.log, cost_budgets_watch(self->budgets), &self->log, error);
        if (status == STENO_NOT_FOUND) {
            if (!told) complain("waiting", error);
            told = true;
            stop_signal_wait(LOOK_MS);
            status = STENO_OK;
            continue;
        }
        if (!status) status = follow_from_cursor(self, error);
        if (status == STENO_BUSY) {
            fprintf(stderr, PROGRAM ": the cursor was moved: going on from there\n");
            status = STENO_OK;
        } else if (may_work_later(status) && stop_signal_count() == 0) {
            complain("waiting", error);
            stop_signal_wait(RETRY_MS);
            status = STENO_OK;
        }
    }
    return status;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, options *out) {
    static const struct option names[] = {{"dir", required_argument, NULL, 'd'}, {"log", required_argument, NULL, 'l'},
                                          {"estimate", no_argument, NULL, 'e'},  {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},   {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'h') return printf("%s%s", USAGE, HELP) < 0;
        if (option == 'v') return puts(PROGRAM " " STENO_BUILD_VERSION) < 0;
        if (option == '?') {
            fputs(USAGE, stderr); /* getopt has said which */
            return 2;
        }
        if (option == 'd') out->dir = optarg;
        if (option == 'l') out->log = optarg;
        if (option == 'e') out->estimate = true;
    }
    if (optind < argc) {
        fprintf(stderr, PROGRAM ": no argument is expected: %s\n%s", argv[optind], USAGE);
        return 2;
    }
    return -1;
}

int main(int argc, char **argv) {
    options wanted = {0};
    descriptors_hold();
    const int ended = parse(argc, argv, &wanted);
    if (ended >= 0) return ended;
    umask(077);
    signal(SIGHUP, SIG_IGN); /* it is about the log file, where there is one */
    cleanup_free pricing *self = calloc(1, sizeof *self);
    steno_error error = {0};
    steno_status status = self ? stop_signal_install(&error) : steno_fail(&error, STENO_NO_MEMORY, "no memory");
    if (self) self->wanted = wanted;
    if (!status) status = run(self, &error);
    if (self) {
        forget_rows(self);
        cost_log_close(self->log);
        cost_file_close(self->file);
        cost_budgets_free(self->budgets);
        steno_prices_free(self->prices);
    }
    if (status) complain("cannot go on", &error);
    return status ? 1 : 0;
}
