#include "table.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "error.h"

namespace wirespan {
namespace {

// Maximum bytes per call. Larger calls save nothing, and their memory would come from the kernel,
// page by page.
constexpr uint32_t kBatchBytes = 1 << 16;
constexpr uint32_t kFewestRows = 16;

}  // namespace

Table::Table(int fd, uint32_t key_size, uint32_t value_stride, uint32_t max_entries)
    : fd_(fd), key_size_(key_size), value_stride_(value_stride), max_entries_(max_entries) {
  const uint32_t fitting = kBatchBytes / (key_size + value_stride);
  Reserve(std::min(max_entries, std::max(fitting, kFewestRows)));
}

void Table::Reserve(uint32_t rows) {
  rows_ = rows;
  // Not zeroed: the kernel fills what is read.
  keys_.reset(new uint8_t[static_cast<size_t>(rows) * key_size_]);
  values_.reset(new uint8_t[static_cast<size_t>(rows) * value_stride_]);
}

void Table::Read(const Visit& visit) {
  if (!ReadBatches(visit)) ReadOneByOne(visit);
}

bool Table::ReadBatches(const Visit& visit) {
  // A position is a bucket number for hashes and a key for other maps.
  std::vector<uint8_t> position(std::max<size_t>(key_size_, sizeof(uint32_t)));
  std::vector<uint8_t> next(position.size());
  bool first = true;
  for (;;) {
    uint32_t count = rows_;
    const int error = -bpf_map_lookup_batch(fd_, first ? nullptr : position.data(), next.data(),
                                            keys_.get(), values_.get(), &count, nullptr);
    if (error == ENOSPC && rows_ < max_entries_) {
      // A single bucket holds more than one batch: retry the same position with more room.
      Reserve(rows_ > max_entries_ / 2 ? max_entries_ : rows_ * 2);
      continue;
    }
    if (error == EINTR || error == EAGAIN) continue;
    if (first && (error == kNotSupported || error == EOPNOTSUPP)) return false;
    if (error && error != ENOENT) throw Failure{"read table", error};
    visit(keys_.get(), values_.get(), count);
    if (error == ENOENT) return true;
    std::swap(position, next);
    first = false;
  }
}

void Table::ReadOneByOne(const Visit& visit) {
  std::vector<uint8_t> key(key_size_);
  const uint8_t* previous = nullptr;
  // If an entry is deleted meanwhile, the walk starts again; the limit prevents an endless loop.
  for (uint32_t steps = 0; steps < max_entries_; steps++) {
    const int error = -bpf_map_get_next_key(fd_, previous, key.data());
    if (error == ENOENT) return;
    if (error) throw Failure{"read table", error};
    previous = key.data();
    const int missing = -bpf_map_lookup_elem(fd_, key.data(), values_.get());
    if (missing == ENOENT) continue;
    if (missing) throw Failure{"read table", missing};
    visit(key.data(), values_.get(), 1);
  }
}

}  // namespace wirespan
