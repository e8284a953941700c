/* A tool's round trip: the model asks for it, we run it, the model answers with its result. Usage: tools */
#include <stdio.h>

#include "steno.h"

static const char tool[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"The weather at a place.\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"location\":{\"type\":\"string\"}},\"required\":["
    "\"location\"]}}}]";

/* The tool itself; a real one would read the arguments, which are JSON text. */
static const char *get_weather(const char *arguments) {
    fprintf(stderr, "get_weather(%s)\n", arguments);
    return "{\"celsius\": 21, \"sky\": \"clear\"}";
}

/* Answers every tool call of the response; false: there was none, and the response is the answer. */
static bool run_tools(steno_request *request, const steno_response *response) {
    steno_tool_call call;
    if (!steno_response_tool_calls(response)) return false;
    steno_request_add_response(request, response); /* the model must see what it asked for */
    for (size_t i = 0; steno_response_tool_call(response, i, &call); i++)
        steno_request_add_tool_result(request, call.id, get_weather(call.arguments));
    return true;
}

int main(void) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "tools: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_set_json(request, "tools", tool);
    steno_request_set_session_id(request, "tools-example"); /* keeps the round trip together in the log */
    steno_request_add_message(request, "user", "Use the tool: what is the weather in Paris?");

    steno_response *response;
    steno_status status;
    bool again = true;
    for (int turn = 0; again && turn < 5; turn++) { /* a model may ask for ever */
        status = steno_complete(client, request, &response, &error);
        again = !status && run_tools(request, response);
        if (status)
            fprintf(stderr, "tools: %s: %s\n", error.type, error.message);
        else if (!again)
            printf("%s\n", steno_response_text(response));
        steno_response_free(response);
    }
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
