/* Sums of money that are exact to the pico-dollar (1e-12 US dollars, what prices are fractions of), also beyond the $9.2 million of
 * them that 64 bits hold.
 */
#ifndef CLI_MONEY_H
#define CLI_MONEY_H

#include <stdbool.h>
#include <stdint.h>

/* Room for any sum as a decimal number, with its NUL. */
#define MONEY_BYTES 40

/* dollars + pico / 1e12, where 0 <= pico < 1e12. */
typedef struct money {
    int64_t dollars, pico;
} money;

/* Millions of pico-dollars and single ones; either may be of any size. */
money money_of(int64_t millions, int64_t ones);
money money_add(money a, money b);
bool money_any(money sum);
/* Negative, 0 or positive as a is less than b, as much, or more. */
int money_compare(money a, money b);
/* In pico-dollars, and in dollars: no longer exact, for display and shares. */
double money_pico(money sum);
double money_dollars(money sum);
/* Every digit, in dollars, and none too many: "0", "12.5", "0.000000000001". */
void money_decimal(money sum, char out[MONEY_BYTES]);

#endif
