#pragma once

// How the C library handles freed memory. musl returns large blocks by itself.

#include <malloc.h>

namespace wirespan {

#ifdef __GLIBC__
inline void LimitKeptMemory() {
  // Without a fixed threshold the C library eventually keeps large blocks permanently.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // Otherwise each thread keeps what it has used once: to load an object, or to compile a function.
  mallopt(M_ARENA_MAX, 1);
}
inline void GiveBackFreed() { malloc_trim(0); }
#else
inline void LimitKeptMemory() {}
inline void GiveBackFreed() {}
#endif

}  // namespace wirespan
