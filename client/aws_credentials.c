/* Finding keys. The files are INI files with one peculiarity, lines without a limit (session tokens have hundreds of bytes; inih cuts lines at 200),
 * which is why they are read here.
 */
#include "client/aws_credentials.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void aws_credentials_free(aws_credentials *self) {
    free(self->key_id);
    if (self->secret) explicit_bzero(self->secret, strlen(self->secret));
    free(self->secret);
    free(self->session_token);
    free(self->region);
    *self = (aws_credentials){0};
}

/* NULL where it is not set, or set to nothing. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* A copy into a member that has none yet; false when memory is short. */
static bool take(char **to, const char *text) { return *to || !text || (*to = strdup(text)); }

/* ---- files ---- */

/* What a file says of a profile. */
typedef struct reading {
    const char *profile;
    bool is_config; /* its sections are "[profile name]", but for the default one */
    bool inside;    /* of the profile's section */
    aws_credentials found;
    bool no_memory;
} reading;

static char *trim(char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t size = strlen(text);
    while (size && isspace((unsigned char)text[size - 1])) size--;
    text[size] = '\0';
    return text;
}

static bool is_section_of(const reading *self, char *name) {
    static const char word[] = "profile";
    name = trim(name);
    if (self->is_config && !strncmp(name, word, sizeof word - 1) && isspace((unsigned char)name[sizeof word - 1]))
        name = trim(name + sizeof word - 1);
    else if (self->is_config && strcmp(name, "default"))
        return false;
    return !strcmp(name, self->profile);
}

static void read_line(reading *self, char *line) {
    if (isspace((unsigned char)*line) || *line == '#' || *line == ';') return; /* indented: belongs to the key above */
    char *end = strchr(line, ']'), *equals = strchr(line, '=');
    if (*line == '[' && end) {
        *end = '\0';
        self->inside = is_section_of(self, line + 1);
    }
    if (!self->inside || *line == '[' || !equals) return;
    *equals = '\0';
    const char *name = trim(line), *value = trim(equals + 1);
    char **to = !strcmp(name, "aws_access_key_id")       ? &self->found.key_id
                : !strcmp(name, "aws_secret_access_key") ? &self->found.secret
                : !strcmp(name, "aws_session_token")     ? &self->found.session_token
                : !strcmp(name, "region")                ? &self->found.region
                                                         : NULL;
    if (to && *value && !take(to, value)) self->no_memory = true;
}

/* A file that can't be read says nothing: most machines have none. */
static void read_file(reading *self, const char *path) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0, total = 0;
    if (!file) return;
    for (ssize_t size; total < AWS_FILE_BYTES_MAX && (size = getline(&line, &room, file)) > 0; total += (size_t)size)
        read_line(self, line);
    if (line) explicit_bzero(line, room);
    free(line);
    fclose(file);
}

/* The file that `name` names, or ~/.aws/`usual`. Owned by the caller; NULL: no such place, or no memory. */
static char *path_of(const char *name, const char *usual) {
    const char *given = variable(name), *home = variable("HOME");
    char *path = NULL;
    if (given && strncmp(given, "~/", 2)) return strdup(given);
    if (!home) return NULL;
    int size = given ? asprintf(&path, "%s/%s", home, given + 2) : asprintf(&path, "%s/.aws/%s", home, usual);
    return size < 0 ? NULL : path;
}

/* Keys go together: a half of them is not completed from elsewhere. */
static bool take_keys(aws_credentials *out, const char *key_id, const char *secret, const char *session_token) {
    if (out->key_id || !key_id || !secret) return true;
    return take(&out->key_id, key_id) && take(&out->secret, secret) && take(&out->session_token, session_token);
}

static bool from_file(aws_credentials *out, const char *name, const char *usual, bool is_config) {
    const char *profile = variable("AWS_PROFILE");
    reading self = {.profile = profile ? profile : "default", .is_config = is_config};
    char *path = path_of(name, usual);
    if (path) read_file(&self, path);
    free(path);
    const aws_credentials *found = &self.found;
    bool good = !self.no_memory && take_keys(out, found->key_id, found->secret, found->session_token) &&
                take(&out->region, found->region);
    aws_credentials_free(&self.found);
    return good;
}

/* ---- */

steno_status aws_credentials_find(aws_credentials *out, steno_error *error) {
    *out = (aws_credentials){0};
    bool good = take_keys(out, variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                          variable("AWS_SESSION_TOKEN")) &&
                take(&out->region, variable("AWS_REGION")) && take(&out->region, variable("AWS_DEFAULT_REGION"));
    bool whole = out->key_id && out->region;
    if (good && !whole) good = from_file(out, "AWS_SHARED_CREDENTIALS_FILE", "credentials", false);
    whole = out->key_id && out->region;
    if (good && !whole) good = from_file(out, "AWS_CONFIG_FILE", "config", true);
    if (good) return STENO_OK;
    aws_credentials_free(out);
    return steno_fail(error, STENO_NO_MEMORY, "no memory for the AWS credentials");
}

steno_status aws_credentials_check(const aws_credentials *self, bool keys, bool region, steno_error *error) {
    const char *profile = variable("AWS_PROFILE");
    if (keys && !(self->key_id && self->secret))
        return steno_fail(error, STENO_NOT_FOUND,
                          "no AWS keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK, "
                          "or write them for profile \"%s\" into ~/.aws/credentials",
                          profile ? profile : "default");
    if (region && !self->region)
        return steno_fail(error, STENO_NOT_FOUND,
                          "no AWS region: set AWS_REGION, or write `region` for profile \"%s\" into ~/.aws/config",
                          profile ? profile : "default");
    return STENO_OK;
}

steno_status aws_endpoint(const char *host, const char *region, char out[AWS_ENDPOINT_BYTES], steno_error *error) {
    size_t size = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");
    bool china = !strncmp(region, "cn-", 3);
    bool formed = size && !region[size];
    if (formed && snprintf(out, AWS_ENDPOINT_BYTES, "https://%s.%s.amazonaws.com%s", host, region, china ? ".cn" : "") <
                      AWS_ENDPOINT_BYTES)
        return STENO_OK;
    return steno_fail(error, STENO_INVALID, "\"%.64s\" is no AWS region: they look like us-east-1", region);
}
