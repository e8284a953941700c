/* What Mixpanel says of a batch. With strict=1 a 400 is a partial success: it has imported all events but those of `failed_records`, and asks not to
 * be sent either again. Invariant: an event counts as imported or as refused only where the reply says so without contradiction.
 */
#ifndef SUBSCRIBERS_MIXPANEL_REPLY_H
#define SUBSCRIBERS_MIXPANEL_REPLY_H

#include "subscribers/http_post.h"
#include "subscribers/mixpanel_event.h"

#define MIXPANEL_WHY_BYTES 200

/* The verdict on each event of the batch that was sent last, until delivery has asked for all of them. */
typedef struct mixpanel_verdicts {
    size_t count; /* 0: none */
    size_t asked; /* so many have been asked for */
    uint64_t offsets[MIXPANEL_EVENTS_MAX];
    char why[MIXPANEL_EVENTS_MAX][MIXPANEL_WHY_BYTES]; /* "": imported */
} mixpanel_verdicts;

/* Judges the reply to the batch with these offsets. REFUSED with verdicts in *out: ask mixpanel_verdict_on for the parts. A 400 that does not say
 * which events it means is about the request (a wrong project, …), not about them: LATER.
 */
delivery_result mixpanel_judge(const http_post *post, const http_reply *reply, const uint64_t *offsets, size_t count,
                               mixpanel_verdicts *out);
/* True if the verdicts cover all these offsets, which are a run of the batch's: then *result is DONE, or REFUSED if one of them is (`why` is the verdict
 * where it is one event). Verdicts that were all asked for are forgotten; so are those that do not cover these.
 */
bool mixpanel_verdict_on(mixpanel_verdicts *self, const uint64_t *offsets, size_t count, delivery_result *result);

#endif
