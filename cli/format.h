/* Numbers as people read them: money, counts, bytes, durations, times, bars. No I/O. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any number below, with its NUL. */
#define FORMAT_BYTES 48
/* Cells of the longest bar; a cell is up to 3 bytes. */
#define FORMAT_BAR_CELLS_MAX 40
#define FORMAT_BAR_BYTES (FORMAT_BAR_CELLS_MAX * 3 + 1)

/* Pico-dollars as dollars: cents from $1 on ("$1,204.50"), below that three digits that count ("$0.000123"). */
void format_money(double pico_dollars, char out[FORMAT_BYTES]);
/* A number, with thousands separators if wanted. */
void format_count(int64_t count, bool separators, char out[FORMAT_BYTES]);
/* "512 B", "1.5 MiB". */
void format_size(double bytes, char out[FORMAT_BYTES]);
/* "812ms", "1.24s", "2m05s", "3h20m", "4d02h". */
void format_duration(double seconds, char out[FORMAT_BYTES]);
/* Unix seconds for a person: local, "Nov 23 18:52:03". */
void format_time_local(double time, char out[FORMAT_BYTES]);
/* The same in less room: "18:52:03" on the day of `now`, else "Nov 23 18:52". */
void format_time_short(double time, double now, char out[FORMAT_BYTES]);
/* … and for programs: "2026-11-23T18:52:03.123Z". */
void format_time_iso(double time, char out[FORMAT_BYTES]);
/* A bar of `fraction` (0 to 1) of `cells` cells, in eighths; anything above 0 can be seen. */
void format_bar(double fraction, size_t cells, char out[FORMAT_BAR_BYTES]);

#endif
