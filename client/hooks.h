/* A steno_hooks struct, whoever gave it: an app (client.c) or a plug-in (subscribers/plugin.c). Uses nothing of a client. */
#ifndef CLIENT_HOOKS_H
#define CLIENT_HOOKS_H

#include "client/steno.h"

/* Takes over a struct of any version (STENO_SIZED). */
steno_status hooks_take(const steno_hooks *given, steno_hooks *out, steno_error *error);
/* The function for events of this kind; NULL if there is none. */
steno_event_fn hooks_function(const steno_hooks *hooks, steno_event_kind kind);

#endif
