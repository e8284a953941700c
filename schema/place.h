/* Where things are: the folders, sockets and files that every part of Steno agrees on, and who may enter them. */
#ifndef STENO_PLACE_H
#define STENO_PLACE_H

#include "schema/error.h"

/* Longest folder name that leaves room for what Steno keeps in it. */
#define PLACE_PATH_BYTES 4096
/* sun_path holds 108 bytes with its NUL (unix(7)); "ipc://" stands before it. */
#define PLACE_SOCKET_PATH_MAX 107
#define PLACE_ENDPOINT_BYTES (PLACE_SOCKET_PATH_MAX + 8)

/* A plain value: no ownership. */
typedef struct place {
    char runtime[PLACE_PATH_BYTES];       /* folder of the sockets; stenod's lock is in both */
    char state[PLACE_PATH_BYTES];         /* folder of log.db and spool/ */
    char spool[PLACE_PATH_BYTES + 16];    /* $STATE/spool */
    char log[PLACE_PATH_BYTES + 16];      /* $STATE/log.db */
    char config[PLACE_PATH_BYTES + 16];   /* stenod.ini: $STENO_CONFIG, else in $STENO_DIR or $XDG_CONFIG_HOME/steno */
    char events_in[PLACE_ENDPOINT_BYTES]; /* ipc://… endpoints */
    char events_out[PLACE_ENDPOINT_BYTES];
    char control[PLACE_ENDPOINT_BYTES];
} place;

/* Finds the folders: `dir` if not NULL, else $STENO_DIR, else the XDG folders; makes them (0700) where they are missing.
 * Errors: STENO_INVALID (not absolute after resolution, too long, owned by someone else, open to others), STENO_SYSTEM.
 */
steno_status place_open(place *out, const char *dir, steno_error *error);
/* The same for who only reads: makes nothing, and where a folder is missing there is nothing in it. */
steno_status place_find(place *out, const char *dir, steno_error *error);

#endif
