#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace wirespan {

// Reads all entries of a map by its descriptor. Throws Failure.
class Table {
 public:
  // Gets `count` keys, key_size apart, and values, value_stride apart.
  using Visit = std::function<void(const uint8_t* keys, const uint8_t* values, uint32_t count)>;

  // `value_stride` is the size of what the kernel writes for one entry: for per-CPU maps the shares
  // of all CPUs.
  Table(int fd, uint32_t key_size, uint32_t value_stride, uint32_t max_entries);

  void Read(const Visit& visit);

 private:
  // False if this map type has no batch lookups.
  bool ReadBatches(const Visit& visit);
  void ReadOneByOne(const Visit& visit);
  void Reserve(uint32_t rows);

  int fd_;
  uint32_t key_size_;
  uint32_t value_stride_;
  uint32_t max_entries_;
  uint32_t rows_ = 0;
  std::unique_ptr<uint8_t[]> keys_;
  std::unique_ptr<uint8_t[]> values_;
};

}  // namespace wirespan
