/* Frames of AWS's event stream (application/vnd.amazon.eventstream), as they come in: any split of the bytes gives the same events. A length
 * is believed only when its checksum is right. One thread at a time.
 */
#ifndef CLIENT_AWS_FRAMES_H
#define CLIENT_AWS_FRAMES_H

#include "schema/buffer.h"
#include "schema/error.h"

/* Longest frame, as in AWS's own libraries, and the headers in it: a real one has three short ones. */
#define AWS_FRAME_BYTES_MAX (16u << 20)
#define AWS_FRAME_HEADERS_BYTES_MAX (64u << 10)
/* Room for an event's name with its NUL. */
#define AWS_FRAME_NAME_BYTES 128

/* Called with each frame. `name` is the header :event-type, "" if there is none; for an exception (the stream's way to fail)
 * "exception:" and its :exception-type, "exception:throttlingException". `data` is the payload, JSON as a rule, followed by a NUL. An error that
 * no exception stands for (:error-code, :error-message, no payload) is "exception:" and its code, with {"message": …}. Borrowed. Returning
 * anything but STENO_OK ends the feeding with it.
 */
typedef steno_status (*aws_frame_fn)(const char *name, const char *data, size_t size, void *ctx);

/* Begin with {.on_frame = …, .ctx = …}. */
typedef struct aws_frames {
    aws_frame_fn on_frame;
    void *ctx;
    buffer frame; /* what came of it */
    size_t size;  /* of the whole frame; 0: not known yet */
} aws_frames;

/* STENO_CORRUPT: it is no such frame, or a checksum is wrong. STENO_LIMIT: it is too long. STENO_NO_MEMORY. Else what on_frame returned.
 * After a failure no more may be fed.
 */
steno_status aws_frames_feed(aws_frames *self, const void *bytes, size_t size, steno_error *error);
/* The stream is over. STENO_CORRUPT: within a frame. */
steno_status aws_frames_end(const aws_frames *self, steno_error *error);
void aws_frames_free(aws_frames *self);

#endif
