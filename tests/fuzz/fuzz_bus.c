/* Any bytes as frames from the bus, through the header's reader and the order of a publisher. Input: a byte that is the header's length, the
 * header, the body; then the next frame.
 */
#include <stdlib.h>

#include "daemon/ingress.h"
#include "daemon/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define BODY_BYTES 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static store *log_db;
    steno_error error;
    intake in;
    if (!log_db && store_open(":memory:", false, &log_db, &error)) abort();
    if (intake_open(&in, "/nonexistent", log_db, &error)) abort();
    while (size > 0 && batch_fits(&in.batch, 0)) {
        size_t header = bytes[0] < size - 1 ? bytes[0] : size - 1;
        size_t rest = size - 1 - header, body = rest < BODY_BYTES ? rest : BODY_BYTES;
        uint8_t uuid[SPOOL_PUBLISHER_BYTES];
        uint64_t seq;
        if (ingress_header(bytes + 1, header, uuid, &seq)) {
            publisher *from = intake_publisher(&in, uuid, false);
            uint64_t before = from ? from->next : 0;
            if (from) order_frame(&in, from, seq, bytes + 1 + header, body);
            if (from && batch_fits(&in.batch, BODY_BYTES)) order_spool_end(&in, from);
            if (from && from->next < before) abort();
        }
        bytes += 1 + header + body;
        size -= 1 + header + body;
    }
    intake_close(&in);
    return 0;
}
