/* steno-jsonl: events as lines of JSON in a file. What a line is, which are in the file already, and how much goes into it at once is decided here;
 * jsonl_file.c writes. Invariant: an event counts as delivered when its line is in the file, as safe as --fsync wants it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "schema/buffer.h"
#include "schema/clean.h"
#include "subscribers/delivery.h"
#include "subscribers/event_line.h"
#include "subscribers/jsonl_file.h"
#include "subscribers/jsonl_stream.h"
#include "subscribers/stop_signal.h"

#define BATCH_EVENTS 1000
#define BATCH_BYTES (1u << 20)
#define SIZE_MIN 1024
#define SIZE_MAX_BYTES (INT64_C(1) << 50)
#define KEEP_MAX 10000
#define SYNC_SECONDS_MAX 3600
/* What a reader of standard output that stands still gets after a stop signal. */
#define GRACE_MS 2000

static bool take_option(int option, const char *value, void *own);

enum { OPTION_SIZE = PROGRAM_OWN_OPTION, OPTION_DAILY, OPTION_GZIP, OPTION_KEEP, OPTION_FSYNC };

static const struct option OPTIONS[] = {
    {"rotate-size", required_argument, NULL, OPTION_SIZE},
    {"rotate-daily", no_argument, NULL, OPTION_DAILY},
    {"gzip", no_argument, NULL, OPTION_GZIP},
    {"keep", required_argument, NULL, OPTION_KEEP},
    {"fsync", required_argument, NULL, OPTION_FSYNC},
    {NULL, 0, NULL, 0},
};

static const program PROGRAM = {
    .name = "steno-jsonl",
    .synopsis = "[OPTION...] FILE [TOPIC...]",
    .about = "Appends each event to FILE as one line of JSON, with its journal offset. FILE may be - for standard\n"
             "output.",
    .help = "  --rotate-size SIZE   begin a new file before this one would have more than SIZE bytes (K, M, G)\n"
            "  --rotate-daily       begin a new file every day, local time\n"
            "  --gzip               compress the files that were rotated away\n"
            "  --keep N             and keep N of them at most (default: all)\n"
            "  --fsync WHEN         batch: before the cursor moves (default); never; or every so many seconds\n",
    .notes =
        "A file that is rotated away is named FILE.DAY.OFFSET, after the last event in it. SIGHUP opens FILE anew.\n"
        "An event is in the file at least once; after a kill it is not written again if FILE has it.\n",
    .options = OPTIONS,
    .take_option = take_option,
    .arguments = 1,
};

typedef struct jsonl {
    jsonl_settings settings;
    jsonl_file *file; /* NULL: standard output */
    jsonl_stream stream;
    jsonl_tail *tail; /* lines that were there at the start, while they may come again */
    buffer lines;     /* being gathered */
    /* A batch that failed half way: its first event, and how many are in the file already. */
    uint64_t half_first;
    size_t half_done;
} jsonl;

static jsonl *hearing; /* who hears SIGHUP */

static void on_hangup(int number) {
    (void)number;
    jsonl_file_reopen(hearing->file);
}

/* ---- the command line ---- */

static bool parse_size(const char *text, int64_t *out) {
    static const char UNITS[] = "KMG";
    char digits[24];
    size_t size = strlen(text);
    const char *unit = size > 1 ? strchr(UNITS, text[size - 1]) : NULL;
    if (unit) size--;
    if (size >= sizeof digits) return false;
    memcpy(digits, text, size);
    digits[size] = '\0';
    const int64_t factor = unit ? INT64_C(1) << (10 * (unit - UNITS + 1)) : 1;
    if (!program_number(digits, 1, SIZE_MAX_BYTES / factor, out)) return false;
    *out *= factor;
    return *out >= SIZE_MIN;
}

static bool parse_fsync(const char *text, int64_t *sync_ms) {
    if (!strcmp(text, "batch"))
        *sync_ms = JSONL_SYNC_EACH;
    else if (!strcmp(text, "never"))
        *sync_ms = JSONL_SYNC_NEVER;
    else if (program_number(text, 1, SYNC_SECONDS_MAX, sync_ms))
        *sync_ms *= 1000;
    else
        return false;
    return true;
}

static bool take_option(int option, const char *value, void *own) {
    jsonl_settings *out = own;
    int64_t number;
    switch (option) {
    case OPTION_SIZE:
        return parse_size(value, &out->size_max) ||
               program_complain_usage(&PROGRAM, "--rotate-size %s: give bytes from 1024 on, as 500K, 100M, 2G", value);
    case OPTION_DAILY: out->daily = true; return true;
    case OPTION_GZIP: out->gzip = true; return true;
    case OPTION_KEEP:
        if (!program_number(value, 1, KEEP_MAX, &number))
            return program_complain_usage(&PROGRAM, "--keep %s: give a number from 1 to %d", value, KEEP_MAX);
        out->keep = (unsigned)number;
        return true;
    default:
        return parse_fsync(value, &out->sync_ms) ||
               program_complain_usage(&PROGRAM, "--fsync %s: give batch, never, or seconds from 1 to %d", value,
                                      SYNC_SECONDS_MAX);
    }
}

/* ---- writing ---- */

static delivery_result later(const steno_error *error) { return delivery_say(DELIVERY_LATER, "%s", error->message); }

/* What is wrong although the batch is written: the archive. */
static delivery_result written(jsonl *self) {
    delivery_result result = DELIVERED;
    if (self->file) jsonl_file_problem(self->file, result.why);
    return result;
}

