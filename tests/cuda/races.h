/* tests/cuda/races.h - finds races of emulated kernels, whatever order their threads ran in.
 *
 * Kernels that are compiled with -fsanitize=thread call functions of that sanitizer at every access to memory. These
 * are defined here, and the sanitizer itself is not linked. A launch remembers who read and wrote each byte and when,
 * and what ordered its threads since. It ends the program, naming both threads and both lines, where
 *
 *	two threads of a block touch a byte, one of them writes, and no __syncthreads() is between them, nor, within a
 *	warp, a __syncwarp(). Shuffles and votes exchange registers: they order no memory on a card;
 *	two blocks do so in global memory, unless the first one fenced and then changed a ticket by an atomic (the fence
 *	by each writer, or behind a barrier by the one who changes the ticket), and the second one changed the ticket
 *	and then fenced, with a barrier between the threads of a block that share this work;
 *	shared memory is read before its block has written it.
 *
 * Atomics do not race with each other. Not known: an order that blocks hand on over a third one, or warps by
 * __syncwarp() around a fence (such kernels would be accused), and readers of a byte in more than one block before the
 * block that overwrites it (the last of them is judged).
 *
 * Kernels compiled without the sanitizer are not watched, nor are those that emulate_order() turns round: what is found
 * does not depend on the order.
 */
#ifndef NAB_TESTS_CUDA_RACES_H
#define NAB_TESTS_CUDA_RACES_H

#include <stddef.h>
#include <stdint.h>

enum { STACK = 128 << 10 }; /* of a thread, aligned to its size */

struct races; /* of one launch at a time */

struct races_launch {
	const struct launch *launch; /* its bases name global memory; may be NULL */
	int threads;                 /* of a block */
	const void *shared;          /* memory of the size that the launch gave */
	size_t shared_bytes;
	const void *stacks;
	size_t n_stacks;
};

races *races_new(void);
void races_begin(races *r, const races_launch &l);
void races_block(races *r, uint64_t number);
void races_shared(races *r, const void *at, size_t bytes); /* an array of the running block */
void races_block_barrier(races *r);
/* Threads of a warp that passed one together: one call for each, then one to end it. */
void races_warp_barrier(races *r, int thread, unsigned mask);
void races_warp_barrier_passed(races *r);

#endif
