/* Asynchronous calls: one thread of the client's drives all of them on one curl multi handle. */
#ifndef CLIENT_ASYNC_H
#define CLIENT_ASYNC_H

#include "client/client.h"

/* Calls that wait for their turn: beyond it starting one fails. */
#define ASYNC_WAITING_MAX 100000

/* Cancels what is in flight, waits for running callbacks, ends the thread. Fine if there never was one. */
void async_stop(steno_client *client);

#endif
