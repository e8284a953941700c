/* Tests of client/aws_credentials.c: what counts where, with files as AWS's tools write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/aws_credentials.h"

#define LONG_BYTES 3000
static char home[64], long_token[LONG_BYTES + 1];

static void write_file(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int begin(void **state) {
    (void)state;
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID",  "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",           "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_PROFILE",           "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
    strcpy(home, "/tmp/steno-aws-XXXXXX");
    if (!mkdtemp(home)) return -1;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/.aws", home);
    memset(long_token, 'T', LONG_BYTES);
    return setenv("HOME", home, 1) || mkdir(folder, 0700);
}

static int end(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command);
}

static void expect(const char *key_id, const char *secret, const char *token, const char *region) {
    aws_credentials got;
    steno_error error;
    assert_int_equal(aws_credentials_find(&got, &error), STENO_OK);
    const char *const pairs[][2] = {
        {got.key_id, key_id}, {got.secret, secret}, {got.session_token, token}, {got.region, region}};
    for (size_t i = 0; i < 4; i++) {
        if (!pairs[i][0] != !pairs[i][1]) fail_msg("%zu: %s, not %s", i, pairs[i][0], pairs[i][1]);
        if (pairs[i][0]) assert_string_equal(pairs[i][0], pairs[i][1]);
    }
    aws_credentials_free(&got);
}

static void the_environment_comes_first(void **state) {
    (void)state;
    write_file(".aws/credentials",
               "[default]\naws_access_key_id=F\naws_secret_access_key=G\naws_session_token=H\nregion=file\n");
    setenv("AWS_ACCESS_KEY_ID", "A", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "B", 1);
    setenv("AWS_DEFAULT_REGION", "d", 1);
    expect("A", "B", NULL, "d"); /* a token of other keys is no part of them */
    setenv("AWS_SESSION_TOKEN", "C", 1);
    setenv("AWS_REGION", "r", 1);
    expect("A", "B", "C", "r");
}

static void files_say_what_the_environment_does_not(void **state) {
    (void)state;
    char text[LONG_BYTES + 512];
    snprintf(text, sizeof text,
             "# aws_access_key_id = comment\r\n[other]\naws_access_key_id = X\n[default]\r\naws_access_key_id = F \r\n"
             "  aws_secret_access_key = indented\naws_secret_access_key=s/+=;#\naws_session_token =%s\nnothing\n[z",
             long_token);
    write_file(".aws/credentials", text);
    write_file(
        ".aws/config",
        "[profile other]\nregion = eu-west-1\n[profile default]\n[default]\nregion=us-west-2\ns3 =\n  region=x\n");
    expect("F", "s/+=;#", long_token, "us-west-2");
    setenv("AWS_ACCESS_KEY_ID", "half", 1); /* not a pair: as if it were not there */
    expect("F", "s/+=;#", long_token, "us-west-2");
}

static void a_profile_is_chosen_by_its_name(void **state) {
    (void)state;
    write_file(".aws/credentials", "[default]\naws_access_key_id=F\naws_secret_access_key=G\n[ work ]\n"
                                   "aws_access_key_id=W\naws_secret_access_key=V\n");
    write_file(".aws/config", "[work]\nregion=wrong\n[profile work]\nregion=eu-central-1\n[profile keys]\n"
                              "aws_access_key_id=K\naws_secret_access_key=L\n");
    setenv("AWS_PROFILE", "work", 1);
    expect("W", "V", NULL, "eu-central-1");
    setenv("AWS_PROFILE", "keys", 1);
    expect("K", "L", NULL, NULL);
    setenv("AWS_PROFILE", "none", 1);
    expect(NULL, NULL, NULL, NULL);
}

static void the_files_may_be_elsewhere(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/mine", home);
    write_file("mine", "[default]\naws_access_key_id=M\naws_secret_access_key=N\n");
    write_file("config", "[default]\nregion=ap-south-1\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    setenv("AWS_CONFIG_FILE", "~/config", 1);
    expect("M", "N", NULL, "ap-south-1");
    unsetenv("HOME");
    expect("M", "N", NULL, NULL);
}

static void what_is_missing_is_said(void **state) {
    (void)state;
    aws_credentials none = {0}, all = {.key_id = (char[]){"a"}, .secret = (char[]){"b"}, .region = (char[]){"c"}};
    steno_error error;
    setenv("AWS_PROFILE", "work", 1);
    assert_int_equal(aws_credentials_check(&none, true, true, &error), STENO_NOT_FOUND);
    assert_non_null(strstr(error.message, "AWS_ACCESS_KEY_ID"));
    assert_non_null(strstr(error.message, "\"work\""));
    assert_int_equal(aws_credentials_check(&none, false, true, &error), STENO_NOT_FOUND);
    assert_non_null(strstr(error.message, "AWS_REGION"));
    assert_int_equal(aws_credentials_check(&none, false, false, &error), STENO_OK);
    assert_int_equal(aws_credentials_check(&all, true, true, &error), STENO_OK);
}

static void an_endpoint_is_made_of_a_region_alone(void **state) {
    (void)state;
    char url[AWS_ENDPOINT_BYTES], huge[300];
    steno_error error;
    assert_int_equal(aws_endpoint("bedrock-runtime", "us-east-1", url, &error), STENO_OK);
    assert_string_equal(url, "https://bedrock-runtime.us-east-1.amazonaws.com");
    assert_int_equal(aws_endpoint("bedrock-runtime", "cn-north-1", url, &error), STENO_OK);
    assert_string_equal(url, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn");
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const wrong[] = {"", "evil.example/", "us east", "US", "a@b", huge};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(aws_endpoint("bedrock-runtime", wrong[i], url, &error), STENO_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_environment_comes_first),     TEST(files_say_what_the_environment_does_not),
        TEST(a_profile_is_chosen_by_its_name), TEST(the_files_may_be_elsewhere),
        TEST(what_is_missing_is_said),         TEST(an_endpoint_is_made_of_a_region_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
