/* One call for people. */
#ifndef CLI_SHOW_TEXT_H
#define CLI_SHOW_TEXT_H

#include <jansson.h>

/* Prints a row of `calls` as an object, and its events: an array of {event, line} (event_line.h). Both borrowed. */
void show_text(const json_t *call, const json_t *events);

#endif
