/* tests/helper_mutate.h - random (model, operator, place) pairs: every result is valid, or refused with the model
 * untouched. Iterates the registry of operators and the shipped spaces and models; a new file of either kind, or a new
 * operator, is covered without an edit here.
 */
#ifndef NAB_TESTS_HELPER_MUTATE_H
#define NAB_TESTS_HELPER_MUTATE_H

#include <stdint.h>

/* Tries `pairs` of them, drawn from `seed`; fails the running test at the first that breaks a promise, and prints a
 * line per operator. */
void check_mutations(int pairs, uint64_t seed);

#endif
