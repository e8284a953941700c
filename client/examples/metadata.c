/* What a call is for: logged with it, and found again by it. Usage: metadata
 *   steno logs --user alice      steno query "SELECT * FROM calls WHERE metadata ->> 'ticket' = '4711'"
 */
#include <stdio.h>

#include "steno.h"

int main(void) {
    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.app_name = "helpdesk";
    config.app_version = "2.3";
    if (steno_client_new(&config, &client, &error)) {
        fprintf(stderr, "metadata: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", "Say hello.");
    steno_request_set_user(request, "alice");         /* the provider sees it too */
    steno_request_set_session_id(request, "chat-17"); /* a conversation of several calls */
    steno_request_set_trace_id(request, "4bf92f3577b34da6a3ce929d0e0e4736");
    steno_request_add_tag(request, "production");
    steno_request_set_metadata(request, "ticket", "4711"); /* these are for the log alone */
    steno_request_set_metadata_json(request, "team", "{\"name\": \"support\", \"shift\": 2}");

    steno_response *response;
    steno_status status = steno_complete(client, request, &response, &error);
    if (status)
        fprintf(stderr, "metadata: %s: %s\n", error.type, error.message);
    else
        printf("call %s\n", steno_response_call_id(response));
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
