/* Apps in numbers and in haste, on the public face of libsteno alone. The tests in crowd.py start it.
 *
 *     crowd processes N EVENTS    N processes, each with a client of its own; they live until stdin ends
 *     crowd comings N…            opens a client, emits once and closes it, N times over; before each further N waits for a line
 *     crowd prefork CHILDREN EVENTS   a client, then fork without exec; parent and children emit, the children end by _exit()
 *     crowd exit EVENTS, crowd _exit EVENTS   ends so right after the last emit, with the client as it is
 *     crowd clients N EVENTS      N clients in one process, taking turns
 *     crowd signals N             N signals to the process, each of which the main thread must take
 *
 * Prints `publisher seq` for each accepted event with one write call.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/steno.h"

#define CLIENTS_MAX 64

static void stop(const char *what, const steno_error *error) {
    fprintf(stderr, "crowd: %s: %s\n", what, error ? error->message : "failed");
    _exit(1);
}

static steno_client *open_client(void) {
    steno_client *client;
    steno_error error;
    const steno_config config = {
        .size = sizeof config, .app_name = "crowd", .base_url = "http://127.0.0.1:9/v1", .api_key = "sk-none"};
    if (steno_client_new(&config, &client, &error)) stop("a client", &error);
    return client;
}

static void emit(steno_client *client) {
    static const char event[] = "{\"event\":\"test.crowd\",\"padding\":\"................................\"}";
    steno_receipt receipt;
    steno_error error;
    if (steno_emit_json(client, event, sizeof event - 1, &receipt, &error)) stop("an event", &error);
    char line[64];
    int at = 0;
    for (size_t i = 0; i < sizeof receipt.publisher; i++)
        at += snprintf(line + at, sizeof line - (size_t)at, "%02x", receipt.publisher[i]);
    at += snprintf(line + at, sizeof line - (size_t)at, " %llu\n", (unsigned long long)receipt.seq);
    if (write(STDOUT_FILENO, line, (size_t)at) != at) stop("a receipt", NULL);
}

static void emit_many(steno_client *client, long count) {
    for (long i = 0; i < count; i++) emit(client);
}

/* False when stdin has ended. */
static bool wait_for_line(void) {
    char byte = 0;
    while (byte != '\n')
        if (read(STDIN_FILENO, &byte, 1) != 1) return false;
    return true;
}

static void reap_all(void) {
    int ended;
    while (wait(&ended) > 0)
        if (ended) stop("a child", NULL);
}

static void run_processes(char **arguments) {
    long count = atol(arguments[0]), events = atol(arguments[1]);
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0) stop("fork", NULL);
        if (child) continue;
        steno_client *client = open_client();
        emit_many(client, events);
        while (wait_for_line()) {
        }
        steno_client_free(client);
        _exit(0);
    }
    reap_all();
}

static void run_comings(char **arguments) {
    for (bool more = true; *arguments && more; more = wait_for_line()) {
        for (long count = atol(*arguments++); count > 0; count--) {
            steno_client *client = open_client();
            emit(client);
            steno_client_free(client);
        }
    }
}

static void run_prefork(char **arguments) {
    long children = atol(arguments[0]), events = atol(arguments[1]);
    steno_client *client = open_client();
    emit(client);
    for (long i = 0; i < children; i++) {
        pid_t child = fork();
        if (child < 0) stop("fork", NULL);
        if (child) continue;
        emit_many(client, events);
        _exit(0);
    }
    emit_many(client, events);
    reap_all();
    emit(client);
    steno_client_free(client);
}

static void run_exit(char **arguments) {
    emit_many(open_client(), atol(arguments[0]));
    exit(0);
}

static void run_hard_exit(char **arguments) {
    emit_many(open_client(), atol(arguments[0]));
    _exit(0);
}

static void run_clients(char **arguments) {
    long count = atol(arguments[0]), events = atol(arguments[1]);
    steno_client *clients[CLIENTS_MAX];
    if (count > CLIENTS_MAX) stop("too many clients", NULL);
    for (long i = 0; i < count; i++) clients[i] = open_client();
    for (long n = 0; n < events; n++)
        for (long i = 0; i < count; i++) emit(clients[i]);
    for (long i = 0; i < count; i++) steno_client_free(clients[i]);
}

static volatile sig_atomic_t taken, taken_elsewhere;

static void take_signal(int number) {
    (void)number;
    taken++;
    if (syscall(SYS_gettid) != getpid()) taken_elsewhere++;
}

/* The main thread blocks the signals while they come, so that the kernel looks for another thread that would take them. */
static void run_signals(char **arguments) {
    long count = atol(arguments[0]);
    const struct sigaction action = {.sa_handler = take_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    steno_client *client = open_client();
    /* A call, so that the thread of the asynchronous ones is there; its failure is an answer. */
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_error error;
    steno_request_add_message(request, "user", "hello");
    if (steno_complete_async(client, request, NULL, NULL, NULL, &error)) stop("a call", &error);
    steno_request_free(request);
    sigset_t both, before;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGTERM);
    for (long i = 0; i < count; i++) {
        pthread_sigmask(SIG_BLOCK, &both, &before);
        kill(getpid(), i % 2 ? SIGUSR1 : SIGTERM);
        emit(client);
        if (taken != i) stop("a thread of the library took a signal", NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (taken != i + 1) stop("the main thread did not take a signal", NULL);
    }
    if (taken_elsewhere) stop("another thread took a signal", NULL);
    steno_client_free(client);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int arguments;
        void (*run)(char **arguments);
    } modes[] = {{"processes", 2, run_processes}, {"comings", 1, run_comings}, {"prefork", 2, run_prefork},
                 {"exit", 1, run_exit},           {"_exit", 1, run_hard_exit}, {"clients", 2, run_clients},
                 {"signals", 1, run_signals}};
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(argv[1], modes[i].name) || argc - 2 < modes[i].arguments) continue;
        modes[i].run(argv + 2);
        return 0;
    }
    fputs("Usage: see the beginning of crowd.c\n", stderr);
    return 2;
}
