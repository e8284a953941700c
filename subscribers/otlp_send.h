/* One request of one signal, encoded and sent, and what the answer means by the rules of OTLP/HTTP:
 *   2xx                  done; what a partial success says was rejected is told, and never sent again
 *   429, 502, 503, 504   later, after its Retry-After; no answer: later
 *   3xx, 401, 403, 404, 405, 415, and 2xx with a web page   it is the configuration that is wrong, not the data: nothing can go on
 *   every other          refused
 */
#ifndef SUBSCRIBERS_OTLP_SEND_H
#define SUBSCRIBERS_OTLP_SEND_H

#include <protobuf-c/protobuf-c.h>

#include "subscribers/delivery.h"
#include "subscribers/http_post.h"
#include "subscribers/otlp_config.h"

/* The recommended limit of OTLP, before compression. A larger request is refused without being sent. */
#define OTLP_REQUEST_BYTES_MAX (64u << 20)

typedef struct otlp_sender otlp_sender;

/* `who` and `route` are borrowed and must outlive it. */
steno_status otlp_sender_new(const program *who, const otlp_route *route, otlp_sender **out, steno_error *error);
void otlp_sender_free(otlp_sender *self);
/* Sends a TraceRequest or a MetricsRequest. */
delivery_result otlp_send(otlp_sender *self, const ProtobufCMessage *request);

/* What a reply means; `why` is given with everything but DONE. For otlp_send, and tests. */
delivery_outcome otlp_outcome(long http_status);
/* What a partial success (of either encoding) says: its message in `why` (may be NULL: there is none), to be freed. Returns how many items were rejected. */
int64_t otlp_rejected(const http_reply *reply, char **why);

#endif
