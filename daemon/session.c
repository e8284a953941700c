/* By /proc: the kernel has a call for a process group, and none for a session. */
#include "daemon/session.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "schema/clean.h"

/* Who is killed may have started another one just before. */
#define PASSES_MAX 10

CLEANUP_FUNCTION(clean_file, FILE, fclose)
CLEANUP_FUNCTION(clean_folder, DIR, closedir)

/* Is it of that session, and alive? */
static bool belongs(const char *pid, pid_t session) {
    char path[280], line[512];
    int group, whose;
    char state;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    cleanup(clean_file) FILE *file = fopen(path, "re");
    if (!file || !fgets(line, sizeof line, file)) return false;
    /* "7 (name) S parent group session …", and a name may have anything in it. */
    const char *rest = strrchr(line, ')');
    return rest && sscanf(rest + 1, " %c %*d %d %d", &state, &group, &whose) == 3 && whose == session && state != 'Z' &&
           state != 'X';
}

/* True if it was killed. The descriptor comes first: then what is looked at and what is killed are the same process. */
static bool kill_if_of(const char *pid, pid_t session) {
    const int number = atoi(pid);
    if (number <= 0 || number == session) return false;
    cleanup_close int process = pidfd_open(number, 0);
    return process >= 0 && belongs(pid, session) && !pidfd_send_signal(process, SIGKILL, NULL, 0);
}

void session_kill(pid_t leader) {
    bool more = true;
    for (int pass = 0; more && pass < PASSES_MAX; pass++) {
        cleanup(clean_folder) DIR *folder = opendir("/proc");
        more = false;
        for (struct dirent *entry; folder && (entry = readdir(folder));) more |= kill_if_of(entry->d_name, leader);
    }
}
