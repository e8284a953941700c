/* Who holds a lock on the log, so that a message can name it, and a subscriber of ours that is stuck with it can be ended. */
#ifndef DAEMON_LOCK_HOLDER_H
#define DAEMON_LOCK_HOLDER_H

#include <stddef.h>
#include <sys/types.h>

#define LOCK_HOLDER_NAME_BYTES 32

typedef enum lock_held { LOCK_WRITING, LOCK_READING } lock_held;

/* A process, not this one, that holds such a lock, with its name; 0 if there is none or it can't be seen from here. */
pid_t lock_holder_find(const char *log_path, lock_held which, char name[LOCK_HOLDER_NAME_BYTES]);

#endif
