/* One exit path a function: `cleanup(free_x) x *p = NULL;` frees at the end of the scope. */
#ifndef STENO_CLEAN_H
#define STENO_CLEAN_H

#include <stdlib.h>
#include <unistd.h>

#define cleanup(function) __attribute__((cleanup(function)))

/* Defines `name`, a cleanup function for a variable of type `type *`, that calls `release` on it. */
#define CLEANUP_FUNCTION(name, type, release)                          \
    static inline __attribute__((unused)) void name(type **variable) { \
        if (*variable) release(*variable);                             \
    }

static inline __attribute__((unused)) void clean_memory(void *variable) { free(*(void **)variable); }
static inline __attribute__((unused)) void clean_fd(int *variable) {
    if (*variable >= 0) close(*variable);
}

/* A heap block and a file descriptor of this scope. */
#define cleanup_free cleanup(clean_memory)
#define cleanup_close cleanup(clean_fd)

#endif
