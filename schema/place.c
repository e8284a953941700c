/* Finding and making Steno's folders. A folder that others can enter is refused, not mended: what is in it may have been read. */
#include "schema/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/clean.h"

/* Joins with a '/'; false if the result does not fit. */
static bool join(char *out, size_t size, const char *folder, const char *name) {
    return snprintf(out, size, "%s/%s", folder, name) < (int)size;
}

/* Makes the folder and those above it that are missing, all 0700. */
static int make_folders(const char *path) {
    char part[PLACE_PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) && errno != EEXIST) return -1;
        *slash = '/';
    }
    return mkdir(part, 0700) && errno != EEXIST ? -1 : 0;
}

/* Where it is not to be made it may be missing. */
static steno_status check_folder(const char *path, bool make, steno_error *error) {
    if (!make && access(path, F_OK) && errno == ENOENT) return STENO_OK;
    if (make && make_folders(path))
        return steno_fail(error, STENO_SYSTEM, "cannot make the folder %s: %s; set STENO_DIR to one you can write to",
                          path, strerror(errno));
    cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat folder;
    if (fd < 0 || fstat(fd, &folder))
        return steno_fail(error, STENO_SYSTEM, "cannot enter the folder %s: %s", path, strerror(errno));
    if (folder.st_uid != geteuid())
        return steno_fail(error, STENO_INVALID,
                          "the folder %s belongs to user %u, not to you (%u): set STENO_DIR to one of your own", path,
                          folder.st_uid, geteuid());
    if (folder.st_mode & 077)
        return steno_fail(error, STENO_INVALID,
                          "the folder %s can be entered by others (mode %04o): run `chmod 700 %s` if it is Steno's "
                          "alone, else set STENO_DIR to one of your own",
                          path, folder.st_mode & 07777, path);
    return STENO_OK;
}

static steno_status endpoint(char *out, const char *runtime, const char *name, steno_error *error) {
    if (snprintf(out, PLACE_ENDPOINT_BYTES, "ipc://%s/%s", runtime, name) - (int)strlen("ipc://") <=
        PLACE_SOCKET_PATH_MAX)
        return STENO_OK;
    return steno_fail(error, STENO_INVALID,
                      "the socket path %s/%s would have %zu bytes, and the system allows %d: set STENO_DIR to a "
                      "shorter folder",
                      runtime, name, strlen(runtime) + 1 + strlen(name), PLACE_SOCKET_PATH_MAX);
}

/* `$variable/suffix`, or, without the variable, `$HOME/fallback`. */
static bool xdg(char *out, size_t size, const char *variable, const char *suffix, const char *fallback) {
    const char *base = getenv(variable);
    if (base && base[0] == '/') return join(out, size, base, suffix);
    const char *home = getenv("HOME");
    return home && home[0] == '/' && fallback && join(out, size, home, fallback);
}

/* The two folders, from the environment. */
static steno_status find_folders(place *out, const char *dir, steno_error *error) {
    if (!dir || !*dir) dir = getenv("STENO_DIR");
    if (dir && *dir) {
        char here[PLACE_PATH_BYTES] = "";
        if (dir[0] != '/' && !getcwd(here, sizeof here))
            return steno_fail(error, STENO_SYSTEM, "cannot tell the current folder: %s", strerror(errno));
        int length = snprintf(out->state, sizeof out->state, "%s%s%s", here, here[0] ? "/" : "", dir);
        if (length >= (int)sizeof out->state)
            return steno_fail(error, STENO_INVALID, "the folder's name is too long: %.64s…", dir);
        while (length > 1 && out->state[length - 1] == '/') out->state[--length] = '\0';
        snprintf(out->runtime, sizeof out->runtime, "%s", out->state);
        return STENO_OK;
    }
    if (!xdg(out->state, sizeof out->state, "XDG_STATE_HOME", "steno", ".local/state/steno"))
        return steno_fail(error, STENO_INVALID,
                          "there is neither STENO_DIR nor HOME to put Steno's folder in: set STENO_DIR");
    if (!xdg(out->runtime, sizeof out->runtime, "XDG_RUNTIME_DIR", "steno", NULL))
        snprintf(out->runtime, sizeof out->runtime, "/tmp/steno-%u", geteuid());
    return STENO_OK;
}

static bool find_config(place *out, const char *dir) {
    const char *file = getenv("STENO_CONFIG");
    if (file && *file) return snprintf(out->config, sizeof out->config, "%s", file) < (int)sizeof out->config;
    const char *steno_dir = getenv("STENO_DIR");
    if ((dir && *dir) || (steno_dir && *steno_dir))
        return join(out->config, sizeof out->config, out->state, "stenod.ini");
    return xdg(out->config, sizeof out->config, "XDG_CONFIG_HOME", "steno/stenod.ini", ".config/steno/stenod.ini");
}

static steno_status settle(place *out, const char *dir, bool make, steno_error *error) {
    *out = (place){0};
    steno_status status = find_folders(out, dir, error);
    if (status) return status;
    if (!find_config(out, dir)) return steno_fail(error, STENO_INVALID, "the configuration file's name is too long");
    if (!join(out->spool, sizeof out->spool, out->state, "spool") ||
        !join(out->log, sizeof out->log, out->state, "log.db"))
        return steno_fail(error, STENO_INVALID, "the folder's name is too long: %.64s…", out->state);
    if ((status = endpoint(out->events_in, out->runtime, "events.in", error)) ||
        (status = endpoint(out->events_out, out->runtime, "events.out", error)) ||
        (status = endpoint(out->control, out->runtime, "control", error)))
        return status;
    if ((status = check_folder(out->state, make, error))) return status;
    if (strcmp(out->state, out->runtime) && (status = check_folder(out->runtime, make, error))) return status;
    if (make && mkdir(out->spool, 0700) && errno != EEXIST)
        return steno_fail(error, STENO_SYSTEM, "cannot make the folder %s: %s", out->spool, strerror(errno));
    return STENO_OK;
}

steno_status place_open(place *out, const char *dir, steno_error *error) { return settle(out, dir, true, error); }
steno_status place_find(place *out, const char *dir, steno_error *error) { return settle(out, dir, false, error); }
