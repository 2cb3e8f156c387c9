#pragma once

#include <bpf/btf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wirespan {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

using Btf = std::unique_ptr<btf, FreeBtf>;

// The running kernel's BTF with an index by name. Immutable, so that any thread may read it.
class KernelTypes {
 public:
  // Throws a Failure if the kernel has none.
  KernelTypes();

  const btf* all() const { return types_.get(); }

  // A type by name and BTF_KIND_*; -ENOENT if there is none.
  int Id(std::string_view name, uint32_t kind) const;

  // The type to which a program of such a section attaches: `tp_btf/name`, `fentry/name`,
  // `fexit/name`, `iter/name`. -ENOENT if this kernel has none.
  int AttachId(std::string_view section) const;

  // Calls `visit(id)` for each type of that name, of any kind.
  template <typename Visit>
  void ForEach(std::string_view name, Visit visit) const {
    for (size_t slot = Hash(name);; slot++) {
      const uint32_t id = index_[slot & (index_.size() - 1)];
      if (!id) return;
      if (Name(id) == name) visit(id);
    }
  }

 private:
  static size_t Hash(std::string_view name) { return std::hash<std::string_view>()(name); }
  std::string_view Name(uint32_t id) const;

  Btf types_;
  // Open addressing; 0 is an empty slot. A power of two, at most half full.
  std::vector<uint32_t> index_;
};

}  // namespace wirespan
