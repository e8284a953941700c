/* Tests of schema/spool_writer.c: the appending thread stores to pages that the sender thread made ready. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "schema/spool.h"

enum { RECORD_BYTES = 4096, EACH_ROUND = 16, ROUNDS = 300 }; /* 19 MiB: several segments */

static long faults(void) {
    struct rusage used;
    getrusage(RUSAGE_THREAD, &used);
    return used.ru_minflt;
}

static void appending_to_what_was_prepared_takes_no_page_fault(void **state) {
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it makes page faults of its own, at each first access */
#endif
    const void *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (madvise((void *)(uintptr_t)own, 4096, MADV_POPULATE_WRITE)) skip(); /* a kernel before 5.14 */
    char base[] = "/tmp/steno-pages-XXXXXX", command[64];
    assert_non_null(mkdtemp(base));
    const uint8_t publisher[SPOOL_PUBLISHER_BYTES] = {7};
    static char record[RECORD_BYTES];
    spool_writer *writer;
    uint64_t seq;
    memset(record, 'x', sizeof record);
    assert_int_equal(spool_writer_open(base, publisher, SPOOL_BYTES_MAX, &writer, NULL), STENO_OK);
    assert_int_equal(spool_append(writer, record, sizeof record, &seq, NULL),
                     STENO_OK); /* it makes the first segment */
    long taken = 0;
    for (int round = 0; round < ROUNDS; round++) {
        spool_prepare(writer);
        const long before = faults();
        for (int i = 0; i < EACH_ROUND; i++)
            assert_int_equal(spool_append(writer, record, sizeof record, &seq, NULL), STENO_OK);
        taken += faults() - before;
    }
    /* One in four would be many: each record begins a page. What is left belongs to sanitizers and the kernel's write-back. */
    assert_in_range(taken, 0, ROUNDS * EACH_ROUND / 4);
    spool_writer_close(writer);
    snprintf(command, sizeof command, "rm -rf %s", base);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(appending_to_what_was_prepared_takes_no_page_fault)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
