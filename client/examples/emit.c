/* A call that was made with another SDK, logged. Usage: emit */
#include <stdio.h>

#include "steno.h"

int main(void) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "emit: %s\n", error.message);
        return 1;
    }
    steno_draft *event = steno_draft_new();
    steno_draft_string(event, "event", "success");
    steno_draft_string(event, "model", "claude-sonnet-4-5");
    steno_draft_string(event, "provider", "anthropic");
    steno_draft_double(event, "start_time", 1700000000.0);
    steno_draft_double(event, "end_time", 1700000001.5);
    static const char messages[] = "[{\"role\": \"user\", \"content\": \"Say hello.\"}]";
    steno_draft_json(event, "messages", messages, sizeof messages - 1);
    steno_draft_map_begin(event, "usage");
    steno_draft_int(event, "prompt_tokens", 10);
    steno_draft_int(event, "completion_tokens", 5);
    steno_draft_map_end(event);

    steno_receipt receipt;
    steno_status status = steno_emit(client, event, &receipt, &error);
    if (status)
        fprintf(stderr, "emit: %s\n", error.message);
    else
        printf("accepted as number %llu of this publisher\n", (unsigned long long)receipt.seq);
    steno_draft_free(event);
    steno_client_free(client);
    return status ? 1 : 0;
}
