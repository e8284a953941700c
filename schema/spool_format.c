/* Names, headers and checksums of the spool's files. */
#include "schema/spool_format.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "schema/clean.h"

CLEANUP_FUNCTION(clean_dir, DIR, closedir)

void spool_publisher_text(const uint8_t publisher[SPOOL_PUBLISHER_BYTES], char out[SPOOL_PUBLISHER_TEXT_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < SPOOL_PUBLISHER_BYTES; i++) {
        out[2 * i] = digits[publisher[i] >> 4];
        out[2 * i + 1] = digits[publisher[i] & 15];
    }
    out[2 * SPOOL_PUBLISHER_BYTES] = '\0';
}

bool spool_publisher_parse(const char *text, uint8_t out[SPOOL_PUBLISHER_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * SPOOL_PUBLISHER_BYTES || strspn(text, digits) != 2 * SPOOL_PUBLISHER_BYTES) return false;
    for (int i = 0; i < SPOOL_PUBLISHER_BYTES; i++) {
        ptrdiff_t high = strchr(digits, text[2 * i]) - digits, low = strchr(digits, text[2 * i + 1]) - digits;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

uint64_t spool_header_checksum(const spool_header *header) {
    return XXH3_64bits(header, offsetof(spool_header, checksum));
}

uint64_t spool_record_checksum(const void *bytes, size_t size, uint64_t seq) {
    return XXH3_64bits_withSeed(bytes, size, seq);
}

#define REFUSED_BITS 48

uint64_t spool_refused_pack(uint64_t seq) {
    seq &= (UINT64_C(1) << REFUSED_BITS) - 1;
    return XXH3_64bits(&seq, sizeof seq) << REFUSED_BITS | seq;
}

uint64_t spool_refused_unpack(uint64_t packed) {
    const uint64_t seq = packed & ((UINT64_C(1) << REFUSED_BITS) - 1);
    return spool_refused_pack(seq) == packed ? seq : 0;
}

void spool_folder_path(char out[SPOOL_PATH_BYTES], const char *spool_folder,
                       const uint8_t publisher[SPOOL_PUBLISHER_BYTES], bool fresh) {
    char text[SPOOL_PUBLISHER_TEXT_BYTES];
    spool_publisher_text(publisher, text);
    snprintf(out, SPOOL_PATH_BYTES, "%s/%s%s", spool_folder, fresh ? SPOOL_NEW_PREFIX : "", text);
}

void spool_segment_path(char out[SPOOL_PATH_BYTES], const char *folder, uint32_t index) {
    snprintf(out, SPOOL_PATH_BYTES, "%.*s/%08x.seg", (int)(SPOOL_PATH_BYTES - 16), folder, index);
}

uint32_t spool_segment_index(const char *name) {
    if (strlen(name) != 12 || strspn(name, "0123456789abcdef") != 8 || strcmp(name + 8, ".seg")) return 0;
    return (uint32_t)strtoul(name, NULL, 16);
}

uint32_t spool_segment_find(const char *folder, uint32_t from) {
    cleanup(clean_dir) DIR *dir = opendir(folder);
    uint32_t lowest = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        uint32_t index = spool_segment_index(entry->d_name);
        if (index && index >= from && (!lowest || index < lowest)) lowest = index;
    }
    return lowest;
}

size_t spool_folder_bytes(const char *folder) {
    cleanup(clean_dir) DIR *dir = opendir(folder);
    size_t bytes = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat file;
        if (spool_segment_index(entry->d_name) && !fstatat(dirfd(dir), entry->d_name, &file, 0))
            bytes += (size_t)file.st_size;
    }
    return bytes;
}

steno_status spool_header_read(int fd, const char *path, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], uint32_t index,
                               spool_header *out, steno_error *error) {
    ssize_t got = pread(fd, out, sizeof *out, 0);
    if (got < 0) return steno_fail(error, STENO_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    if (got != sizeof *out || memcmp(out->magic, SPOOL_MAGIC, sizeof out->magic))
        return steno_fail(error, STENO_CORRUPT, "%s is not a spool segment", path);
    if (out->version != SPOOL_VERSION)
        return steno_fail(error, STENO_CORRUPT, "%s has format version %u, and this program knows %u", path,
                          out->version, SPOOL_VERSION);
    if (out->checksum != spool_header_checksum(out) || out->index != index ||
        memcmp(out->publisher, publisher, SPOOL_PUBLISHER_BYTES) || out->segment_bytes > SPOOL_SEGMENT_BYTES_MAX ||
        out->segment_bytes % 8 || out->segment_bytes < sizeof *out + sizeof(spool_record_header))
        return steno_fail(error, STENO_CORRUPT, "the header of %s is damaged", path);
    return STENO_OK;
}
