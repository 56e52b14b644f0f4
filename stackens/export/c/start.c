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

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACKENS_NO_CLONES
#endif
#endif

/* Where the compiler can, matrix products get a second version for processors with AVX2. */
#if defined(__has_attribute)
#if __has_attribute(target_clones) && defined(__x86_64__) && defined(__linux__) && \
    defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(STACKENS_NO_CLONES)
#define STACKENS_WIDE __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef STACKENS_WIDE
#define STACKENS_WIDE
#endif

#ifndef STACKENS_PREFIX
#define STACKENS_PREFIX model
#endif
#define STACKENS_JOIN_(a, b) a##b
#define STACKENS_JOIN(a, b) STACKENS_JOIN_(a, b)
#define STACKENS_NAME(name) STACKENS_JOIN(STACKENS_PREFIX, name)

#define STACKENS_MISSING 0
#define STACKENS_UNKNOWN 1
