/* Complaints of the program: "name: what: why", on standard error, one line each. */
#include "cli/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "schema/clean.h"

static const char *verb_name;

void program_enter(const char *verb) { verb_name = verb; }

int program_fail(const char *format, ...) {
    cleanup_free char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0) message = NULL;
    va_end(arguments);
    const char *text = message ? message : "out of memory";
    fprintf(stderr, "steno%s%s: ", verb_name ? " " : "", verb_name ? verb_name : "");
    text_put(stderr, text, strlen(text), TEXT_LINE);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int program_output_failed(void) {
    if (errno == EPIPE) return EXIT_FAILED;
    return program_fail("standard output: %s", strerror(errno));
}
