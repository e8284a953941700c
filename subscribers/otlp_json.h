/* The JSON encoding of OTLP, made from the message types themselves (protobuf-c's descriptors), so that it says exactly what the binary one says.
 * The rules: opentelemetry-proto, "JSON Protobuf Encoding": lowerCamelCase names, ids as hex, 64-bit numbers as decimal strings, enums as numbers.
 */
#ifndef SUBSCRIBERS_OTLP_JSON_H
#define SUBSCRIBERS_OTLP_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* A new reference. A message within it that has no JSON (invalid UTF-8) is left out: events have only valid texts. */
json_t *otlp_json(const ProtobufCMessage *message);

#endif
