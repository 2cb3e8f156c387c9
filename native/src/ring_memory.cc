#include "ring_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace wirespan {

int RingMemory::Map(int fd, size_t size) {
  page_ = sysconf(_SC_PAGESIZE);
  size_ = size;
  void* consumer = mmap(nullptr, page_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED) return errno;
  consumer_ = static_cast<uint64_t*>(consumer);
  void* producer = mmap(nullptr, page_ + size_, PROT_READ, MAP_SHARED, fd, page_);
  if (producer == MAP_FAILED) {
    const int error = errno;
    Unmap();
    return error;
  }
  producer_ = static_cast<const uint64_t*>(producer);
  data_ = static_cast<const uint8_t*>(producer) + page_;
  return 0;
}

void RingMemory::Unmap() {
  if (consumer_) munmap(consumer_, page_);
  if (producer_) munmap(const_cast<uint64_t*>(producer_), page_ + size_);
  consumer_ = nullptr;
  producer_ = nullptr;
  data_ = nullptr;
}

void RingMemory::Copy(uint8_t* into, uint64_t position, size_t length) const {
  const size_t first = std::min(length, size_ - static_cast<size_t>(position & (size_ - 1)));
  memcpy(into, at(position), first);
  memcpy(into + first, data_, length - first);
}

}  // namespace wirespan
