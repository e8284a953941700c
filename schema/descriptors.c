/* A closed descriptor is held by /dev/null, opened for what nobody does with it: reading standard input, writing the other two gives EBADF. */
#include "schema/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

void descriptors_hold(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) /* open() takes the lowest that is free: those below are held already */
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}
