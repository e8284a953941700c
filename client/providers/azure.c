/* Azure: OpenAI's shapes at other paths, with the deployment's name for the model. There are two APIs: v1, with OpenAI's own paths under /openai/v1,
 * and the dated ones, with the deployment in the path and the date behind it.
 */
#include "client/providers/azure.h"

#include <string.h>

#include "client/providers/openai.h"
#include "client/usage.h"

#define DEPLOYMENTS "/openai/deployments/"

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && !strcmp(text + length - size, end);
}

/* v1 has no dates: a base that is v1's decides, then the version. */
static bool is_v1(const wire_ask *ask, const char *base) {
    const char *version = ask->version;
    return ends_with(base, "/openai/v1") || !version || !*version || !strcmp(version, "v1") ||
           !strcmp(version, "preview") || !strcmp(version, "latest");
}

/* What leads from the base to the operations; `by_deployment`: those of a deployment. */
static bool add_prefix(const wire_ask *ask, const char *base, bool by_deployment, char out[WIRE_PATH_BYTES]) {
    if (strstr(base, DEPLOYMENTS) && by_deployment) return true; /* the base names it */
    if (!ends_with(base, "/openai") && !ends_with(base, "/openai/v1") && !wire_path_add(out, "/openai", false))
        return false;
    if (is_v1(ask, base)) return ends_with(base, "/openai/v1") || wire_path_add(out, "/v1", false);
    return !by_deployment || (wire_path_add(out, "/deployments/", false) && wire_path_add(out, ask->model, true));
}

static bool write_path(const wire_ask *ask, const char *base, bool by_deployment, const char *operation,
                       char out[WIRE_PATH_BYTES]) {
    const char *version = ask->version ? ask->version : "";
    bool v1 = is_v1(ask, base) && !strstr(base, DEPLOYMENTS);
    bool said = *version && (!v1 || !strcmp(version, "preview") || !strcmp(version, "latest"));
    *out = '\0';
    return add_prefix(ask, base, by_deployment, out) && wire_path_add(out, operation, false) &&
           (!said || (wire_path_add(out, "?api-version=", false) && wire_path_add(out, version, true)));
}

bool azure_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    char operation[WIRE_PATH_BYTES];
    return openai_path(ask, base, operation) && write_path(ask, base, true, operation, out);
}

bool azure_responses_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    return write_path(ask, base, false, "/responses", out);
}

/* Chunks without choices that tell of the prompt's filters pass through; an error that they make is typed in failure.c. */
const wire wire_azure = {
    .name = "azure",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT | 1 << CALL_TEXT | 1 << CALL_EMBEDDING,
    .path = azure_path,
    .body = openai_body,
    .reply = openai_reply,
    .record = openai_record,
    .usage = usage_from_openai,
};
