/* One daemon a folder: a POSIX record lock on stenod.lock, held for the life of the process. It ends with the process whatever
 * ends it, and no child inherits it. The file must not be opened a second time in this process: closing it would drop the lock.
 */
#ifndef DAEMON_LOCK_H
#define DAEMON_LOCK_H

#include "schema/place.h"

#define LOCK_NAME "stenod.lock"

/* Locks the folder of the log and, where it is another one, that of the sockets.
 * STENO_BUSY: another daemon has it; the message names its pid.
 */
steno_status lock_take(const place *where, steno_error *error);

#endif
