/* A small file into lines, without white space around them. */
#include "subscribers/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/clean.h"

static const char BLANK[] = " \t\r\n";

/* Takes `text` over, which is freed with *out. */
static steno_status split(char *text, const char *what, secret_lines *out, steno_error *error) {
    *out = (secret_lines){.text = text};
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        line += strspn(line, BLANK);
        size_t size = strlen(line);
        while (size && strchr(BLANK, line[size - 1])) size--;
        line[size] = '\0';
        if (!size || *line == '#') continue;
        if (out->count == SECRET_FILE_LINES_MAX)
            return steno_fail(error, STENO_LIMIT, "%s: more than %d lines", what, SECRET_FILE_LINES_MAX);
        out->lines[out->count++] = line;
    }
    return out->count ? STENO_OK : steno_fail(error, STENO_INVALID, "%s: there is nothing in it", what);
}

static steno_status parse(char *text, const char *what, secret_lines *out, steno_error *error) {
    if (!text) return steno_fail(error, STENO_NO_MEMORY, "%s: no memory for it", what);
    steno_status status = split(text, what, out, error);
    if (status) secret_lines_free(out);
    return status;
}

steno_status secret_lines_parse(const char *text, const char *what, secret_lines *out, steno_error *error) {
    *out = (secret_lines){0};
    return parse(strdup(text), what, out, error);
}

steno_status secret_file_read(const char *path, secret_lines *out, steno_error *error) {
    *out = (secret_lines){0};
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return steno_fail(error, errno == ENOENT ? STENO_NOT_FOUND : STENO_SYSTEM, "cannot open %s: %s", path,
                          strerror(errno));
    cleanup_free char *text = malloc(SECRET_FILE_BYTES_MAX + 2);
    if (!text) return steno_fail(error, STENO_NO_MEMORY, "%s: no memory for it", path);
    size_t size = 0;
    for (ssize_t got = 1; got && size <= SECRET_FILE_BYTES_MAX; size += (size_t)got)
        if ((got = read(fd, text + size, SECRET_FILE_BYTES_MAX + 1 - size)) < 0)
            return steno_fail(error, STENO_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    if (size > SECRET_FILE_BYTES_MAX)
        return steno_fail(error, STENO_LIMIT, "%s has more than %d bytes", path, SECRET_FILE_BYTES_MAX);
    text[size] = '\0';
    if (strlen(text) != size) return steno_fail(error, STENO_INVALID, "%s is no text: it has NUL bytes", path);
    char *owned = text;
    text = NULL;
    return parse(owned, path, out, error);
}

void secret_lines_free(secret_lines *self) {
    if (self->text) explicit_bzero(self->text, strlen(self->text));
    free(self->text);
    *self = (secret_lines){0};
}
