/* Any bytes as a segment file. The input replaces the bytes of a good segment from a place on that its first two bytes name (so that the
 * header's checksum is got past); reading must end, and hand out records only whose sequence rises.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/spool_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char folder[] = "/tmp/steno-fuzz-XXXXXX";
static const uint8_t publisher[SPOOL_PUBLISHER_BYTES] = {1};
static uint8_t good[4096];
static char path[SPOOL_PATH_BYTES];

static void clean(void) {
    char command[sizeof folder + 16];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command)) abort();
}

static void prepare(void) {
    if (!mkdtemp(folder)) abort();
    atexit(clean);
    spool_writer *writer;
    if (spool_writer_open(folder, publisher, SPOOL_BYTES_MAX, &writer, NULL)) abort();
    uint64_t seq;
    for (int i = 0; i < 20; i++)
        if (spool_append(writer, "some bytes of an event", 22, &seq, NULL)) abort();
    spool_writer_close(writer);
    char publisher_folder[SPOOL_PATH_BYTES];
    spool_folder_path(publisher_folder, folder, publisher, false);
    spool_segment_path(path, publisher_folder, 1);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, good, sizeof good) != sizeof good) abort();
    close(fd);
    /* A smaller file with the same records: reading it costs less. */
    spool_header *header = (spool_header *)(void *)good;
    header->segment_bytes = sizeof good;
    header->checksum = spool_header_checksum(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!good[0]) prepare();
    if (size < 2) return 0;
    uint8_t file[sizeof good];
    memcpy(file, good, sizeof file);
    size_t at = (size_t)(bytes[0] << 8 | bytes[1]) % sizeof file;
    bytes += 2;
    size -= 2;
    memcpy(file + at, bytes, size < sizeof file - at ? size : sizeof file - at);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    if (fd < 0 || write(fd, file, sizeof file) != sizeof file) abort();
    close(fd);
    spool_reader *reader;
    if (spool_reader_open(folder, publisher, 0, &reader, NULL)) abort();
    spool_record record;
    uint64_t last = 0;
    for (int i = 0; i < 1000 && !spool_read(reader, &record, NULL); i++) {
        if (record.seq <= last || record.size > sizeof file) abort();
        last = record.seq;
    }
    spool_reader_close(reader);
    return 0;
}
