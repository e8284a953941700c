/* Percent-encoding. */
#include "client/providers/percent.h"

#include <ctype.h>
#include <string.h>

bool percent_encode(const char *text, char *out, size_t room) {
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c < 0x80 && (isalnum(c) || strchr("-._~", c));
        if (size + (plain ? 1 : 3) >= room) return false;
        if (plain) {
            out[size++] = (char)c;
            continue;
        }
        out[size++] = '%';
        out[size++] = digits[c >> 4];
        out[size++] = digits[c & 15];
    }
    if (size >= room) return false;
    out[size] = '\0';
    return true;
}
