#pragma once

#include <cstddef>
#include <cstdint>

namespace wirespan {

// A BPF ring buffer's pages, mapped: the consumer's position to write, the producer's position and
// the data to read. The kernel offers the data twice in a row, so that no record is ever split; we
// map it once, because everything that is mapped counts as our memory from the start.
class RingMemory {
 public:
  RingMemory() = default;
  RingMemory(const RingMemory&) = delete;
  RingMemory& operator=(const RingMemory&) = delete;
  ~RingMemory() { Unmap(); }

  // 0 or an errno. `size` is the map's max_entries.
  int Map(int fd, size_t size);
  void Unmap();

  bool mapped() const { return data_ != nullptr; }
  size_t size() const { return size_; }

  // Only we write it, so reading it needs no memory order.
  uint64_t consumed() const { return __atomic_load_n(consumer_, __ATOMIC_RELAXED); }
  // Returns the space before `position` to the producers. Sequentially consistent, not just a
  // release: a producer uses it to decide whether to wake us, and we look for more records after
  // it.
  void Consume(uint64_t position) { __atomic_store_n(consumer_, position, __ATOMIC_SEQ_CST); }
  uint64_t produced() const { return __atomic_load_n(producer_, __ATOMIC_SEQ_CST); }

  // What begins at `position`, around the end of the ring.
  void Copy(uint8_t* into, uint64_t position, size_t length) const;
  // The length word of the record at `position`; if it marks the record as committed, that is
  // visible afterwards.
  uint32_t Header(uint64_t position) const {
    return __atomic_load_n(reinterpret_cast<const uint32_t*>(at(position)), __ATOMIC_ACQUIRE);
  }

 private:
  const uint8_t* at(uint64_t position) const { return data_ + (position & (size_ - 1)); }

  size_t size_ = 0;
  size_t page_ = 0;
  uint64_t* consumer_ = nullptr;
  const uint64_t* producer_ = nullptr;
  const uint8_t* data_ = nullptr;
};

}  // namespace wirespan
