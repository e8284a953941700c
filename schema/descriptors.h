/* The three descriptors that every program begins with. */
#ifndef STENO_DESCRIPTORS_H
#define STENO_DESCRIPTORS_H

/* Holds those of standard input, output and error that are closed, so that no file of ours comes to be one of them (a message would be written
 * into a spool). Reading or writing them fails as if they were closed. First of all in every main().
 */
void descriptors_hold(void);

#endif
