#pragma once

// What the C library does with memory that was freed. musl gives large pieces back by itself.

#include <malloc.h>

namespace wirespan {

#ifdef __GLIBC__
// Without a fixed threshold the C library comes to hold what was large once for good.
inline void GiveBackLargePieces() { mallopt(M_MMAP_THRESHOLD, 1 << 20); }
inline void GiveBackFreed() { malloc_trim(0); }
#else
inline void GiveBackLargePieces() {}
inline void GiveBackFreed() {}
#endif

}  // namespace wirespan
