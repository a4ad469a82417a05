/* train/simd.h - functions marked SIMD are compiled for several generations of x86-64 vector units; the loader picks
 * one (GCC's target_clones). Their results are the same bits on all of them: -ffp-contract=off, and sums keep a fixed
 * number of partial sums. Sanitizers cannot follow that kind of dispatch: with them there is one version.
 */
#ifndef NAB_TRAIN_SIMD_H
#define NAB_TRAIN_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && defined(__gnu_linux__)
#define SIMD __attribute__((optimize("O3"), noinline, target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define SIMD
#endif

enum { SIMD_LANES = 16 }; /* floats of the widest vector */

#endif
