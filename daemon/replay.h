/* The verb `replay`: a bounded piece of the journal, filtered by topic. */
#ifndef DAEMON_REPLAY_H
#define DAEMON_REPLAY_H

#include "daemon/verbs.h"

const char *replay_answer(const verb_view *view, const control_message *request, steno_draft *reply,
                          char message[STENO_ERROR_MESSAGE_BYTES]);

#endif
