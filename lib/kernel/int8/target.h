#ifndef RC_LIB_KERNEL_INT8_TARGET_H
#define RC_LIB_KERNEL_INT8_TARGET_H
/* Instruction set of the functions between RC_TARGET("avx2,...") and RC_TARGET_END, for GCC and
 * clang. Intrinsics' header goes before. */
#define RC_TARGET_TEXT(x) #x
#define RC_TARGET_PRAGMA(x) _Pragma(RC_TARGET_TEXT(x))
#ifdef __clang__
#define RC_TARGET(set) \
    RC_TARGET_PRAGMA(clang attribute push(__attribute__((target(set))), apply_to = function))
#define RC_TARGET_END RC_TARGET_PRAGMA(clang attribute pop)
#define RC_UNROLL RC_TARGET_PRAGMA(unroll)
#else
#define RC_TARGET(set) RC_TARGET_PRAGMA(GCC target(set))
#define RC_TARGET_END
#define RC_UNROLL RC_TARGET_PRAGMA(GCC unroll 16)
#endif
#endif
