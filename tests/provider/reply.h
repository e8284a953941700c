/* A reply as pieces that are written one after another: one for a plain reply, one for each event of a stream. How they are written (late, in
 * bits, not to the end) is what the faults say.
 */
#ifndef PROVIDER_REPLY_H
#define PROVIDER_REPLY_H

#include <jansson.h>
#include <microhttpd.h>

#include "tests/provider/fault.h"

/* Pieces of the longest stream. */
#define REPLY_PIECES_MAX 10000

typedef struct reply reply;

/* A reply with a status. `faults` is copied. NULL when memory is short. */
reply *reply_new(unsigned status, bool stream, const fault *faults);
void reply_free(reply *self);
/* Adds a piece; takes over `text` (malloc). */
void reply_add(reply *self, char *text);
/* The same of any bytes. */
void reply_add_bytes(reply *self, void *bytes, size_t size);
/* Content-Type where it is neither JSON nor a stream of events; static. */
void reply_set_type(reply *self, const char *type);
/* Adds JSON, taking over the reference: as the body, or, in a stream, as the data of an event. */
void reply_add_json(reply *self, json_t *json);
/* Adds an event with this data to a stream. */
void reply_add_event(reply *self, const char *data);
/* Adds an event with a name and JSON data, taking over the reference. */
void reply_add_named(reply *self, const char *name, json_t *json);
/* Adds a line of JSON (NDJSON), taking over the reference. */
void reply_add_line(reply *self, json_t *json);
/* How many pieces there are. */
size_t reply_pieces(const reply *self);
/* Sends it; `self` is freed when the connection is done with it. */
enum MHD_Result reply_send(reply *self, struct MHD_Connection *connection);

#endif
