/* Tokens of a call whose provider gave no usage, from the lengths of its texts: schema/COSTS.md, "Estimates". A pure function of the event. */
#ifndef SUBSCRIBERS_COST_ESTIMATE_H
#define SUBSCRIBERS_COST_ESTIMATE_H

#include "client/steno.h"

/* Fills in prompt and completion tokens where they are unknown. False, and nothing filled in: both are known, or the event does not have the texts (they
 * were redacted or cut), or more than texts, or nothing was received.
 */
bool cost_estimate(const steno_event *event, steno_usage *usage);

#endif
