#ifdef STACKENS_PYTHON
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#endif
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Answers are those of the source model to the last bit, so every operation is done as written:
   in doubles, and products are not fused with sums. */
#if defined(__FAST_MATH__)
#error "Compile this file without -ffast-math."
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD > 0
#error "Compile this file so that doubles are doubles, on 32-bit x86 with -msse2 -mfpmath=sse."
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#elif defined(__GNUC__) && defined(__FP_FAST_FMA)
#pragma GCC optimize("fp-contract=off")
#endif

/* GCC (seen with 12) makes vectors of "condition ? table[j] : x" with masked loads, where the
   processor has these, and mixes the numbers up. Matrix products have nothing of the kind. */
#if defined(__GNUC__) && !defined(__clang__) && \
    (defined(__AVX__) || defined(__ARM_FEATURE_SVE) || defined(__riscv_vector))
#pragma GCC optimize("no-tree-loop-vectorize", "no-tree-slp-vectorize")
#define STACKENS_VECTORS __attribute__((optimize("tree-loop-vectorize", "tree-slp-vectorize")))
#else
#define STACKENS_VECTORS
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACKENS_NO_CLONES
#endif
#endif

/* Where the compiler can, matrix products get a second version for processors with AVX2. */
#if defined(__has_attribute)
#if __has_attribute(target_clones) && defined(__x86_64__) && defined(__linux__) && \
    defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(STACKENS_NO_CLONES)
#define STACKENS_WIDE STACKENS_VECTORS __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef STACKENS_WIDE
#define STACKENS_WIDE STACKENS_VECTORS
#endif

/* Where the compiler has vectors, products are written with them: as they stand, they need neither
   -O3 nor luck. Sums have the same order without. */
#if (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5)) && \
    !defined(__INTEL_COMPILER) && !defined(__PGI) && !defined(STACKENS_NO_LANES)
#define STACKENS_LANES
typedef double lanes_double __attribute__((vector_size(32), aligned(8), may_alias));
typedef float lanes_float __attribute__((vector_size(32), aligned(4), may_alias));
typedef int64_t lanes_long __attribute__((vector_size(32)));
#endif

#ifndef STACKENS_PREFIX
#define STACKENS_PREFIX model
#endif
#define STACKENS_JOIN_(a, b) a##b
#define STACKENS_JOIN(a, b) STACKENS_JOIN_(a, b)
#define STACKENS_NAME(name) STACKENS_JOIN(STACKENS_PREFIX, name)

#define STACKENS_MISSING 0
#define STACKENS_UNKNOWN 1
