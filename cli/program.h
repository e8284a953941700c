/* Who speaks: the name of the running verb, and complaints on standard error. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

/* Exit statuses of every verb. */
#define EXIT_FINE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

/* The verb's name, a static text, for the complaints that follow; NULL: the program itself. */
void program_enter(const char *verb);
/* Prints "steno VERB: …" and a newline to standard error, as one line that cannot drive a terminal. Returns EXIT_FAILED. */
int program_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for standard output that cannot be written, with the reason in errno. A reader that went away is not told. */
int program_output_failed(void);

#endif
