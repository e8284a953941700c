/* An app that calls for ever, as fast as it can, with a client that keeps budgets: for tests/system/test_budgets.py. Prints how many calls were made before
 * the first was refused, goes on, and prints when one is let through again. Ends by itself after CALLS_MAX calls, which is a failure.
 * Usage: steno-test-runaway USER CALLS_MAX
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "steno.h"

/* Between two refused calls. */
#define PAUSE_MS 5
#define REFUSED_MAX 12000

/* 0: it was made; 1: refused by a budget; -1: something else, which is told. */
static int call_once(steno_client *client, const char *user) {
    steno_error error;
    steno_response *response = NULL;
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", "And then?");
    steno_request_set_user(request, user);
    const steno_status status = steno_complete(client, request, &response, &error);
    const int outcome = !status ? 0 : !strcmp(error.type, "BudgetExceeded") ? 1 : -1;
    if (outcome < 0) printf("failed %s %s\n", error.type, error.message);
    steno_response_free(response);
    steno_request_free(request);
    return outcome;
}

int main(int argc, char **argv) {
    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    if (argc != 3) return 2;
    const long most = strtol(argv[2], NULL, 10);
    config.keep_budgets = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (steno_client_new(&config, &client, &error)) {
        printf("failed %s\n", error.message);
        return 1;
    }
    long made = 0, refused = 0;
    int outcome = 0;
    while (made < most && (outcome = call_once(client, argv[1])) == 0) made++;
    printf("stopped %ld\n", made);
    while (outcome == 1 && refused++ < REFUSED_MAX) {
        const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
        nanosleep(&pause, NULL);
        outcome = call_once(client, argv[1]);
    }
    if (made < most && outcome == 0) printf("resumed %ld\n", refused);
    steno_client_free(client);
    return made < most && outcome == 0 ? 0 : 1;
}
