/* A handler for tests of the frame (delivery.h): appends one line a batch to FILE, "offset offset …\n", in one write. Behaves as its events and the
 * files beside FILE say: refuses batches with an event that has field `refuse`; LATER while FILE.later is there; is slow while FILE.slow is.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "subscribers/delivery.h"

#define LINE_BYTES 4096

typedef struct probe {
    const char *path;
} probe;

static bool there(const char *path, const char *ending) {
    char name[512];
    snprintf(name, sizeof name, "%s.%s", path, ending);
    return access(name, F_OK) == 0;
}

static delivery_result deliver(const steno_event *const *events, size_t count, void *ctx) {
    const probe *self = ctx;
    char line[LINE_BYTES];
    size_t size = 0;
    if (there(self->path, "later"))
        return delivery_say(DELIVERY_LATER, "told to wait with %" PRIu64, steno_event_offset(events[0]));
    for (size_t i = 0; i < count; i++) {
        if (steno_event_get(events[i], "refuse")) return delivery_say(DELIVERY_REFUSED, "the probe refuses it");
        size += (size_t)snprintf(line + size, sizeof line - size, "%" PRIu64 " ", steno_event_offset(events[i]));
    }
    line[size - 1] = '\n';
    if (there(self->path, "slow")) usleep(20000);
    const int fd = open(self->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, size) != (ssize_t)size) return delivery_say(DELIVERY_BROKEN, "cannot write");
    close(fd);
    return DELIVERED;
}

int main(int argc, char **argv) {
    static const program self = {
        .name = "steno-test-delivery", .synopsis = "FILE [TOPIC...]", .about = "For tests.", .arguments = 1};
    steno_subscriber_config config;
    probe own;
    const int ended = program_parse(&self, argc, argv, NULL, &config, &own.path);
    if (ended >= 0) return ended;
    const delivery what = {
        .program = &self, .batch_events = 20, .batch_bytes = 1 << 20, .batch_ms = 20, .deliver = deliver, .self = &own};
    return delivery_run(&what, &config);
}
