/* Azure OpenAI: OpenAI's bodies and streams at Azure's addresses. The model's name is the deployment's; the reply names the model behind it. */
#include <stdio.h>
#include <string.h>

#include "client/providers/openai.h"
#include "client/providers/percent.h"
#include "client/usage.h"

static bool ends_in(const char *text, const char *end) {
    size_t size = strlen(text), length = strlen(end);
    return size >= length && !strcmp(text + size - length, end);
}

const char *azure_prefix(const char *base) {
    return ends_in(base, "/openai/v1") ? "" : ends_in(base, "/openai") ? "/v1" : "/openai/v1";
}

/* With a version the dated API, which has the deployment in its path; without the v1 API. The base is the endpoint, with or without what the vendor's
 * SDKs put behind it.
 */
static bool path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    char call[WIRE_PATH_BYTES], deployment[WIRE_PATH_BYTES], version[64];
    openai_path(ask, base, call);
    if (!ask->version) return snprintf(out, WIRE_PATH_BYTES, "%s%s", azure_prefix(base), call) < WIRE_PATH_BYTES;
    if (!percent_encode(ask->model, deployment, sizeof deployment) ||
        !percent_encode(ask->version, version, sizeof version))
        return false;
    int size = snprintf(out, WIRE_PATH_BYTES, "%s/deployments/%s%s?api-version=%s",
                        ends_in(base, "/openai") ? "" : "/openai", deployment, call, version);
    return size < WIRE_PATH_BYTES;
}

const wire wire_azure = {
    .name = "azure",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT | 1 << CALL_TEXT | 1 << CALL_EMBEDDING,
    .path = path,
    .body = openai_body,
    .reply = openai_reply,
    .record = openai_record,
    .usage = usage_from_openai,
};
