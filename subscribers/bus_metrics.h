/* The bus's own health: what the daemon says of itself (control verb `status`) as metrics. Keeps nothing. */
#ifndef SUBSCRIBERS_BUS_METRICS_H
#define SUBSCRIBERS_BUS_METRICS_H

#include <stdio.h>

#include "subscribers/steno_subscriber.h"

/* Subscribers that are listed by name. Names are made on this machine, so more is a mistake; how many there are is a metric. */
#define BUS_METRICS_SUBSCRIBERS_MAX 256

/* `status` NULL: no daemon answers, and all that can be said is that. */
void bus_metrics_put(const steno_value *status, FILE *out);

#endif
