/* Any bytes as an event stream of AWS's: as they are, and as the inside of a frame whose checksums are right, which chance would not find. No crash, no
 * leak, and the same events whether the bytes come at once or in pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "client/aws_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static steno_status note(const char *name, const char *data, size_t size, void *ctx) {
    buffer *out = ctx;
    if (data[size]) abort();
    if (!buffer_add(out, name, strlen(name)) || !buffer_add(out, "|", 1) || !buffer_add(out, data, size)) abort();
    return STENO_OK;
}

static steno_status read_all(const uint8_t *bytes, size_t size, size_t piece, buffer *out) {
    aws_frames parser = {.on_frame = note, .ctx = out};
    steno_error error;
    steno_status status = STENO_OK;
    for (size_t at = 0; !status && at < size; at += piece)
        status = aws_frames_feed(&parser, bytes + at, size - at < piece ? size - at : piece, &error);
    if (!status) status = aws_frames_end(&parser, &error);
    aws_frames_free(&parser);
    return status;
}

static void check(const uint8_t *bytes, size_t size, size_t piece) {
    buffer whole = {0}, pieces = {0};
    if (read_all(bytes, size, size, &whole) != read_all(bytes, size, piece, &pieces)) abort();
    if (strcmp(buffer_text(&whole), buffer_text(&pieces))) abort();
    buffer_free(&whole);
    buffer_free(&pieces);
}

static void put(uint8_t *at, size_t number) {
    for (int i = 3; i >= 0; i--, number >>= 8) at[i] = (uint8_t)number;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 2) return 0;
    size_t piece = 1 + bytes[0] % 32, headers = bytes[1], total = size - 2 + 16;
    check(bytes, size, piece);
    uint8_t *frame = malloc(total);
    if (!frame) return 0;
    put(frame, total);
    put(frame + 4, headers);
    put(frame + 8, crc32(0, frame, 8));
    memcpy(frame + 12, bytes + 2, size - 2);
    put(frame + total - 4, crc32(0, frame, (uInt)(total - 4)));
    check(frame, total, piece);
    free(frame);
    return 0;
}
