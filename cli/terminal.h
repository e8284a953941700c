/* What standard output is: a person's terminal (colour, width, local times, thousands separators) or a program's pipe. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/text.h"

/* Colours by what they mean; each is an ANSI sequence, "" where there is no colour. */
typedef enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WAITING, TONE_DIM, TONE_STRONG, TONE_BAR } tone;

/* Character set and time zone of the user. Once, first of all. */
void terminal_start(void);
bool terminal_is(void);
/* Columns; $COLUMNS goes before the terminal's own answer. 0 if standard output is no terminal. */
size_t terminal_width(void);
/* A terminal, without NO_COLOR (https://no-color.org) and TERM=dumb. */
bool terminal_colour(void);
const char *terminal_tone(tone which);
/* Ends a tone: "" where there is no colour. */
const char *terminal_plain(void);
/* How text of others is printed here: TEXT_BLOCK on a terminal, else TEXT_RAW. */
text_mode terminal_text_mode(void);
/* How many columns a text takes on a terminal. */
size_t terminal_columns(const char *text, size_t size);
/* Prints text of a line a paragraph, broken at spaces where the terminal ends. */
void terminal_paragraphs(const char *text);

#endif
