/* What steno_subscriber_join remembers between events. */
#ifndef SUBSCRIBERS_JOINED_H
#define SUBSCRIBERS_JOINED_H

typedef struct joined joined;

void joined_free(joined *self);

#endif
