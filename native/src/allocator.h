#pragma once

// How the C library handles freed memory. musl returns large blocks by itself.

#include <malloc.h>

namespace wirespan {

#ifdef __GLIBC__
// Without a fixed threshold the C library eventually keeps large blocks permanently.
inline void GiveBackLargePieces() { mallopt(M_MMAP_THRESHOLD, 1 << 20); }
inline void GiveBackFreed() { malloc_trim(0); }
#else
inline void GiveBackLargePieces() {}
inline void GiveBackFreed() {}
#endif

}  // namespace wirespan
