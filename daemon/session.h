/* The processes of a session (setsid): a child of ours and what it has started, whatever groups they made. */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include <sys/types.h>

/* SIGKILL for all of the session but its leader. The leader is not reaped yet, so that the session's number is nobody else's. */
void session_kill(pid_t leader);

#endif