/* Appends event `at` to the lines, unless FILE had it before. False: no memory. */
static bool add_line(jsonl *self, const steno_event *event, bool *repeating) {
    size_t size;
    cleanup_free char *line = event_line(event, &size);
    if (!line) return false;
    *repeating = *repeating && jsonl_tail_has(self->tail, steno_event_offset(event), line, size);
    return *repeating || buffer_add(&self->lines, line, size);
}

static delivery_result put(jsonl *self, const steno_event *const *events, size_t upto) {
    steno_error error;
    if (self->lines.size > 0 &&
        jsonl_file_put(self->file, self->lines.bytes, self->lines.size, steno_event_offset(events[upto - 1]), &error))
        return later(&error);
    self->half_done = upto;
    buffer_clear(&self->lines);
    return DELIVERED;
}

/* Writes the batch in pieces that the file has room for. What is written of a batch that fails is not written again. */
static delivery_result write_to_file(jsonl *self, const steno_event *const *events, size_t count) {
    const uint64_t first = steno_event_offset(events[0]);
    if (first != self->half_first || self->half_done > count) self->half_done = 0;
    self->half_first = first;
    buffer_clear(&self->lines);
    bool repeating = self->tail != NULL;
    delivery_result result = DELIVERED;
    for (size_t i = self->half_done; i < count; i++) {
        const size_t before = self->lines.size, room = jsonl_file_room(self->file);
        if (!add_line(self, events[i], &repeating))
            return delivery_say(DELIVERY_LATER, "no memory for an event's line");
        if (before == 0 || self->lines.size <= room) continue;
        /* This one is for the next file. */
        const size_t size = self->lines.size - before;
        self->lines.size = before;
        result = put(self, events, i);
        if (result.outcome) return result;
        memmove(self->lines.bytes, self->lines.bytes + before, size);
        self->lines.size = size;
    }
    result = put(self, events, count);
    if (result.outcome) return result;
    self->half_done = 0;
    if (!repeating) {
        jsonl_tail_free(self->tail);
        self->tail = NULL;
    }
    return written(self);
}

static delivery_result write_to_stream(jsonl *self, const steno_event *const *events, size_t count) {
    const uint64_t first = steno_event_offset(events[0]), last = steno_event_offset(events[count - 1]);
    steno_error error;
    const bool begun = jsonl_stream_has(&self->stream, first, last);
    steno_status status = jsonl_stream_write(&self->stream, GRACE_MS, &error);
    if (!status && !begun) {
        bool repeating = false;
        buffer_clear(&self->lines);
        for (size_t i = 0; i < count; i++)
            if (!add_line(self, events[i], &repeating))
                return delivery_say(DELIVERY_LATER, "no memory for an event's line");
        jsonl_stream_take(&self->stream, &self->lines, first, last);
        status = jsonl_stream_write(&self->stream, GRACE_MS, &error);
    }
    if (status == STENO_END) return delivery_say(DELIVERY_BROKEN, "%s", error.message);
    return status ? later(&error) : DELIVERED;
}

static delivery_result deliver(const steno_event *const *events, size_t count, void *ctx) {
    jsonl *self = ctx;
    return self->file ? write_to_file(self, events, count) : write_to_stream(self, events, count);
}

static delivery_result idle(void *ctx) {
    jsonl *self = ctx;
    steno_error error;
    if (self->file && jsonl_file_tick(self->file, &error)) return later(&error);
    return written(self);
}

/* ---- beginning ---- */

static bool open_file(jsonl *self) {
    steno_error error;
    off_t cut = 0;
    if (jsonl_file_open(&self->settings, &self->file, &self->tail, &cut, &error)) {
        program_say(&PROGRAM, "%s", error.message);
        return false;
    }
    if (cut > 0)
        program_say(&PROGRAM, "%s ended in the middle of a line: %lld bytes are cut off, their event comes again",
                    self->settings.path, (long long)cut);
    hearing = self;
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    signal(SIGXFSZ, SIG_IGN); /* a limit on files' sizes is a full disk like any other */
    if (!sigaction(SIGHUP, &action, NULL)) return true;
    program_say(&PROGRAM, "cannot take over SIGHUP: %s", strerror(errno));
    return false;
}

static bool rotates(const jsonl_settings *settings) {
    return settings->size_max || settings->daily || settings->gzip || settings->keep;
}

int main(int argc, char **argv) {
    jsonl self = {.stream.fd = STDOUT_FILENO};
    steno_subscriber_config config;
    const int ended = program_parse(&PROGRAM, argc, argv, &self.settings, &config, &self.settings.path);
    if (ended >= 0) return ended;
    const bool to_stdout = !strcmp(self.settings.path, "-");
    if (to_stdout && rotates(&self.settings)) {
        program_complain_usage(&PROGRAM, "standard output cannot be rotated: give a FILE");
        return PROGRAM_USAGE;
    }
    int status = PROGRAM_FAILED;
    const delivery what = {.program = &PROGRAM,
                           .batch_events = BATCH_EVENTS,
                           .batch_bytes = BATCH_BYTES,
                           .deliver = deliver,
                           .idle = idle,
                           .self = &self};
    if (to_stdout || open_file(&self)) status = delivery_run(&what, &config);
    signal(SIGHUP, SIG_IGN);
    jsonl_file_close(self.file);
    jsonl_tail_free(self.tail);
    jsonl_stream_free(&self.stream);
    buffer_free(&self.lines);
    return status;
}
