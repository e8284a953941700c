/* What an event does to the tables `call` and `content`. Knows the event's fields (EVENTS.md) and those two tables, nothing else;
 * runs within the store's transaction.
 */
#ifndef DAEMON_CALL_ROW_H
#define DAEMON_CALL_ROW_H

#include <sqlite3.h>

#include "schema/event.h"

typedef struct call_row call_row;

steno_status call_row_open(sqlite3 *database, call_row **out, steno_error *error);
void call_row_close(call_row *self);
/* Applies the event; `publisher_id` is publisher.id, 0: none; `now` stands in for a missing time. Returns SQLite's code. */
int call_row_apply(call_row *self, const steno_event *event, int64_t publisher_id, double now);

#endif
