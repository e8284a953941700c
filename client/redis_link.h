/* One connection to a Redis server. hiredis writes the commands and reads the replies; sending and receiving are done here, because every step has
 * to end by a deadline and must not raise SIGPIPE in the app. One thread at a time.
 */
#ifndef CLIENT_REDIS_LINK_H
#define CLIENT_REDIS_LINK_H

#include <hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/redis_address.h"

/* A larger reply is none to a question of ours. */
#define REDIS_REPLY_BYTES_MAX (16u << 20)

typedef struct redis_link redis_link;

/* One word of a command: any bytes. */
typedef struct redis_word {
    const char *bytes;
    size_t size;
} redis_word;

#define REDIS_WORDS_MAX 5

/* Connects, names itself and goes to its database. NULL: not by `deadline` (deadline.h), or the server refused. */
redis_link *redis_link_open(const redis_address *to, int64_t deadline);
/* Sends a command and takes its reply, which is owned by the caller (freeReplyObject). NULL: there is none by `deadline`, and the connection is of no
 * more use; *ended then says whether the server had ended it, as it does with one long idle or when it is restarted.
 */
redisReply *redis_link_ask(redis_link *self, const redis_word *words, size_t count, int64_t deadline, bool *ended);
void redis_link_close(redis_link *self);
/* In a child of the process that opened it: lets go of the connection, which stays the parent's. The memory stays too: a thread of the parent may
 * have been changing it while the child was made.
 */
void redis_link_abandon(redis_link *self);

#endif
