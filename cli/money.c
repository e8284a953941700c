/* Exact sums of money. Pure functions. */
#include "cli/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PICO_PER_DOLLAR INT64_C(1000000000000)
#define MILLIONS_PER_DOLLAR INT64_C(1000000)
#define PICO_DIGITS 12

/* Carries what is more than a dollar. `pico` is not near the end of its range: each of its parts was below 1e18. */
static money settled(int64_t dollars, int64_t pico) {
    int64_t carry = pico / PICO_PER_DOLLAR;
    if (pico % PICO_PER_DOLLAR < 0) carry--;
    return (money){.dollars = dollars + carry, .pico = pico - carry * PICO_PER_DOLLAR};
}

money money_of(int64_t millions, int64_t ones) {
    money whole = settled(ones / PICO_PER_DOLLAR, ones % PICO_PER_DOLLAR);
    whole.dollars += millions / MILLIONS_PER_DOLLAR;
    return settled(whole.dollars, whole.pico + millions % MILLIONS_PER_DOLLAR * 1000000);
}

money money_add(money a, money b) { return settled(a.dollars + b.dollars, a.pico + b.pico); }

bool money_any(money sum) { return sum.dollars != 0 || sum.pico != 0; }

int money_compare(money a, money b) {
    if (a.dollars != b.dollars) return a.dollars < b.dollars ? -1 : 1;
    return a.pico < b.pico ? -1 : a.pico > b.pico;
}

double money_pico(money sum) { return (double)sum.dollars * (double)PICO_PER_DOLLAR + (double)sum.pico; }

double money_dollars(money sum) { return (double)sum.dollars + (double)sum.pico / (double)PICO_PER_DOLLAR; }

void money_decimal(money sum, char out[MONEY_BYTES]) {
    const bool negative = sum.dollars < 0;
    /* -0.25 is kept as -1 + 0.75. */
    if (negative && sum.pico) sum = (money){sum.dollars + 1, PICO_PER_DOLLAR - sum.pico};
    int length = snprintf(out, MONEY_BYTES, "%s%" PRIu64 ".%0*" PRId64, negative ? "-" : "",
                          negative ? 0 - (uint64_t)sum.dollars : (uint64_t)sum.dollars, PICO_DIGITS, sum.pico);
    char *end = out + length;
    while (end[-1] == '0') end--;
    if (end[-1] == '.') end--;
    *end = '\0';
}
