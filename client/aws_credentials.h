/* Who calls AWS, and in which region: from the environment, else from the files that AWS's own tools read. Nothing is kept; the files
 * are read at each call, as temporary keys in them are replaced.
 */
#ifndef CLIENT_AWS_CREDENTIALS_H
#define CLIENT_AWS_CREDENTIALS_H

#include "schema/error.h"

/* Owned; freed by aws_credentials_free. NULL: there is none. */
typedef struct aws_credentials {
    char *key_id, *secret;
    char *session_token; /* of temporary keys */
    char *region;
} aws_credentials;

/* More of a file of AWS's is not read. */
#define AWS_FILE_BYTES_MAX (1u << 20)
/* Room for the URL of an AWS service with its NUL. */
#define AWS_ENDPOINT_BYTES 160

/* Looks for keys: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), else of the profile AWS_PROFILE ("default") in
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), else in AWS_CONFIG_FILE (~/.aws/config). For the region: AWS_REGION, AWS_DEFAULT_REGION, the
 * same profile in the two files. What is not there stays NULL. STENO_NO_MEMORY.
 */
steno_status aws_credentials_find(aws_credentials *out, steno_error *error);
/* STENO_NOT_FOUND, with what to do, where there are no keys, or, where `region` is wanted, no region. `keys` false: another key is there. */
steno_status aws_credentials_check(const aws_credentials *self, bool keys, bool region, steno_error *error);
/* "https://bedrock-runtime.us-east-1.amazonaws.com". STENO_INVALID: the region has no form that a region has. */
steno_status aws_endpoint(const char *host, const char *region, char out[AWS_ENDPOINT_BYTES], steno_error *error);
void aws_credentials_free(aws_credentials *self);

#endif
