/* steno complete: one chat completion. The text goes to standard output, everything else to standard error. */
#include <errno.h>
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

struct complete {
    asking asking; /* first: ASKING_OPTIONS counts on it */
    const char *system;
    option_number temperature;
    int64_t max_tokens;
    bool stream, json, text;
};

static const option_spec options[] = {
    ASKING_OPTIONS,
    {'s', "stream", NULL, OPTION_FLAG, offsetof(struct complete, stream), 0, "print the text as it comes"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct complete, json), 0, "print the whole response as one JSON object"},
    {0, "text", NULL, OPTION_FLAG, offsetof(struct complete, text), 0,
     "a text completion: the model goes on with the prompt"},
    {0, "system", "TEXT", OPTION_TEXT, offsetof(struct complete, system), 0, "a system message before the prompt"},
    {'t', "temperature", "N", OPTION_NUMBER, offsetof(struct complete, temperature), 0, "parameter temperature"},
    {0, "max-tokens", "N", OPTION_COUNT, offsetof(struct complete, max_tokens), INT32_MAX, "parameter max_tokens"},
};

static const command self = {
    .name = "complete",
    .about = "Makes a chat completion and prints its text",
    .arguments = "[PROMPT...]",
    .arguments_max = -1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes =
        "Without a PROMPT, or where it is \"-\", it is read from standard input. Several are joined by spaces.\n"
        "MODEL is provider/model, or a well-known bare name. The provider's key is in its variable (OPENAI_API_KEY,\n"
        "ANTHROPIC_API_KEY, ...), its address in OPENAI_BASE_URL, ... or --base-url.\n"
        "  steno complete -m gpt-4o-mini --param 'stop=[\"END\"]' \"Say hello.\"\n",
};

/* The prompt: arguments joined, or standard input. Owned by the caller; NULL after telling what is wrong. */
static char *read_prompt(char **arguments) {
    size_t size = 1;
    if (!arguments[0] || (strcmp(arguments[0], "-") == 0 && !arguments[1])) {
        if (isatty(STDIN_FILENO)) fputs("Type the prompt; end with Ctrl-D.\n", stderr);
        return input_all(stdin, &size);
    }
    for (char **each = arguments; *each; each++) size += strlen(*each) + 1;
    char *prompt = malloc(size), *end = prompt;
    if (!prompt) {
        program_fail("out of memory");
        return NULL;
    }
    for (char **each = arguments; *each; each++) end = stpcpy(stpcpy(end, each == arguments ? "" : " "), *each);
    return prompt;
}

static int make_request(const struct complete *wanted, const char *prompt, steno_request **out) {
    int status = asking_request(&self, &wanted->asking, out);
    if (status) return status;
    if (wanted->system) steno_request_add_message(*out, "system", wanted->system);
    if (wanted->text)
        steno_request_set_string(*out, "prompt", prompt);
    else
        steno_request_add_message(*out, "user", prompt);
    if (wanted->temperature.set) steno_request_set_double(*out, "temperature", wanted->temperature.value);
    if (wanted->max_tokens) steno_request_set_int(*out, "max_tokens", wanted->max_tokens);
    return EXIT_FINE;
}

typedef struct progress {
    bool silent; /* --json: only the end is printed */
    bool any;
    bool newline; /* the text so far ends with one */
} progress;

static int on_chunk(const char *text, const char *json, void *ctx) {
    (void)json;
    progress *so_far = ctx;
    if (so_far->silent || !*text) return 0;
    text_put(stdout, text, strlen(text), terminal_text_mode());
    so_far->any = true;
    so_far->newline = text[strlen(text) - 1] == '\n';
    /* Nobody reads on: cancel, so that no more is paid for. */
    return fflush(stdout) != 0;
}

static void print_text(const char *text) {
    size_t size = strlen(text);
    text_put(stdout, text, size, terminal_text_mode());
    if (size == 0 || text[size - 1] != '\n') putchar('\n');
}

/* What there is instead of a text. */
static void print_reply(const steno_response *response) {
    steno_tool_call call;
    const char *text = steno_response_text(response);
    if (*text || !steno_response_tool_calls(response)) print_text(text);
    for (size_t i = 0; steno_response_tool_call(response, i, &call); i++) {
        text_put(stdout, call.name, strlen(call.name), terminal_text_mode());
        putchar(' ');
        print_text(call.arguments);
    }
}

static int stream(steno_client *client, const steno_request *request, const struct complete *wanted) {
    cleanup(response_release) steno_response *response = NULL;
    progress so_far = {.silent = wanted->json};
    steno_error error;
    steno_status failed = steno_complete_stream(client, request, on_chunk, &so_far, &response, &error);
    if (ferror(stdout)) return EXIT_FAILED; /* main tells */
    if (so_far.any && !so_far.newline) putchar('\n');
    /* Of a stream that broke off, what had come. */
    if (response && wanted->json) puts(steno_response_json(response));
    if (failed) {
        fflush(stdout);
        return asking_failed(&error);
    }
    if (!wanted->json && !so_far.any) print_reply(response);
    return EXIT_FINE;
}

static int ask(steno_client *client, const steno_request *request, const struct complete *wanted) {
    cleanup(response_release) steno_response *response = NULL;
    steno_error error;
    if (steno_complete(client, request, &response, &error)) return asking_failed(&error);
    if (wanted->json)
        puts(steno_response_json(response));
    else
        print_reply(response);
    return EXIT_FINE;
}

int complete_run(int argc, char **argv) {
    struct complete wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    if (!wanted.asking.model) return options_fail(&self, "no model: name it with -m MODEL");
    cleanup_free char *prompt = read_prompt(arguments);
    if (!prompt) return EXIT_FAILED;
    if (!*prompt) return options_fail(&self, "the prompt is empty");
    cleanup(client_release) steno_client *client = NULL;
    cleanup(request_release) steno_request *request = NULL;
    status = make_request(&wanted, prompt, &request);
    if (!status) status = asking_client(&self, &wanted.asking, &client);
    if (status) return status;
    /* A reader that went away ends the call as Cancelled, with its place in the log, and not the process in mid-call. */
    signal(SIGPIPE, SIG_IGN);
    return wanted.stream ? stream(client, request, &wanted) : ask(client, request, &wanted);
}
