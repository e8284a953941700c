/* Is this still the process that made it? Threads and connections do not come along over a fork; what holds some asks here. */
#ifndef CLIENT_FORK_WATCH_H
#define CLIENT_FORK_WATCH_H

/* A number that differs in a child from what it was in the parent. No system call. */
unsigned fork_generation(void);

/* One mutex for the few short steps that a fork must not fall into (a thread that is in one does not exist in the child): a fork waits for it.
 * Not recursive, and nothing that blocks is done while it is held.
 */
void fork_guard_lock(void);
void fork_guard_unlock(void);

#endif
