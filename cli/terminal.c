/* What standard output is. Asks once, changes nothing. */
#include "cli/terminal.h"
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* Where a terminal does not tell its width. */
#define WIDTH_ASSUMED 80
/* Below and above this a width is a mistake of the terminal's or of $COLUMNS. */
#define WIDTH_MIN 20
#define WIDTH_MAX 1000

void terminal_start(void) {
    /* Steno's texts are UTF-8: without a locale (containers, cron) they would be counted and shown byte by byte. */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    tzset();
}

bool terminal_is(void) { return isatty(STDOUT_FILENO); }

size_t terminal_width(void) {
    if (!terminal_is()) return 0;
    const char *columns = getenv("COLUMNS");
    unsigned long width = columns ? strtoul(columns, NULL, 10) : 0;
    struct winsize size;
    if (width < WIDTH_MIN && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width = size.ws_col;
    return width >= WIDTH_MIN && width <= WIDTH_MAX ? width : WIDTH_ASSUMED;
}

bool terminal_colour(void) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return terminal_is() && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

const char *terminal_tone(tone which) {
    static const char *const sequences[] = {
        [TONE_PLAIN] = "",      [TONE_GOOD] = "\033[32m",  [TONE_BAD] = "\033[31m", [TONE_WAITING] = "\033[33m",
        [TONE_DIM] = "\033[2m", [TONE_STRONG] = "\033[1m", [TONE_BAR] = "\033[36m"};
    return terminal_colour() ? sequences[which] : "";
}

const char *terminal_plain(void) { return terminal_colour() ? "\033[0m" : ""; }

text_mode terminal_text_mode(void) { return terminal_is() ? TEXT_BLOCK : TEXT_RAW; }

size_t terminal_columns(const char *text, size_t size) {
    size_t columns = 0;
    uint32_t point;
    for (size_t i = 0; i < size;) {
        const size_t length = text_decode(text + i, size - i, &point);
        const int width = length ? wcwidth((wchar_t)point) : 1;
        columns += width > 0 ? (size_t)width : 0;
        i += length ? length : 1;
    }
    return columns;
}

void terminal_paragraphs(const char *text) {
    const size_t width = terminal_width();
    size_t column = 0;
    for (const char *at = text; *at;) {
        const size_t size = strcspn(at, " \n"), columns = terminal_columns(at, size);
        if (column && width && column + 1 + columns > width) {
            putchar('\n');
            column = 0;
        }
        if (column) putchar(' ');
        fwrite(at, 1, size, stdout);
        column += columns + (column ? 1 : 0);
        at += size;
        if (*at == '\n') {
            putchar('\n');
            column = 0;
            at++;
        }
        at += strspn(at, " ");
    }
}
