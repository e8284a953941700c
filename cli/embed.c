/* steno embed: one embedding call for one or more texts. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/asking.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schema/json.h"

/* As many texts as providers take in one call. */
#define TEXTS_MAX 2048
/* Numbers of a vector that are shown. */
#define NUMBERS_SHOWN 4

struct embed {
    asking asking; /* first: ASKING_OPTIONS counts on it */
    bool json;
};

static const option_spec options[] = {
    ASKING_OPTIONS,
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct embed, json), 0, "print the whole response as one JSON object"},
};

static const command self = {
    .name = "embed",
    .about = "Turns texts into vectors; prints their dimensions and first numbers",
    .arguments = "[TEXT...]",
    .arguments_max = TEXTS_MAX,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "Without a TEXT, each line of standard input is one.\n",
};

CLEANUP_FUNCTION(json_release, json_t, json_decref)

/* Adds the lines of standard input. Returns the exit status. */
static int add_lines(steno_request *request, size_t *count) {
    input_line line = {0};
    bool failed = false;
    int status = EXIT_FINE;
    if (isatty(STDIN_FILENO)) fputs("Texts, one a line; end with Ctrl-D.\n", stderr);
    while (!status && input_next(&line, stdin, &failed)) {
        if (line.size == 0) continue;
        if (line.too_long || ++*count > TEXTS_MAX)
            status = program_fail("line %zu: %s", line.number,
                                  line.too_long ? "too long" : "more texts than one call takes (2048)");
        else
            steno_request_add_input(request, line.text);
    }
    if (failed) status = program_fail("standard input: %s", strerror(errno));
    free(line.text);
    return status;
}

static int print_vectors(const char *response) {
    steno_error error;
    cleanup(json_release) json_t *json = json_parse(response, strlen(response), &error);
    const json_t *data = json_object_get(json, "data");
    size_t index;
    json_t *item;
    if (!json_is_array(data)) return program_fail("the response has no vectors: --json shows it");
    json_array_foreach(data, index, item) {
        const json_t *vector = json_object_get(item, "embedding");
        if (json_is_string(vector)) {
            printf("%zu  %zu characters of base64\n", index, json_string_length(vector));
            continue;
        }
        size_t dimensions = json_array_size(vector);
        printf("%zu  %zu dimensions ", index, dimensions);
        for (size_t i = 0; i < dimensions && i < NUMBERS_SHOWN; i++)
            printf(" %.6g", json_number_value(json_array_get(vector, i)));
        puts(dimensions > NUMBERS_SHOWN ? " ..." : "");
    }
    return EXIT_FINE;
}

int embed_run(int argc, char **argv) {
    struct embed wanted = {0};
    char **texts;
    int status = options_parse(&self, argc, argv, &wanted, &texts);
    if (status != OPTIONS_GO) return status;
    cleanup(client_release) steno_client *client = NULL;
    cleanup(request_release) steno_request *request = NULL;
    status = asking_request(&self, &wanted.asking, &request);
    if (status) return status;
    size_t count = 0;
    for (; texts[count]; count++) steno_request_add_input(request, texts[count]);
    if (count == 0) status = add_lines(request, &count);
    if (!status && count == 0) status = options_fail(&self, "no text to embed");
    if (!status) status = asking_client(&self, &wanted.asking, &client);
    if (status) return status;
    /* A reader that went away must not end the process in mid-call. */
    signal(SIGPIPE, SIG_IGN);
    cleanup(response_release) steno_response *response = NULL;
    steno_error error;
    if (steno_embed(client, request, &response, &error)) return asking_failed(&error);
    if (!wanted.json) return print_vectors(steno_response_json(response));
    puts(steno_response_json(response));
    return EXIT_FINE;
}
