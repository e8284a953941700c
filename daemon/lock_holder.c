/* SQLite's locks are POSIX locks on single bytes of `log.db-shm` (its "WAL-Index File Format", section 2.3). They are looked up in
 * /proc/locks: to open the file and ask would drop the locks that this process itself has on it.
 */
#include "daemon/lock_holder.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/clean.h"

/* Where the two kinds of lock are, and what the kernel calls them. */
static const struct {
    const char *mode;
    uint64_t first, last;
} held_as[] = {[LOCK_WRITING] = {"WRITE", 120, 120}, [LOCK_READING] = {"READ", 123, 127}};

CLEANUP_FUNCTION(clean_file, FILE, fclose)

static void name_of(pid_t pid, char name[LOCK_HOLDER_NAME_BYTES]) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    cleanup(clean_file) FILE *file = fopen(path, "re");
    if (!file || !fgets(name, LOCK_HOLDER_NAME_BYTES, file)) strcpy(name, "?");
    name[strcspn(name, "\n")] = '\0';
}

pid_t lock_holder_find(const char *log_path, lock_held which, char name[LOCK_HOLDER_NAME_BYTES]) {
    char path[PATH_MAX];
    struct stat index;
    *name = '\0';
    snprintf(path, sizeof path, "%s-shm", log_path);
    cleanup(clean_file) FILE *locks = fopen("/proc/locks", "re");
    if (!locks || stat(path, &index)) return 0;
    char line[256];
    while (fgets(line, sizeof line, locks)) {
        /* "7: POSIX  ADVISORY  WRITE 1234 08:01:5678 120 120". The device is not compared: file systems in layers show another one here. */
        int pid;
        char mode[8];
        uint64_t inode, first, last;
        if (sscanf(line, "%*d: POSIX %*s %7s %d %*x:%*x:%" SCNu64 " %" SCNu64 " %" SCNu64, mode, &pid, &inode, &first,
                   &last) != 5)
            continue;
        if (pid <= 0 || pid == getpid() || inode != index.st_ino || strcmp(mode, held_as[which].mode)) continue;
        if (first > held_as[which].last || last < held_as[which].first) continue;
        name_of(pid, name);
        return pid;
    }
    return 0;
}
