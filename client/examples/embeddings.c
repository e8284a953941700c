/* How near two texts are: the cosine of their vectors. Usage: embeddings */
#include <math.h>
#include <stdio.h>

#include "steno.h"

enum { NUMBERS_MAX = 8192 };

static double cosine(const double *a, const double *b, size_t count) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < count; i++) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / sqrt(aa * bb);
}

int main(void) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "embeddings: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("text-embedding-3-small");
    steno_request_add_input(request, "shorthand");
    steno_request_add_input(request, "stenography");

    steno_response *response;
    steno_status status = steno_embed(client, request, &response, &error);
    if (status) {
        fprintf(stderr, "embeddings: %s: %s\n", error.type, error.message);
    } else {
        static double vectors[2][NUMBERS_MAX];
        size_t count = steno_response_embedding(response, 0, vectors[0], NUMBERS_MAX);
        steno_response_embedding(response, 1, vectors[1], NUMBERS_MAX);
        printf("%zu numbers each, cosine %.4f\n", count,
               cosine(vectors[0], vectors[1], count < NUMBERS_MAX ? count : NUMBERS_MAX));
    }
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
