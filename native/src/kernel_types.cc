#include "kernel_types.h"

#include <bit>
#include <cerrno>

#include "error.h"

namespace wirespan {
namespace {

// Prefix of an attach target's name in BTF, by section.
struct Target {
  std::string_view section;
  std::string_view prefix;
  uint32_t kind;
};

constexpr Target kTargets[] = {
    {"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF},
    {"fentry/", "", BTF_KIND_FUNC},
    {"fexit/", "", BTF_KIND_FUNC},
    {"iter/", "bpf_iter_", BTF_KIND_FUNC},
};

}  // namespace

KernelTypes::KernelTypes() : types_(btf__load_vmlinux_btf()) {
  if (!types_) throw Failure{"read kernel types", errno};
  const uint32_t count = btf__type_cnt(types_.get());
  index_.resize(std::bit_ceil(count * 2));
  for (uint32_t id = 1; id < count; id++) {
    const std::string_view name = Name(id);
    if (name.empty()) continue;
    size_t slot = Hash(name);
    while (index_[slot & (index_.size() - 1)]) slot++;
    index_[slot & (index_.size() - 1)] = id;
  }
}

std::string_view KernelTypes::Name(uint32_t id) const {
  return btf__name_by_offset(types_.get(), btf__type_by_id(types_.get(), id)->name_off);
}

int KernelTypes::Id(std::string_view name, uint32_t kind) const {
  int found = -ENOENT;
  ForEach(name, [&](uint32_t id) {
    if (found < 0 && btf_kind(btf__type_by_id(types_.get(), id)) == kind) found = id;
  });
  return found;
}

int KernelTypes::AttachId(std::string_view section) const {
  for (const Target& target : kTargets) {
    if (!section.starts_with(target.section)) continue;
    std::string name(target.prefix);
    name += section.substr(target.section.size());
    return Id(name, target.kind);
  }
  return -ENOENT;
}

}  // namespace wirespan
