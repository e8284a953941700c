/* Is this still the process that made it? Threads and connections do not come along over a fork; what holds some asks here. */
#ifndef CLIENT_FORK_WATCH_H
#define CLIENT_FORK_WATCH_H

/* A number that differs in a child from what it was in the parent. No system call. */
unsigned fork_generation(void);

#endif
